"""The questions in a browser, of a page with tiny models. Lots are drawn from a list that the test
gives, and what sounds is taken from the browser's own audio nodes."""

import pytest
from scipy.stats import binomtest

from tests.browser.viewing import PHONE, SMALLEST, check_access, new_page, requests_elsewhere

RATE_HZ = 22_050
NAMES = ("Pretrained (DINOv2)", "From scratch")
VIEW = "document.querySelector('#object-viewer [data-part=viewer]')?.viewer"
PLAYER = "document.querySelector('#sound-player [data-part=player]')?.player"
SPY = """
window.coins = []; window.started = []; window.levels = [];
const lots = crypto.getRandomValues.bind(crypto);
crypto.getRandomValues = (into) =>
    into.length === 1 && window.coins.length ? into.fill(window.coins.shift()) : lots(into);
const start = AudioBufferSourceNode.prototype.start;
AudioBufferSourceNode.prototype.start = function (when, offset) {
    window.started.push({samples: this.buffer.getChannelData(0), offset});
    return start.call(this, when, offset);
};
const ramp = AudioParam.prototype.linearRampToValueAtTime;
AudioParam.prototype.linearRampToValueAtTime = function (value, at) {
    window.levels.push(value);
    return ramp.call(this, value, at);
};
"""
SAME = "const same = (a, b) => a.length === b.length && a.every((one, k) => one === b[k]);"
# Compared in the page: all the numbers would take seconds on their way out of it.
STARTED = f"""() => {{
    {SAME}
    const tracks = Object.entries({PLAYER}.samples);
    return window.started.map(({{ samples, offset }}) =>
        [tracks.filter(([, known]) => same(known, samples)).map(([name]) => name), offset]);
}}"""
"""Script: of everything that was started, which of the player's tracks it is, and from where."""
DRAWN = f"""([part, azimuth]) => {{
    {SAME}
    const canvas = document.querySelector(`#guess-object [data-part=${{part}}]`);
    const {{ width, height }} = canvas;
    const {{ data }} = canvas.getContext("2d").getImageData(0, 0, width, height);
    return ["foundation", "scratch"].filter((key) =>
        same({VIEW}.readPixels(key, 320, azimuth), data));
}}"""
"""Script: which of the two objects, seen from this side, is what stands in a picture."""


@pytest.fixture
def url(tiny_url):
    return tiny_url


@pytest.fixture
def page(context, url):
    """A phone's page, before it is opened; nothing is requested of other servers."""
    with new_page(context, PHONE, still=True) as page:
        page.add_init_script(SPY)
        elsewhere = requests_elsewhere(page, url)
        yield page
        assert elsewhere == []


def open_tab(page, name):
    """By its name; on a phone the last ones are in a menu."""
    page.evaluate(
        """(name) => [...document.querySelectorAll("#tasks > .tab-wrapper " +
            ":is([role=tab], .overflow-dropdown button)")]
            .find((button) => button.textContent.trim() === name).click()""",
        name,
    )


def hear(page, url, address=""):
    """Open the sound tab's question, with a sound on the stage."""
    page.goto(f"{url}{address}")
    page.wait_for_function(f"{VIEW}?.state.ready")
    open_tab(page, "Sound")
    question = page.locator("#guess-sound")
    question.locator("summary").click()
    question.locator("[data-part=hint]").wait_for()
    page.locator("#sounds button.gallery-item").first.click()
    question.locator("[data-part=test]").wait_for()
    return question


def check_reading(page, root):
    check_access(page, root)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.evaluate(SMALLEST, root) >= 14


