"""A recorded training, to go back and forth in.

A `gr.HTML` whose value is empty until its tab is opened: it then holds all pictures, half a
megabyte that no other visitor needs. `recorded.js` draws from them.
"""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import gradio as gr

from hyperdemo.results.learning import TRUTH, VIEWS, Recorded
from hyperdemo.ui.evidence.canvas import PRETRAINED, SCRATCH
from hyperdemo.ui.object.texts import LABELS
from hyperdemo.ui.style import SHARED_JS

COLOURS = {"foundation": PRETRAINED, "scratch": SCRATCH}
_ASSETS = Path(__file__).parent


def recorded_value(recorded: Recorded) -> dict[str, Any]:
    """All that `recorded.js` shows."""
    return {
        "steps": recorded.steps,
        "objects": recorded.objects,
        "trainObjects": recorded.train_objects,
        "views": VIEWS,
        "truth": _address(recorded.picture(TRUTH)),
        "arms": [
            {
                "key": key,
                "label": LABELS[key],
                "colour": COLOURS[key],
                "psnr": [sum(row) / len(row) for row in arm.psnr],
                "validation": arm.validation,
                "pictures": _address(recorded.picture(key)),
            }
            for key, arm in recorded.arms.items()
        ],
    }


def recorded_learning(recorded: Recorded, tab: gr.Tab) -> gr.HTML:
    """The recording on the tab that is open, which brings it when a visitor opens that."""
    shown = gr.HTML(
        {}, html_template=asset("recorded.html"), css_template=asset("recorded.css"),
        js_on_load="\n".join([SHARED_JS, asset("recorded.js")]), apply_default_css=False,
        elem_id="recorded",
    )  # fmt: skip
    value = recorded_value(recorded)
    tab.select(
        lambda: value, None, shown, api_visibility="private", queue=False, show_progress="hidden"
    )
    return shown


def asset(name: str) -> str:
    """One of the files that the recording is shown with."""
    return (_ASSETS / name).read_text(encoding="utf-8")


def _address(picture: Path) -> str:
    return f"data:image/webp;base64,{base64.b64encode(picture.read_bytes()).decode()}"
