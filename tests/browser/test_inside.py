"""Networks opened in a browser: what it composes, runs and edits, against this side's."""

import base64
from dataclasses import replace

import gradio as gr
import numpy as np
import pytest
import torch

from tests import tiny
from tests.browser.viewing import new_page

LABELS = {"foundation": "Left", "scratch": "Right"}
FIND = "document.querySelector('#inspector [data-part=inspector]')?.inspector"
STATE = f"{FIND}?.state"
DONE = f"{STATE}?.backend && !{STATE}.working && {STATE}.version > 0"
CANVAS = "document.querySelector('#inspector [data-part=canvas]')"
COUNT_TEXTURES = f"""() => {{
    const gl = {CANVAS}.getContext("webgl2");
    window.textures = {{ made: 0, deleted: 0 }};
    for (const [name, count] of [["createTexture", "made"], ["deleteTexture", "deleted"]])
        gl[name] = (...wanted) => {{
            textures[count]++;
            return WebGL2RenderingContext.prototype[name].apply(gl, wanted);
        }};
}}"""


@pytest.fixture(scope="module")
def insides():
    """Two tiny models, a picture, what they write for it and for another."""
    from hyperdemo.inside import look_inside

    found = {}
    for seed, name in enumerate(LABELS):
        model = tiny.model(seed).requires_grad_(False)
        framed = torch.rand(1, 3, 28, 28, generator=torch.Generator().manual_seed(7))
        with torch.no_grad():
            other = model.write(1 - framed)
        found[name] = (model, look_inside(model, framed), other)
    return found


@pytest.fixture(scope="module")
def page(context, insides, tmp_path_factory):
    """The inspector alone, once its networks have run."""
    from hyperdemo.ui.inside.inspector import inspector, inspector_value
    from hyperdemo.ui.inside.packed import pack_inside

    folder, files = tmp_path_factory.mktemp("inside"), {}
    for name, (model, inside, other) in insides.items():
        files[name] = folder / f"{name}.inside"
        framed = np.zeros((28, 28, 3), np.uint8)
        files[name].write_bytes(pack_inside(model.config, framed, inside, other=other))
    with gr.Blocks(analytics_enabled=False) as demo:
        shown = inspector()

        def fill():
            cached = shown.move_resource_to_block_cache
            return inspector_value(files, LABELS, other="ball", cached=cached)

        demo.load(fill, None, shown)
    url = demo.launch(prevent_thread_lock=True, quiet=True, ssr_mode=False)[1]
    elsewhere = []
    with new_page(context, (900, 700)) as page:
        page.on("request", lambda r: elsewhere.append(r.url) if url not in f"{r.url}/" else None)
        page.goto(url)
        page.wait_for_function(DONE)
        yield page
        assert not [address for address in elsewhere if address.startswith("http")]
    demo.close()


@pytest.fixture(autouse=True)
def as_written(page):
    yield
    press(page, "reset")


def press(page, name):
    """Press a button of the inspector, and wait for what it does."""
    if page.locator(f"[data-part={name}]").is_enabled():
        act(page, lambda: page.locator(f"[data-part={name}]").click())


def act(page, action):
    before = page.evaluate(STATE)["version"]
    action()
    page.wait_for_function(f"{STATE}.version > {before} && !{STATE}.working")


def slide(page, name, value):
    script = """([name, value]) => {
        const slider = document.querySelector(`[data-part=${name}]`);
        slider.value = value;
        slider.dispatchEvent(new Event(slider.tagName === "SELECT" ? "change" : "input"));
    }"""
    page.evaluate(script, [name, value])


def weights(page, name):
    found = page.evaluate(
        f"(name) => {FIND}.weights(name).map(({{w, bias}}) => [Array.from(w), Array.from(bias)])",
        name,
    )
    return [(np.array(w), np.array(bias)) for w, bias in found]


def assert_same(found, params, *, atol=1e-6):
    for (w, bias), ours, our_bias in zip(found, params.weights, params.biases, strict=True):
        np.testing.assert_allclose(w, ours[0].flatten(), atol=atol)
        np.testing.assert_allclose(bias, our_bias[0], atol=atol)


def array(page, expression, dtype):
    """A typed array of the page, by way of its bytes."""
    script = f"""() => {{
        const bytes = new Uint8Array(({expression}).buffer);
        let text = "";
        for (let k = 0; k < bytes.length; k += 4096)
            text += String.fromCharCode(...bytes.subarray(k, k + 4096));
        return btoa(text);
    }}"""
    return np.frombuffer(base64.b64decode(page.evaluate(script)), dtype)


