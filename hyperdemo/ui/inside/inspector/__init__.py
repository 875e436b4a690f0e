"""Where a visitor sees what a hypernetwork does, and edits what it wrote: all of it in the browser.

A `gr.HTML` whose value names files in Gradio's cache. `network.js` reads and edits networks,
`field.js` runs them by TensorFlow.js (vendored, Apache 2.0), the object viewer's `scene.js` shows
them, `plots.js` draws numbers, `inspector.js` is what the visitor does.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import gradio as gr

from hyperdemo.config import CAMERA_DISTANCE, CAMERA_FOV_DEG
from hyperdemo.render.bake import BLOCK
from hyperdemo.ui.object import viewer
from hyperdemo.ui.style import SHARED_JS

_ASSETS = Path(__file__).parent
_VENDOR = _ASSETS / "vendor"
RUNTIME = {
    "core": _VENDOR / "tf-core.js",
    "webgl": _VENDOR / "tf-backend-webgl.js",
    "wasm": _VENDOR / "tf-backend-wasm.js",
    "simd": _VENDOR / "tfjs-backend-wasm-simd.wasm",
}
"""TensorFlow.js 4.22.0: its core, two backends, and the WebAssembly of one."""


def inspector() -> gr.HTML:
    """The inspector with nothing to show yet."""
    return gr.HTML(
        {}, html_template=asset("inspector.html"), css_template=asset("inspector.css"),
        js_on_load=_script(), apply_default_css=False, elem_id="inspector",
    )  # fmt: skip


def inspector_value(
    files: Mapping[str, Path],
    labels: Mapping[str, str],
    *,
    other: str,
    cached: Callable[[Path], str],
) -> dict[str, Any]:
    """What is to be inspected.

    Args:
        files: of each model, as `hyperdemo.ui.inside.packed` makes them.
        labels: key and shown name of each model, from left to right.
        other: name of the object that can be morphed to, "" for none.
        cached: where in Gradio's cache a file lies, which is then served from there.
    """

    def served(path: Path) -> dict[str, Any]:
        return {"path": cached(path), "meta": {"_type": "gradio.FileData"}}

    return {
        "models": [
            {"key": key, "label": labels.get(key, key), "file": served(path)}
            for key, path in files.items()
        ],
        "other": other,
        "runtime": {name: served(path) for name, path in RUNTIME.items()},
    }


def _script() -> str:
    camera = {"distance": CAMERA_DISTANCE, "fovDeg": CAMERA_FOV_DEG}
    march = viewer.asset("march.frag")
    constants = {"BLOCK": BLOCK, "CAMERA": camera, "MARCH": march}
    lines = [f"const {name} = {json.dumps(value)};" for name, value in constants.items()]
    own = (asset(name) for name in ("network.js", "field.js", "plots.js", "inspector.js"))
    return "\n".join([*lines, SHARED_JS, viewer.asset("scene.js"), *own])


def asset(name: str) -> str:
    """One of the files that the inspector consists of."""
    return (_ASSETS / name).read_text(encoding="utf-8")
