"""The view that a visitor turns, in a browser: what it draws, and that both panels turn alike."""

import io

import numpy as np
import pytest
import torch
from PIL import Image

from tests.browser.viewing import FIND, SIDE, STATE, drawn, marched, new_page, psnr, serve

RESOLUTION = 48
SIDES = (0.0, 90.0, 180.0, 270.0)
TRUTH = np.array([[90, 160, 30], [200, 40, 60], [20, 30, 180], [240, 240, 100]]) / 255
CANVAS, MODE = "#object-viewer canvas", "#object-viewer select"


def left_field(points):
    """An orange ball off the centre, and a green box that stands out towards +x."""
    ball = 30.0 * (0.35 - (points - torch.tensor([-0.2, 0.3, 0.25])).norm(dim=-1)).clamp(-0.1, 0.1)
    inside = torch.tensor([0.3, 0.15, 0.2]) - (points - torch.tensor([0.4, -0.4, 0.1])).abs()
    box = 30.0 * inside.amin(dim=-1).clamp(-0.1, 0.1)
    orange, green = torch.tensor([0.9, 0.4, 0.1]), torch.tensor([0.1, 0.6, 0.3])
    density = 8.0 * torch.maximum(ball, box).clamp_min(0.0)
    return density, torch.where((ball > box)[..., None], orange, green)


def right_field(points):
    """Blue haze that thins out upwards, with nothing sharp in it."""
    radius2 = (points - torch.tensor([0.1, -0.1, -0.3])).square().sum(-1)
    density = 4.0 * torch.exp(-6.0 * radius2) * (1.0 - points[..., 1]) - 0.1
    return density.clamp_min(0.0), torch.tensor([0.2, 0.3, 0.9]).expand(len(points), 3)


@pytest.fixture(scope="module")
def baked():
    from hyperdemo.render.bake import bake

    fields = {"foundation": left_field, "scratch": right_field}
    return {name: bake(field, resolution=RESOLUTION) for name, field in fields.items()}


@pytest.fixture(scope="module")
def url(baked, tmp_path_factory):
    from hyperdemo.render.cameras import PosedViews, look_at_origin
    from hyperdemo.render.volume import pack_volume
    from hyperdemo.ui.object.viewer import Truth

    folder = tmp_path_factory.mktemp("volumes")
    files = {name: folder / f"{name}.volume" for name in baked}
    for name, path in files.items():
        path.write_bytes(pack_volume(baked[name]))
    colours = np.rint(255 * TRUTH).astype(np.uint8)[None]
    strip = Image.fromarray(colours.repeat(64, 0).repeat(64, 1))
    strip.save(folder / "truth.webp", lossless=True)
    poses = np.stack([look_at_origin(azimuth, 20.0) for azimuth in SIDES])
    truth = Truth(folder / "truth.webp", PosedViews(poses, 40.0, (None,) * 4))
    yield from serve([{"volumes": files, "truth": truth}])


@pytest.fixture(scope="module")
def opened(context, url):
    """The viewer at a size that software draws in time."""
    with new_page(context, (700, 600), still=True) as page:
        page.goto(url)
        page.wait_for_function(f"{STATE}?.ready && {STATE}.nFrames > 0")
        yield page


@pytest.fixture
def fresh(context):
    """A page of its own, before it is opened."""
    with new_page(context, (500, 600)) as page:
        yield page


@pytest.fixture
def page(opened):
    """The viewer as it was opened: still, seen from the front."""
    opened.evaluate("scrollTo(0, 0)")
    opened.wait_for_function(f"{STATE}.onScreen")
    opened.evaluate(f"{FIND}.setCamera(0, 20)")
    return opened


@pytest.mark.timeout(600)
@pytest.mark.parametrize("camera", [(0, 20, 1), (100, -35, 1), (235, 80, 2.5)])
def test_it_draws_what_the_server_marches(page, baked, camera):
    page.evaluate(f"(camera) => {FIND}.setCamera(...camera)", list(camera))
    state = page.evaluate(STATE)
    assert (state["azimuthDeg"], state["elevationDeg"], state["zoom"]) == camera
    for key, field in baked.items():
        seen, wanted = drawn(page, key), marched(field, state, SIDE).rgb
        assert psnr(seen, wanted) > 40
        # That is no white on white, and no picture that looks the same from the other side.
        assert psnr(seen[:, ::-1], wanted) < 28 and psnr(seen[::-1], wanted) < 28


