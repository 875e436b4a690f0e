"""A tour of the page: a few steps, each of which brings the page to what it speaks of. And the
page's address, to hand on: `?tab=…&example=…&az=…&el=…` opens the same, and
`?step=…` a step of the tour.

A `gr.HTML` whose value are the steps; `tour.js` knows what each of their actions does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import gradio as gr

from hyperdemo.ui.style import SHARED_JS

_ASSETS = Path(__file__).parent


@dataclass(frozen=True)
class Step:
    """One idea.

    Attributes:
        title: of it.
        text: three sentences at most.
        tab: that is opened, by its name.
        target: selector of what is framed.
        act: what is done there, one of those in `tour.js`; "" for nothing.
    """

    title: str
    text: str
    tab: str
    target: str
    act: str = ""


STEPS = (
    Step(
        "A network that writes a network",
        "Most networks answer with a label or a picture. A hypernetwork answers with the weights "
        "of another network. What turns here are two such answers to one picture.",
        "Object", "#object-viewer", "front",
    ),
    Step(
        "What goes in",
        "One picture, from one side. The object is cut out, centred and scaled down to 98 × 98 "
        "pixels: that is all that the models see.",
        "Object", "#seen",
    ),
    Step(
        "What nobody has seen",
        "Now the camera stands behind the object. No pixel of the picture shows this side, so both "
        "models must guess it from the objects that they were trained on.",
        "Object", "#object-viewer", "back",
    ),
    Step(
        "Patches and tokens",
        "Inside, the picture is 49 patches. Weight tokens, 36 of them, are put beside the patches, "
        "and the Transformer lets each look at all others. Bright is where the chosen one looks.",
        "Look inside", "#inspector section:nth-of-type(1)", "attend",
    ),
    Step(
        "A token writes a mask",
        "What a weight token has gathered becomes one column of a mask, which gates a group of "
        "columns of a layer. Token 3 of layer 2 is chosen: the frame shows what it writes.",
        "Look inside", "#inspector section:nth-of-type(3)", "token",
    ),
    Step(
        "Break a layer",
        "The network that came out runs in your browser, so you may change it. Here the mask of "
        "layer 2 is scrambled: the same numbers in another order. The object is gone, since it was "
        "nowhere but in them.",
        "Look inside", "#inspector section:nth-of-type(4)", "scramble",
    ),
    Step(
        "How many bits does an object take?",
        "Put back, and every mask rounded to 8 levels, which are 3 bits. What is lost is told in "
        "decibels: above 30 you hardly see it, below 20 you do.",
        "Look inside", "#inspector section:nth-of-type(4)", "quantise",
    ),
    Step(
        "Watch two of them learn",
        "Here two hypernetworks learn from nothing, in about a minute: one has an encoder that has "
        "seen millions of pictures, the other a random one. Vote which will be ahead, press Start, "
        "and do it again with another seed.",
        "Race", "#race-page",
    ),
    Step(
        "Sound is the same",
        "A waveform is a function of time as an object is one of space. Here one small network is "
        "written for every 30 milliseconds of a clip.",
        "Sound", "#sound-player",
    ),
    Step(
        "What did pretraining buy?",
        "Both models have the same architecture and training; one encoder began with weights "
        "learned on millions of pictures or hours of speech. Look for the difference, and for its "
        "error bar.",
        "Evidence", "#evidence-page",
    ),
)  # fmt: skip


def tour(tabs: Mapping[str, str]) -> gr.HTML:
    """The buttons that begin the tour and copy the page's address, and the tour.

    Args:
        tabs: id and name of those that the page has; steps elsewhere are left out.
    """
    steps = [asdict(step) for step in STEPS if step.tab in tabs.values()]
    read = {kind: (_ASSETS / f"tour.{kind}").read_text("utf-8") for kind in ("html", "css", "js")}
    return gr.HTML(
        {"steps": steps, "tabs": dict(tabs)}, html_template=read["html"], css_template=read["css"],
        js_on_load=f"{SHARED_JS}\n{read['js']}", apply_default_css=False, elem_id="tour",
    )  # fmt: skip
