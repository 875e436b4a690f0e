"""The page in other languages, with tiny models."""

from __future__ import annotations

import re

import pytest

from hyperdemo.ui.language import LANGUAGES, catalogue
from tests.browser.viewing import PHONE, STATE, new_page, photo_of_a_box

WORDS = "document.documentElement.words"
OPEN_TAB = """(name) => [...document.querySelectorAll("[role=tab]")]
    .find((tab) => document.documentElement.words.english(tab) === name).click()"""
SAME = re.compile(
    r"(DINOv2 S|INR|Opus|PCM|LSD|PSNR|SSIM|STOI|SI-SNR|PESQ|STFT|kbit/s|kHz|dB|[kM]B|"
    r"processing|s|x|A brown box|Chirp|[\W\d_])*"  # Gradio counts seconds behind the second last
)
"""What is the same in all languages, or seen for a moment."""
UNSEEN = {"plotly-logomark", "Box Select", "Lasso Select", "High volume", *LANGUAGES.values()}


@pytest.fixture
def page(context, tiny_url):
    with new_page(context, (1280, 720), still=True) as page:
        yield page


def untranslated(page) -> list[str]:
    found = page.evaluate(f"{WORDS}.untranslated()")
    return [words for words in found if not SAME.fullmatch(words) and words not in UNSEEN]


def test_all_that_the_page_says_is_translated(page, tiny_url, tmp_path, artefacts):
    german = catalogue("de")
    page.goto(f"{tiny_url}?lang=de")
    page.wait_for_function(f"{STATE}.ready")
    page.get_by_role("button", name=german["Take the tour"]).wait_for()
    assert page.evaluate("document.documentElement.lang") == "de"
    assert page.title() == german["hyperdemo: what is a hypernetwork?"]
    assert page.locator(".introduction b, .introduction strong").inner_text() == "Hypernetz"
    page.get_by_role("button", name=german["Turn by itself"]).wait_for()  # attributes too
    tabs = {"Look inside": "#inspector canvas", "Race": "#race-page", "Sound": "#sound-player",
            "Evidence": "#evidence-page table"}  # fmt: skip
    for name, there in tabs.items():
        page.evaluate(OPEN_TAB, name)
        page.locator(there).first.wait_for()
        page.wait_for_timeout(500)
        assert not untranslated(page)
        page.screenshot(path=artefacts / f"german-{name.lower().replace(' ', '-')}.png")
    radios = page.locator("#evidence-page input[type=radio]:visible")
    for k in range(radios.count()):
        radios.nth(k).click()
        page.wait_for_timeout(200)
        assert not untranslated(page)
    page.evaluate(OPEN_TAB, "Object")
    page.locator("#picture input[type=file]").set_input_files(photo_of_a_box(tmp_path))
    page.get_by_role("button", name=german["Generate"], exact=True).click()
    page.get_by_text(re.compile("^fertig")).wait_for()
    assert not untranslated(page)


CUT = """[...document.querySelectorAll(".js-plotly-plot")].filter((plot) => plot.offsetParent)
    .flatMap((plot) => {
        const { left, right } = plot.getBoundingClientRect();
        return [...plot.querySelectorAll("text")].filter((text) => {
            const own = text.getBoundingClientRect();
            return own.width && (own.left < left - 12 || own.right > right + 12);
        }).map((text) => text.textContent);
    })"""
"""Words of figures that reach further over their edge than there is room."""


def test_figures_have_room_for_their_words(page, tiny_url):
    page.goto(f"{tiny_url}?tab=evidence")
    page.get_by_text("Loading", exact=True).wait_for(state="hidden")
    page.locator("#evidence-page .js-plotly-plot text").last.wait_for()
    for language in LANGUAGES:
        page.evaluate(f"(language) => {WORDS}.speak(language)", language)
        assert page.evaluate("document.documentElement.lang") == language
        assert page.evaluate(CUT) == []


def test_a_visitor_changes_the_language_and_hands_it_on(page, context, tiny_url):
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto(tiny_url)
    page.wait_for_function(f"{STATE}.ready")
    page.get_by_text("Loading", exact=True).wait_for(state="hidden")  # the last of the figures
    english = page.locator("body").inner_text()
    choice = page.locator("#tour select")
    for code in list(LANGUAGES)[1:]:
        choice.select_option(code)
        page.get_by_role("button", name=catalogue(code)["Take the tour"]).wait_for()
        assert page.evaluate("document.documentElement.lang") == code
    page.get_by_role("button", name=catalogue(code)["Copy link"]).click()
    page.get_by_role("button", name=catalogue(code)["Link copied"]).wait_for()
    assert page.evaluate("navigator.clipboard.readText()").endswith(f"lang={code}")
    page.get_by_role("button", name=catalogue(code)["Close"], exact=True).click()
    assert choice.get_attribute("aria-label") == catalogue(code)["Language"]
    choice.select_option("en")
    page.get_by_role("button", name="Copy link", exact=True).wait_for()
    assert page.locator("body").inner_text() == english
    context.clear_permissions()


def test_the_first_language_of_the_browser_that_is_there_is_spoken(browser, tiny_url):
    with browser.new_context(locale="fr-CA") as context, new_page(context, PHONE) as page:
        page.goto(tiny_url)
        page.get_by_role("button", name=catalogue("fr")["Take the tour"]).wait_for()
        page.goto(f"{tiny_url}?lang=xx&step=1")  # none that is there: as without
        page.get_by_role(
            "heading", name=catalogue("fr")["A network that writes a network"]
        ).wait_for()
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        page.goto(f"{tiny_url}?lang=en&tab=sound")  # Gradio's own words, too
        page.locator("#sound-clip", has_text="Click to Upload").wait_for()


def test_a_language_that_cannot_be_had_changes_nothing(page, tiny_url):
    page.route("**/language/fr.json", lambda route: route.abort())
    page.goto(f"{tiny_url}?lang=de")
    page.wait_for_function(f"{STATE}.ready")
    page.get_by_role("button", name=catalogue("de")["Take the tour"]).wait_for()
    choice = page.locator("#tour select")
    choice.select_option("fr")
    page.wait_for_function("(choice) => choice.value === 'de'", arg=choice.element_handle())
    assert page.evaluate("document.documentElement.lang") == "de"
    # Of two choices the last counts, whichever catalogue comes first.
    slow = []
    page.route("**/language/es.json", lambda route: slow.append(route))
    choice.select_option("es")
    choice.select_option("en")
    page.get_by_role("button", name="Take the tour", exact=True).wait_for()
    slow[0].continue_()
    page.wait_for_timeout(500)
    assert page.evaluate("document.documentElement.lang") == "en"
