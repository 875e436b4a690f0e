"""The tour in a browser, of a page with tiny models: every step ends in what it speaks of, and all
of it can be used by those who do not see it."""

import json
import re

import pytest

from tests.browser.viewing import PHONE, SMALLEST, check_access, new_page
from tests.conftest import ROOT

VIEW = "document.querySelector('#object-viewer [data-part=viewer]')?.viewer.state"
INSIDE = "document.querySelector('#inspector [data-part=inspector]')?.inspector.state"
REACHED = {
    "front": f"{VIEW}.azimuthDeg === 0",
    "back": f"{VIEW}.azimuthDeg === 180",
    "attend": f"{INSIDE}.chosen.token === 0 && {INSIDE}.chosen.block === 2",
    "token": f"{INSIDE}.chosen.token === 10",
    "scramble": f"{INSIDE}.edits[0].kind === 'scramble'",
    "quantise": f"{INSIDE}.edits.length === 1 && {INSIDE}.edits[0].bits === 3",
}


@pytest.fixture
def url(tiny_url):
    return tiny_url


@pytest.fixture
def page(context):
    """A phone's page, before it is opened."""
    with new_page(context, PHONE, still=True) as page:
        yield page


def test_every_step_ends_in_what_it_speaks_of(page, url):
    from hyperdemo.ui.tour import STEPS

    page.goto(url)
    page.wait_for_function(f"{VIEW}.ready")
    begin = page.get_by_role("button", name="Take the tour")
    begin.click()
    for at, step in enumerate(STEPS):
        page.wait_for_function(f"document.querySelector('[data-part=tour]')?.dataset.at === '{at}'")
        assert page.locator("#tour h2").inner_text() == step.title
        page.wait_for_function(REACHED.get(step.act, "true"))
        assert page.locator(step.target).is_visible()
        unread = f"[...document.querySelectorAll('{step.target} .empty')]"
        page.wait_for_function(f"!{unread}.some((node) => node.offsetParent)")  # figures come late
        check_access(page, "html")
        assert page.evaluate(SMALLEST, "#tasks") >= 14
        page.keyboard.press("ArrowRight")
    begin.wait_for()


def test_an_address_opens_what_it_names(page, context, url, artefacts):
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.set_viewport_size({"width": 1280, "height": 720})
    page.goto(f"{url}?tab=evidence&example=box&az=120&el=-30")
    page.locator("#evidence-page").wait_for()
    page.wait_for_function(f"{VIEW}.ready && {VIEW}.azimuthDeg === 120")
    assert page.evaluate(f"{VIEW}.elevationDeg") == -30 and not page.evaluate(f"{VIEW}.spinning")
    page.get_by_role("button", name="Copy link").click()
    page.get_by_role("button", name="Link copied").wait_for()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied == f"{url}?tab=evidence&example=box&az=120&el=-30"
    code = page.get_by_role("img", name="QR code of this address")
    page.wait_for_function("code => code.naturalWidth > 200", arg=code.element_handle())
    page.screenshot(path=artefacts / "code.png")
    page.get_by_role("button", name="Close", exact=True).click()
    code.wait_for(state="hidden")
    size = "parseFloat(getComputedStyle(document.querySelector('#evidence-page p')).fontSize)"
    before = page.evaluate(size)
    page.get_by_role("button", name="Large type").click()
    assert page.evaluate(size) > 1.25 * before
    page.get_by_role("button", name="Copy link").click()
    page.get_by_role("button", name="Link copied").wait_for()
    page.goto(page.evaluate("navigator.clipboard.readText()"))  # large type is handed on too
    page.locator("#evidence-page").wait_for()
    page.wait_for_function(f"{size} > {1.25 * before}")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")  # all is in sight
    page.goto(f"{url}?example=box&step=2")
    page.wait_for_function("document.querySelector('[data-part=tour]')?.dataset.at === '1'")
    page.keyboard.press("ArrowRight")
    page.wait_for_url(f"{url}?example=box&step=3")
    page.keyboard.press("Escape")
    page.wait_for_url(f"{url}?example=box")
    page.goto(f"{url}?tab=nowhere&az=north&step=99")
    page.wait_for_function(f"{VIEW}.ready && {VIEW}.azimuthDeg === 0")
    assert page.get_by_role("tab", name="Object", exact=True).get_attribute("aria-selected")
    context.clear_permissions()


def test_a_recorded_training_goes_back_and_forth(page, url):
    content = json.loads((ROOT / "weights/learning/learning.json").read_text())
    page.goto(f"{url}?tab=race")
    recorded = page.locator("#recorded")
    slider, now = recorded.get_by_role("slider"), recorded.get_by_role("status")
    slider.wait_for()
    strips = recorded.locator(".strip [role=img] div")
    places = "(nodes) => nodes.map((node) => node.style.backgroundPosition)"
    n = len(content["steps"])
    for at, other in ((0, False), (n - 1, False), (n - 1, True)):
        slider.fill(str(at))
        recorded.get_by_role("checkbox").set_checked(other)
        text = now.inner_text()
        assert text.startswith(f"Step {content['steps'][at]:,}: Pretrained")
        for arm in content["arms"].values():
            mean = sum(arm["psnr"][at]) / len(arm["psnr"][at])
            shown = [float(number) for number in re.findall(r"([\d.]+) dB", text)]
            assert min(abs(mean - number) for number in shown) < 0.006
        assert ("On all validation objects" in text) == (at > 0)
        row = 2 * at + (0 if other else 1)
        found = strips.evaluate_all(places)[-4:]  # two halves of either model
        assert [float(place.split()[1][:-1]) for place in found] == pytest.approx(
            [100 * row / (2 * n - 1)] * 4, abs=0.01
        )
    recorded.get_by_role("button", name="Play").click()
    page.wait_for_function("document.querySelector('#recorded input[type=range]').value > 1")
    recorded.get_by_role("button", name="Pause").click()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    check_access(page, "#recorded")