def test_the_page_composes_what_the_model_writes(page, insides):
    for name, (_, inside, _) in insides.items():
        assert_same(weights(page, name), inside.written.params())
        shown = page.evaluate(f"(name) => Array.from({FIND}.attention(name, 2, 1, -1))", name)
        np.testing.assert_allclose(shown, inside.attention[1, :, 2].mean(0), atol=1e-5)
        rolled = page.evaluate(f"(name) => Array.from({FIND}.attention(name, 2, -1, 0))", name)
        np.testing.assert_allclose(rolled, inside.rollout[2], atol=1e-6)


def test_the_grid_agrees_with_the_server_s_field(page, insides):
    from hyperdemo.inr import as_field
    from hyperdemo.render.bake import bake

    for name, (model, inside, _) in insides.items():
        side = page.evaluate(STATE)["side"]
        volume = f"{FIND}.volume('{name}')"
        density = array(page, f"{volume}.density", np.float32).reshape((side,) * 3)
        colour = array(page, f"{volume}.colour", np.uint8).reshape((side,) * 3 + (4,))
        field = as_field(model.config.field, inside.written.params())
        axis = torch.linspace(-1, 1, side)
        z, y, x = torch.meshgrid(axis, axis, axis, indexing="ij")
        points = torch.stack([x, y, z], -1).reshape(-1, 3)
        known, rgb = (t.numpy() for t in field(points))
        within = (points.norm(dim=1) <= 1).numpy()
        step = 2 / (side - 1)
        opacity = [1 - np.exp(-step * d)[within] for d in (density.ravel(), known)]
        colours = [colour.reshape(-1, 4)[within, :3] / 255, rgb[within]]
        for ours, theirs in (opacity, colours):
            assert -10 * np.log10(np.square(ours - theirs).mean()) > 40
        # What may be skipped is what the server skips too, at the same resolution.
        skip = array(page, f"{volume}.skip", np.uint8).reshape((side // 4,) * 3)
        baked = bake(field, resolution=side)
        assert np.all(skip.transpose(2, 1, 0) <= baked.skip)


def test_masks_are_quantised_morphed_and_scrambled(page, insides):
    _, inside, other = insides["foundation"]

    def rounded(mask, bits):
        step = (mask.max() - mask.min()) / (2**bits - 1)
        return mask.min() + step * torch.round((mask - mask.min()) / step)

    act(page, lambda: slide(page, "bits", "4"))
    masks = tuple(rounded(mask, 4) for mask in inside.written.masks)
    assert_same(weights(page, "foundation"), replace(inside.written, masks=masks).params())
    act(page, lambda: slide(page, "morph", "30"))
    pairs = zip(masks, inside.written.masks, other.masks, strict=True)
    masks = tuple(m + 0.3 * (o - m) for m, _, o in pairs)
    assert_same(
        weights(page, "foundation"), replace(inside.written, masks=masks).params(), atol=1e-5
    )
    press(page, "reset")
    page.locator("[data-part=where]").select_option("1")
    press(page, "scramble")
    found = weights(page, "foundation")
    written = inside.written.params()
    assert np.abs(found[1][0] - written.weights[1][0].flatten().numpy()).max() > 0.05
    np.testing.assert_allclose(np.linalg.norm(found[1][0].reshape(16, 16), axis=0), 1, atol=1e-5)


def test_every_edit_has_an_inverse(page, insides):
    edits = [("token", "zero"), ("0", "double"), ("2", "half"), ("1", "scramble"), ("0", "swap")]
    for where, button in edits:
        page.locator("[data-part=where]").select_option(where)
        press(page, button)
    assert len(page.evaluate(STATE)["edits"]) == len(edits)
    rival = insides["scratch"][1].written.params()
    np.testing.assert_allclose(
        weights(page, "foundation")[0][0], rival.weights[0][0].flatten(), atol=1e-6
    )
    for _ in edits:
        press(page, "undo")
    for name, (_, inside, _) in insides.items():
        assert_same(weights(page, name), inside.written.params())
    press(page, "double")
    press(page, "half")
    assert_same(weights(page, "foundation"), insides["foundation"][1].written.params())
    press(page, "mute")
    w = weights(page, "foundation")[0][0].reshape(-1, 16)
    assert not w[3::4].any() and w[4::4].all() and w[:3].all()


def test_a_slider_that_moves_is_followed_to_its_end(page, insides):
    """Edits that come while one is drawn: the last of them is what is shown."""
    _, inside, other = insides["foundation"]
    for _ in range(3):
        act(page, lambda: [slide(page, "morph", str(share)) for share in (10, 60, 25)])
        masks = tuple(
            m + 0.25 * (o - m) for m, o in zip(inside.written.masks, other.masks, strict=True)
        )
        assert_same(
            weights(page, "foundation"), replace(inside.written, masks=masks).params(), atol=1e-5
        )
        assert page.evaluate(STATE)["edits"] == [{"kind": "morph", "layer": -1, "share": 0.25}]
        act(page, lambda: [slide(page, "morph", str(share)) for share in (40, 0)])
        for name, (_, written, _) in insides.items():
            assert_same(weights(page, name), written.written.params())
    page.wait_for_function(
        "[...document.querySelectorAll('[data-part=effects] span')]"
        ".every((span) => span.textContent === 'as written')"
    )


def test_many_edits_keep_no_memory(page):
    page.locator("[data-part=where]").select_option("1")
    press(page, "double")
    before = page.evaluate("tf.memory().numTensors")
    page.evaluate(COUNT_TEXTURES)
    for _ in range(12):
        press(page, "half")
        press(page, "double")
    assert page.evaluate("tf.memory().numTensors") == before
    assert page.evaluate("textures.made > 0 && textures.made === textures.deleted")


@pytest.mark.parametrize("given_back", [True, False])
def test_lost_graphics_come_back(page, given_back):
    """Those that a browser gives back, and those for which there is a new canvas."""
    press(page, "scramble")
    effects = page.locator("#inspector [data-part=effects]")
    seen = effects.locator("span", has_text="dB").first
    seen.wait_for()
    message = page.locator("#inspector [data-part=message]")
    told = message.evaluate(f"""async (message) => {{
        window.loss = {CANVAS}.getContext("webgl2").getExtension("WEBGL_lose_context");
        const gone = new Promise((done) => {CANVAS}.addEventListener("webglcontextlost", done));
        loss.loseContext();
        await gone;
        return message.textContent;
    }}""")
    assert "interrupted" in told
    if given_back:
        page.evaluate("loss.restoreContext()")
    page.wait_for_function(f"!{STATE}.lost && !{STATE}.working")
    assert message.inner_text() == "" and page.evaluate(STATE)["failure"] == ""
    press(page, "reset")
    effects.locator("span", has_text="as written").first.wait_for()
    press(page, "scramble")  # and no black picture is compared with another
    seen.wait_for()
    before = page.evaluate(STATE)["camera"]["azimuthDeg"]
    page.locator("#inspector [data-part=canvas]").press("ArrowRight")
    assert page.evaluate(STATE)["camera"]["azimuthDeg"] != before
    page.locator("#inspector [data-part=canvas]").press("ArrowLeft")


def test_a_place_is_asked(page, insides):
    from hyperdemo.inr import as_field

    model, inside, _ = insides["foundation"]
    canvas = page.locator("#inspector [data-part=canvas]")
    asked, drawn = page.locator("[data-part=asked]"), page.locator("[data-part=rays] canvas")
    box = canvas.bounding_box()
    place = {"x": box["width"] / 4, "y": box["height"] / 3}
    canvas.click(button="right", position=place)
    assert not asked.is_visible()
    canvas.press("Enter")  # the middle, without a pointer
    asked.wait_for()
    assert drawn.count() == 4
    drawn.first.evaluate("(canvas) => { canvas.id = 'before'; }")
    canvas.click(position=place)
    page.locator("#before").wait_for(state="detached")
    assert drawn.count() == 4
    point = [0.1, -0.2, 0.3]
    script = f"""(point) => {{
        const {{density, colour, hidden}} = {FIND}.at("foundation", point);
        return [density, ...colour, hidden.length];
    }}"""
    density, *colour, n_hidden = page.evaluate(script, point)
    known, rgb = as_field(model.config.field, inside.written.params())(torch.tensor([point]))
    np.testing.assert_allclose([density, *colour], [known[0], *rgb[0]], rtol=1e-4)
    assert n_hidden == 2