@pytest.mark.timeout(600)
def test_depth_is_the_mean_distance_and_normals_point_outwards(page, baked):
    state = page.evaluate(f"({FIND}.setCamera(100, 35), {STATE})")
    page.locator(MODE).select_option("depth")
    for key, field in baked.items():
        seen = marched(field, state, SIDE)
        depth = 0.92 * np.clip((seen.depth - 2) / 2, 0, 1)  # from 2 to 4, near dark
        wanted = (seen.alpha * depth + 1 - seen.alpha)[..., None]
        assert psnr(drawn(page, key), np.broadcast_to(wanted, (SIDE, SIDE, 3))) > 36
    # A ball's normal, seen along its middle, looks at the camera; at its right edge to the right.
    page.evaluate(f"{FIND}.setCamera(0, 0)")
    page.locator(MODE).select_option("normals")
    normals = 2 * drawn(page, "foundation") - 1
    reach = np.tan(np.radians(20))
    middle = np.array([-0.2, 0.3]) / (3 - 0.25 - 0.3)
    column, row = np.rint(SIDE * (0.5 + np.array([1, -1]) * middle / reach / 2)).astype(int)
    assert normals[row, column] == pytest.approx([0, 0, 1], abs=0.2)
    assert normals[row, column - 11, 0] < -0.4 and normals[row - 11, column, 1] > 0.4
    page.locator(MODE).select_option("colour")


@pytest.mark.timeout(600)
def test_the_truth_shows_its_nearest_side_and_errors_are_told_there(page, baked):
    assert page.locator("#object-viewer figure").is_visible()
    page.evaluate(f"{FIND}.setCamera(200, 50, 2)")
    assert page.evaluate(STATE)["side"] == 2
    page.locator("[role=img][aria-label*='180° round']").wait_for()
    page.locator(MODE).select_option("difference")
    there = {"azimuthDeg": 180.0, "elevationDeg": 20.0, "zoom": 1.0}
    for key, field in baked.items():
        apart = np.abs(marched(field, there, SIDE).rgb - TRUTH[2]).sum(-1, keepdims=True)
        error = np.sqrt(np.clip(apart / 1.5, 0, 1))
        wanted = 1 + error * (np.array([0.6, 0.05, 0.1]) - 1)
        assert psnr(drawn(page, key), wanted) > 32
    page.locator(MODE).select_option("colour")
    assert page.evaluate(STATE)["zoom"] == 2  # where the visitor was


@pytest.mark.timeout(600)
def test_a_context_that_is_taken_for_good_is_replaced(page, baked):
    rest(page)
    page.evaluate(f"""() => document.querySelector("{CANVAS}").getContext("webgl2")
        .getExtension("WEBGL_lose_context").loseContext()""")
    page.wait_for_function(f"{STATE}.lost")
    page.wait_for_function(f"!{STATE}.lost")
    seen = drawn(page, "scratch")
    assert psnr(seen, marched(baked["scratch"], page.evaluate(STATE), SIDE).rgb) > 40
    page.locator(CANVAS).press("ArrowRight")  # the new canvas listens as the old one did
    assert page.evaluate(STATE)["azimuthDeg"] == pytest.approx(354)
    page.locator(CANVAS).blur()


def shown_panels(page):
    """Both panels as they stand on the page, without the line between them, in [0, 1]."""
    hidden = ".panels p, .panels::after {display: none !important}"
    style = page.add_style_tag(content=hidden)
    picture = Image.open(io.BytesIO(page.locator(CANVAS).screenshot())).convert("RGB")
    style.evaluate("node => node.remove()")
    pixels = np.asarray(picture) / 255
    side = pixels.shape[0]
    return pixels[:, :side], pixels[:, -side:]


@pytest.mark.timeout(600)
def test_a_drag_turns_both_alike(page, baked):
    box = page.locator(CANVAS).bounding_box()
    x, y = box["x"] + 0.6 * box["width"], box["y"] + 0.5 * box["height"]
    before = page.evaluate(STATE)
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + box["width"] / 8, y + box["width"] / 16, steps=4)
    page.mouse.up()
    after = page.evaluate(STATE)
    # An eighth of two panels is a quarter of one, over which the object follows by 180°.
    assert after["azimuthDeg"] == pytest.approx((before["azimuthDeg"] - 45) % 360, abs=0.5)
    assert after["elevationDeg"] == pytest.approx(before["elevationDeg"] + 22.5, abs=0.5)
    rest(page)
    for seen, (key, field) in zip(shown_panels(page), baked.items(), strict=True):
        turned = marched(field, after, seen.shape[0]).rgb
        assert psnr(seen, turned) > 30, key
        assert psnr(seen, marched(field, before, seen.shape[0]).rgb) < 28, key


def rest(page):
    """Wait until nothing more is drawn."""
    page.wait_for_function(f"""async () => {{
        const before = {STATE}.nFrames;
        await new Promise((done) => setTimeout(done, 600));
        return {STATE}.nFrames === before;
    }}""")


@pytest.mark.timeout(600)
def test_keys_buttons_and_the_wheel(page):
    rest(page)
    page.locator(CANVAS).focus()
    page.keyboard.press("ArrowRight")
    assert page.evaluate(STATE)["azimuthDeg"] == pytest.approx(354)
    page.get_by_role("button", name="Zoom in").click()
    assert page.evaluate(STATE)["zoom"] == pytest.approx(1.25)
    for _ in range(9):
        page.locator(CANVAS).press("+")
    assert page.evaluate(STATE)["zoom"] == 4
    page.get_by_role("button", name="Back to the view of the picture").click()
    assert page.evaluate(STATE)["azimuthDeg"] == 0 and page.evaluate(STATE)["zoom"] == 1
    page.locator(CANVAS).hover()
    page.mouse.wheel(0, 200)
    page.wait_for_function("scrollY > 0")  # the wheel alone is the page's
    assert page.evaluate(STATE)["zoom"] == 1
    page.evaluate("scrollTo(0, 0)")
    page.keyboard.down("Control")
    page.mouse.wheel(0, -30)
    page.keyboard.up("Control")
    page.wait_for_function(f"{STATE}.zoom > 1.2")


