"""Pages as a test opens them, how they are to be read, and what the viewer's panels show."""

from __future__ import annotations

import base64
import math
from collections.abc import Iterator
from importlib import resources
from typing import TYPE_CHECKING

import gradio as gr
import numpy as np
from PIL import Image

from tests.conftest import PATIENCE_S

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page

PHONE = (390, 844)
AXE = (resources.files("axe_playwright_python") / "axe.min.js").read_text()
VIOLATIONS = """(root) => axe.run(root, { resultTypes: ["violations"] }).then(({ violations }) =>
    violations.filter(({ impact }) => ["serious", "critical"].includes(impact))
        .map(({ id, nodes }) => [id, nodes.map(({ html }) => html)]))"""

LABELS = {"foundation": "Left", "scratch": "Right"}
SIDE = 160
FIND = "document.querySelector('#object-viewer [data-part=viewer]')?.viewer"
STATE = f"({FIND})?.state"
SMALLEST = """(root) => Math.min(...[...document.querySelectorAll(`${root} *`)]
    .filter((node) => node.offsetParent && [...node.childNodes].some(
        (own) => own.nodeType === Node.TEXT_NODE && own.textContent.trim()))
    .map((node) => parseFloat(getComputedStyle(node).fontSize)))"""
"""Script: the size in pixels of the smallest words that are seen in what a selector names."""
PIXELS = f"([key, side]) => btoa(String.fromCharCode(...{FIND}.readPixels(key, side)))"


def new_page(context: BrowserContext, size: tuple[int, int], *, still: bool = False) -> Page:
    """A page before it is opened, which closes where its `with` ends.

    Args:
        context: whose pages share what they have fetched.
        size: of the window in pixels, width first.
        still: whether its visitor wants no motion.
    """
    page = context.new_page()
    page.set_viewport_size({"width": size[0], "height": size[1]})
    page.emulate_media(reduced_motion="reduce" if still else "no-preference")
    page.set_default_timeout(PATIENCE_S * 1000)
    return page


def requests_elsewhere(page: Page, url: str) -> list[str]:
    """What a page requests of other servers from now on; the list grows with it."""
    found = []

    def watch(request):
        if request.url.startswith("http") and not request.url.startswith(url):
            found.append(request.url)

    page.on("request", watch)
    return found


def photo_of_a_box(folder):
    pixels = np.full((240, 320, 3), 235, np.uint8)
    pixels[70:180, 90:230] = (200, 60, 40)  # red, before a plain wall
    photo = folder / "box.jpg"
    Image.fromarray(pixels).save(photo, quality=92)
    return photo


def check_access(page: Page, root: str) -> None:
    """Nothing within an element keeps anybody from using it."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE)
    assert page.evaluate(VIOLATIONS, root) == []


def serve(stages) -> Iterator[str]:
    """A page with the viewer alone, which is given its first value once it stands there, and each
    further one at a press of "Next".

    Args:
        stages: arguments of `viewer_value`, for one value after the other.
    """
    from hyperdemo.ui.object.viewer import object_viewer, viewer_value

    with gr.Blocks(analytics_enabled=False) as demo:
        viewer, given = object_viewer(LABELS), gr.State(0)

        def fill(at):
            cached = viewer.move_resource_to_block_cache
            stage = {"volumes": {}} | stages[at]
            return viewer_value(stage.pop("volumes"), LABELS, cached=cached, **stage), at + 1

        demo.load(fill, given, [viewer, given])
        gr.Button("Next").click(fill, given, [viewer, given])
        gr.HTML("<div style='height: 1500px'></div>")
    try:
        yield demo.launch(prevent_thread_lock=True, quiet=True, ssr_mode=False)[1]
    finally:
        demo.close()


def marched(baked, state, size):
    from hyperdemo.config import CAMERA_FOV_DEG
    from hyperdemo.render.cameras import look_at_origin
    from hyperdemo.render.march import march

    pose = look_at_origin(float(state["azimuthDeg"]), float(state["elevationDeg"]))
    fov_deg = 2 * math.degrees(
        math.atan(math.tan(math.radians(CAMERA_FOV_DEG) / 2) / state["zoom"])
    )
    n_steps = baked.resolution
    return march(baked, pose, fov_deg=fov_deg, size=size, n_steps=n_steps, supersample=1)


def drawn(page, key):
    """A panel's picture, rendered apart from the page's layout, in [0, 1]."""
    data = base64.b64decode(page.evaluate(PIXELS, [key, SIDE]))
    return np.frombuffer(data, np.uint8).reshape(SIDE, SIDE, 4)[..., :3] / 255


def psnr(a, b):
    return -10 * math.log10(max(1e-10, np.mean((a - b) ** 2)))
