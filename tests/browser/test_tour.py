"""The tour in a browser, of a page with tiny models: every step ends in what it speaks of, and all
of it can be used by those who do not see it."""

import json
import re
from functools import partial
from importlib import resources

import numpy as np
import pytest

from tests.browser.viewing import SMALLEST
from tests.conftest import PATIENCE_S, ROOT
from tests.ui.conftest import models, write_object

AXE = (resources.files("axe_playwright_python") / "axe.min.js").read_text()
BAD = ("serious", "critical")
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
def url(monkeypatch, tmp_path):
    """The whole app, with one example object that it opens with."""
    from hyperdemo.pipeline import SoundPipeline, ViewPipeline, view
    from hyperdemo.render.mesh import extract_mesh
    from hyperdemo.ui.app import build_app, launch_options
    from hyperdemo.ui.object import callbacks
    from tests import tiny
    from tests.pipeline.conftest import CPU

    monkeypatch.setattr(view, "GRID", 32)
    monkeypatch.setattr(view, "extract_mesh", partial(extract_mesh, resolution=24))
    monkeypatch.setattr(callbacks, "OPENING", "box")
    brown = np.zeros((60, 80, 4), np.uint8)
    brown[20:40, 20:60] = (200, 90, 40, 255)
    write_object(tmp_path / "objects" / "box", brown)
    objects, sounds = models("view", tiny.model), models("sound", tiny.sound_model)
    pipeline, sound = ViewPipeline(objects, device=CPU), SoundPipeline(sounds, device=CPU)
    demo = build_app(
        pipeline, sound=sound,
        examples=tmp_path, weights=ROOT / "weights", warm=True,
    )  # fmt: skip
    yield demo.launch(prevent_thread_lock=True, quiet=True, **launch_options(pipeline, sound))[1]
    demo.close()


def test_every_step_ends_in_what_it_speaks_of(browser, url):
    from hyperdemo.ui.tour import STEPS

    page = browser.new_page(viewport={"width": 390, "height": 844}, reduced_motion="reduce")
    page.set_default_timeout(PATIENCE_S * 1000)
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
        found = [v for v in page.evaluate(f"{AXE}\naxe.run()")["violations"] if v["impact"] in BAD]
        assert not found, [(v["id"], [node["html"] for node in v["nodes"]]) for v in found]
        assert page.evaluate(SMALLEST, "#tasks") >= 14
        page.keyboard.press("ArrowRight")
    begin.wait_for()
    page.close()


def test_an_address_opens_what_it_names(browser, url, artefacts):
    context = browser.new_context(reduced_motion="reduce")
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = context.new_page()
    page.set_default_timeout(PATIENCE_S * 1000)
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
    context.close()


def test_a_recorded_training_goes_back_and_forth(browser, url):
    content = json.loads((ROOT / "weights/learning/learning.json").read_text())
    page = browser.new_page(viewport={"width": 390, "height": 844}, reduced_motion="reduce")
    page.set_default_timeout(PATIENCE_S * 1000)
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
    found = [v for v in page.evaluate(f"{AXE}\naxe.run('#recorded')")["violations"]]
    assert not [v["id"] for v in found if v["impact"] in BAD]
    page.close()
