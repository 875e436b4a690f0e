"""The view that a visitor turns: both models' fields side by side, marched in the browser.

A `gr.HTML` whose value names the volume files in Gradio's cache. One camera looks at both, and no
turn of it goes back to the server: `scene.js` holds the volumes and `march.frag` marches through
them by WebGL 2, `loading.js` fetches them, `truth.js` shows the object itself where it is known,
`pace.js` keeps the motion smooth, `viewer.js` is what the visitor does.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import gradio as gr

from hyperdemo.config import CAMERA_DISTANCE, CAMERA_FOV_DEG
from hyperdemo.render.bake import BLOCK
from hyperdemo.render.cameras import PosedViews, angles_deg
from hyperdemo.ui.style import SHARED_JS

_ASSETS = Path(__file__).parent
_PARTS = ("scene.js", "truth.js", "pace.js", "loading.js", "viewer.js")


def object_viewer(labels: Mapping[str, str]) -> gr.HTML:
    """The viewer with nothing to show yet.

    Args:
        labels: key and shown name of each model, from left to right.
    """
    return gr.HTML(
        viewer_value({}, labels, cached=str), html_template=asset("viewer.html"),
        css_template=asset("viewer.css"), js_on_load=_script(), apply_default_css=False,
        elem_id="object-viewer",
    )  # fmt: skip


@dataclass(frozen=True)
class Truth:
    """What an object looks like from some sides.

    Attributes:
        strip: picture file of square views in a row.
        views: the pose of each.
    """

    strip: Path
    views: PosedViews


def viewer_value(
    volumes: Mapping[str, Path],
    labels: Mapping[str, str],
    *,
    cached: Callable[[Path], str],
    steps: Mapping[int, Mapping[str, Path]] = MappingProxyType({}),
    truth: Truth | None = None,
    video: Path | None = None,
    example: str = "",
) -> dict[str, Any]:
    """What stands in each panel.

    Args:
        volumes: each model's file as `render.volume` packs it; a panel without one is empty.
        labels: as for `object_viewer`.
        cached: where in Gradio's cache a file lies, which is then served from there.
        steps: the same on the way of a fine-tuning, by step.
        truth: stands beside the models, where it is known.
        video: of both models, for a browser that cannot draw them.
        example: what an address calls the object, if it is one of the examples.
    """

    # Gradio adds the address to whatever is marked as a file.
    def served(path: Path) -> dict[str, Any]:
        return {"path": cached(path), "meta": {"_type": "gradio.FileData"}}

    panels = [
        {"key": key, "label": label, "file": served(volumes[key]) if key in volumes else None}
        for key, label in labels.items()
    ]
    on_the_way = [
        {"step": step, "files": {key: served(path) for key, path in files.items()}}
        for step, files in steps.items()
    ]
    known = None
    if truth is not None:
        known = {"file": served(truth.strip), "angles": angles_deg(truth.views.poses).tolist()}
    return {
        "panels": panels,
        "steps": on_the_way,
        "truth": known,
        "video": video and served(video),
        "example": example,
    }


def _script() -> str:
    camera = {"distance": CAMERA_DISTANCE, "fovDeg": CAMERA_FOV_DEG}
    constants = {"BLOCK": BLOCK, "CAMERA": camera, "MARCH": asset("march.frag")}
    lines = [f"const {name} = {json.dumps(value)};" for name, value in constants.items()]
    parts = (asset(name) for name in _PARTS)
    return "\n".join([*lines, SHARED_JS, *parts])


def asset(name: str) -> str:
    """One of the files that the viewer consists of."""
    return (_ASSETS / name).read_text(encoding="utf-8")