@pytest.mark.timeout(600)
def test_it_turns_by_itself_only_in_sight_and_until_it_is_touched(fresh, url):
    fresh.goto(url)
    fresh.wait_for_function(f"{STATE}?.spinning && {STATE}.azimuthDeg > 5")
    fresh.evaluate("scrollTo(0, 1400)")
    fresh.wait_for_function(f"!{STATE}.onScreen")
    rest(fresh)
    fresh.evaluate("scrollTo(0, 0)")
    fresh.wait_for_function(f"{STATE}.onScreen")
    fresh.locator(CANVAS).click()
    assert not fresh.evaluate(STATE)["spinning"]
    rest(fresh)


@pytest.mark.timeout(600)
def test_a_lost_graphics_card_comes_back(page, baked):
    rest(page)
    page.evaluate(f"""() => {{
        const gl = document.querySelector("{CANVAS}").getContext("webgl2");
        window.loss = gl.getExtension("WEBGL_lose_context");
        loss.loseContext();
    }}""")
    page.locator("#object-viewer [data-part=message]", has_text="interrupted").wait_for()
    page.evaluate("loss.restoreContext()")
    page.wait_for_function(f"!{STATE}.lost")
    seen = drawn(page, "foundation")
    assert psnr(seen, marched(baked["foundation"], page.evaluate(STATE), SIDE).rgb) > 40


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("break_it", "words"),
    [
        ("HTMLCanvasElement.prototype.getContext = () => null", "lacks WebGL 2"),
        ("delete window.DecompressionStream", "too old"),
        ("window.fetch = async () => new Response('', {status: 404})", "answered 404"),
        ("window.fetch = async () => new Response('a letter')", "cannot be turned here"),
    ],
)
def test_what_is_amiss_is_said(fresh, url, break_it, words):
    # Gradio fetches by the same function; only the volumes shall fail.
    if "fetch" in break_it:
        break_it = f"""(() => {{ const real = window.fetch; {break_it};
            const broken = window.fetch;
            window.fetch = (url, ...rest) =>
                String(url).endsWith(".volume") ? broken() : real(url, ...rest); }})()"""
    fresh.add_init_script(break_it)
    fresh.goto(url)
    message = fresh.locator("#object-viewer [data-part=message]", has_text=words)
    message.wait_for()
    assert fresh.get_by_role("button", name="Zoom in").is_disabled()


@pytest.mark.timeout(600)
def test_a_slider_goes_over_the_steps_of_a_fine_tuning(fresh, baked, tmp_path):
    from hyperdemo.render.volume import pack_volume

    a, b = (tmp_path / f"{name}.volume" for name in baked)
    for path, field in zip((a, b), baked.values(), strict=True):
        path.write_bytes(pack_volume(field))
    left, right = baked

    def both(first, second):
        return {left: first, right: second}

    way = {0: both(a, b), 5: both(b, a), 10: both(b, b)}
    stages = [{"steps": {0: way[0]}}, {"steps": {k: way[k] for k in (0, 5)}}]
    stages.append({"steps": way, "volumes": both(a, a)})  # finer than its last step

    def shown(fresh):
        """Which of the two fields stands in each panel."""
        state = fresh.evaluate(STATE)
        marches = [marched(field, state, SIDE).rgb for field in baked.values()]
        panels = (drawn(fresh, key) for key in baked)
        return tuple("ab"[int(np.argmax([psnr(p, m) for m in marches]))] for p in panels)

    for url in serve(stages):
        fresh.emulate_media(reduced_motion="reduce")
        fresh.goto(url)
        fresh.wait_for_function(f"{STATE}?.ready")
        slider, more = fresh.get_by_label("Sharpening"), fresh.get_by_role("button", name="Next")
        assert shown(fresh) == ("a", "b") and not slider.is_visible()
        fresh.evaluate(f"{FIND}.setCamera(100, 30)")
        more.click()
        fresh.wait_for_function(f"{STATE}.step === 5")  # it follows what comes
        assert shown(fresh) == ("b", "a") and fresh.evaluate(STATE)["azimuthDeg"] == 100
        slider.press("ArrowLeft")
        fresh.get_by_text("as written").wait_for()
        assert shown(fresh) == ("a", "b")
        more.click()
        fresh.wait_for_function(f"{STATE}.complete")
        assert fresh.evaluate(STATE)["step"] == 0  # and stays where a visitor went back to
        assert shown(fresh) == ("a", "b")
        slider.press("End")
        fresh.get_by_text("after 10 steps").wait_for()
        assert shown(fresh) == ("a", "a")