def test_x_is_one_of_the_two_and_the_page_says_which_only_afterwards(page, url, artefacts):
    question = hear(page, url)
    part = {name: question.locator(f"[data-part={name}]") for name in (
        "a", "x", "b", "xIsA", "xIsB", "next", "verdict", "mine", "all", "model", "begin", "test",
    )}  # fmt: skip
    right, seen, markup = 0, set(), set()
    for trial, (model, coins) in enumerate(
        (model, [first, second])
        for model in ("foundation", "scratch") for first in (0, 1) for second in (0, 1)
    ):  # fmt: skip
        page.evaluate("(coins) => { window.coins = coins; }", coins)
        if trial % 4 == 0:
            right = 0
            part["model"].select_option(model)
        else:
            page.keyboard.press("Enter")  # the next trial, whose button has the focus
        part["begin"].fill("0.3")
        assert part["xIsA"].is_disabled()  # before X was heard
        page.evaluate("() => { window.started = []; window.levels = []; }")
        for name in ("a", "x", "b"):
            part[name].focus()
            page.keyboard.press("Enter")
        page.wait_for_function("window.started.length === 3")
        (a, _), (x, _), (b, _) = started = page.evaluate(STARTED)
        part["b"].click()  # stops it, or plays it again where it has ended, and it ends once more
        question.get_by_role("button", name="Play B").wait_for()
        assert {offset for _, offset in started} == {round(0.3 * RATE_HZ) / RATE_HZ}
        assert max(page.evaluate("window.levels")) == 1.0
        assert sorted(a + b) == sorted(["original", model]) and x in (a, b)
        seen.add((model, a[0], x[0]))
        markup.add(part["test"].inner_html())
        is_a, wrong = x == a, trial % 4 == 3
        part["xIsA" if is_a != wrong else "xIsB"].focus()
        page.keyboard.press("Enter")
        part["verdict"].filter(has_text="Wrong" if wrong else "Right").wait_for()
        assert f"X was {'A' if is_a else 'B'}: " in part["verdict"].inner_text()
        right += not wrong
        n = trial % 4 + 1
        interval = binomtest(right, n).proportion_ci(0.95, method="exact")
        part["mine"].filter(
            has_text=f"You: {right} of {n} right; guessing alone gives {n / 2:g}; "
            f"95 % interval {interval.low:.2f}–{interval.high:.2f}."
        ).wait_for()
        part["all"].filter(has_text=f"All visitors: {right} of {n} right").wait_for()
    assert len(seen) == 8  # each order with each X, for each model
    assert len(markup) == 1  # all that stood there before the answers
    check_reading(page, "#guess-sound")
    page.screenshot(path=artefacts / "guess-sound-phone.png")


def test_one_sound_at_a_time_and_another_clip_begins_anew(page, url):
    question = hear(page, url)
    page.locator("#sound-player [data-part=loop]").check()
    page.locator("#sound-player [data-part=play]").click()
    page.wait_for_function(f"{PLAYER}.state.wanted")
    question.get_by_role("button", name="Play X").click()
    question.get_by_role("button", name="Stop X").wait_for()
    assert not page.evaluate(f"{PLAYER}.state.wanted")
    page.locator("#sound-player [data-part=play]").click()
    question.get_by_role("button", name="Play X").wait_for()
    page.locator("#sound-player [data-part=play]").click()
    question.get_by_role("button", name="X is A").click()
    question.locator("[data-part=verdict]").filter(has_text="X was").wait_for()
    page.locator("#sound-clip").get_by_label("Clear").click()
    question.locator("[data-part=hint]").wait_for()
    assert question.locator("[data-part=verdict]").inner_text() == ""
    assert not question.locator("[data-part=test]").is_visible()


def test_a_teacher_sees_all_answers_and_begins_anew(page, context, url):
    question = hear(page, url)
    for button in ("Reset for all", "Refresh"):
        assert not question.get_by_role("button", name=button).is_visible()
    with new_page(context, (1280, 720), still=True) as other:
        teacher = hear(other, url, "?teacher=1")
        teacher.get_by_role("button", name="Reset for all").click()
        teacher.locator("[data-part=all]", has_text="Nobody").wait_for()
        question.get_by_role("button", name="Play X").click()
        question.get_by_role("button", name="X is B").click()
        question.locator("[data-part=all]", has_text="of 1 right").wait_for()
        teacher.get_by_role("button", name="Refresh").click()
        teacher.locator("[data-part=all]", has_text="of 1 right").wait_for()
        assert teacher.locator("[data-part=mine]").inner_text() == ""
        teacher.get_by_role("button", name="Reset for all").click()
        teacher.locator("[data-part=all]", has_text="Nobody").wait_for()


def guess(page, url, address=""):
    """Open the object tab's question, with an object on the stage."""
    page.goto(f"{url}{address}")
    page.wait_for_function(f"{VIEW}?.state.ready && {VIEW}.state.complete")
    question = page.locator("#guess-object")
    question.locator("summary").click()
    page.locator("#object-viewer [data-part=names]").wait_for()
    return question


def names_are_hidden(page) -> bool:
    text = page.locator("body").inner_text()  # of what is rendered
    hidden = not any(name in text for name in NAMES)
    assert hidden != page.locator("#object-viewer [data-part=names]").is_visible()
    return hidden


@pytest.mark.parametrize("first", [0, 1])
def test_two_objects_without_names(page, url, artefacts, first):
    question = guess(page, url, "?__theme=dark" if first else "")
    page.evaluate("(first) => { window.coins = [first]; }", first)
    question.get_by_role("button", name="Ask about this object").click()
    question.get_by_role("button", name="The left one").wait_for()
    assert names_are_hidden(page)
    for azimuth in (0, 90):
        question.get_by_label("Turn").fill(str(azimuth))
        page.evaluate("() => new Promise(requestAnimationFrame)")
        order = ["scratch", "foundation"] if first else ["foundation", "scratch"]
        for place, key in zip(("left", "right"), order, strict=True):
            assert page.evaluate(DRAWN, [place, azimuth]) == [key]
    check_reading(page, "#guess-object")
    page.screenshot(path=artefacts / f"guess-object-phone-{first}.png")
    question.get_by_role("button", name="The left one").click()
    verdict = f"{'Wrong' if first else 'Right'}: the {'right' if first else 'left'} one"
    question.locator("[data-part=verdict]", has_text=verdict).wait_for()
    assert not names_are_hidden(page)
    shown = question.locator("figcaption").all_inner_texts()
    assert shown == [f"Left: {NAMES[first]}", f"Right: {NAMES[1 - first]}"]
    question.locator("[data-part=mine]", has_text=f"{1 - first} of 1 right").wait_for()
    check_reading(page, "#guess-object")


def test_names_come_back_however_it_ends(page, url):
    question = guess(page, url)
    hide, ask, show = (
        question.get_by_role("button", name=name)
        for name in ("Hide the names", "Ask about this object", "Show the names")
    )
    left, verdict = (question.locator(f"[data-part={name}]") for name in ("leftWas", "verdict"))
    example, viewer = page.locator("#examples button.gallery-item"), page.locator("#object-viewer")
    box, other = example.nth(0), example.nth(1)
    ask.click()
    show.click()  # switched off
    assert not names_are_hidden(page) and verdict.inner_text() == ""
    hide.click()
    assert names_are_hidden(page) and not left.is_visible()
    question.locator("summary").click()  # closed
    viewer.locator("[data-part=names]").wait_for()
    assert not names_are_hidden(page)
    question.locator("summary").click()
    hide.wait_for()
    hide.click()
    ask.click()  # it may be the one on the stage after all
    assert names_are_hidden(page) and left.is_visible()
    show.click()
    hide.click()
    other.click()  # it runs by itself
    left.wait_for()  # what came is asked about
    assert names_are_hidden(page)
    box.click()  # another example, before the answer
    verdict.filter(has_text="Another object came first").wait_for()
    assert not left.is_visible()
    page.wait_for_function(f"{VIEW}.state.ready")
    assert not names_are_hidden(page)
    hide.click()
    page.locator("#run").click()  # a run, whose names are hidden from its beginning
    left.wait_for()
    assert names_are_hidden(page)
    page.locator("#run").click()  # and another one, before the answer
    verdict.filter(has_text="Another object came first").wait_for()
    page.wait_for_function(f"{VIEW}.state.ready")
    viewer.wait_for()
    page.locator("#picture button[aria-label='Remove Image']").click()
    page.locator("#hint").wait_for()
    hide.click()
    page.locator("#run").click()  # without a picture it fails
    verdict.filter(has_text="ended early").wait_for()
    assert not left.is_visible() and hide.is_visible()
