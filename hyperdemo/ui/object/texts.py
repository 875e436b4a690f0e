"""The words of the object tab, and the small tables and HTML that carry numbers."""

from __future__ import annotations

import base64
import html
import math
import re
from collections.abc import Mapping
from typing import Any

from hyperdemo.events import Compared
from hyperdemo.results.markdown import markdown_table
from hyperdemo.ui.texts import seconds_words

LABELS = {"foundation": "Pretrained (DINOv2)", "scratch": "From scratch"}

TITLE = "One photograph in, a network out"

TITLE_OF_BOTH = "A photograph or a sound in, a network out"

INTRODUCTION = (
    "A **hypernetwork** writes the weights of another network: a vision Transformer looks at one "
    "picture and writes a small network that *is* the object in 3D. Two of them compete, alike but "
    "for one thing: the encoder of the first was pretrained on photographs (DINOv2), that of the "
    "second was not."
)

GUESS = (
    "One picture does not show the back: what you see there is a guess, learned from 3,147 models "
    "of furniture, plants, food, vehicles, houses and tools. Expect a blurry sketch, not a scan."
)

FOUND_BY = {
    "alpha": "its transparency",
    "background": "its plain background",
    "saliency": "a network that finds what stands out",
    "segmentation": "colour segmentation",
    "edited": "you, with the brush",
    "smaller": "a network that finds what stands out, with a strict threshold",
    "larger": "a network that finds what stands out, with a lax threshold",
    "colour": "its colours alone",
}

OUTLINE_HELP = (
    "The faded part is cut away. Not right? Choose another outline above, or paint **green** over "
    "what belongs to the object, **red** over what does not (both are in the palette); the eraser "
    "takes a stroke back."
)

OTHER_OUTLINES = {
    None: "Find it again",
    "smaller": "Less of it",
    "larger": "More of it",
    "colour": "By its colours",
    "whole": "The whole picture",
}

SHARPEN = "Sharpen on the picture"

SHARPEN_HELP = (
    "Fine-tunes both networks on your picture for some seconds: no longer written in one pass, but "
    "sharper, and sometimes more wrong where the picture shows nothing."
)

FAR = "Far from what both models practised on."

HOW_FAR = "19 of 20 new objects of the kinds that they know are nearer; expect little."

PHOTOGRAPHS = "Photographs to try"

OBJECTS = "Held-out objects, all sides known"

HINT = (
    '<div class="hint"><p>Choose an example, or bring a picture of one object and press '
    "<b>Generate</b>.</p><p>Two networks appear here, side by side, to be turned.</p></div>"
)

WAITING = "waiting for a free place"

STALE = "What is shown belongs to the outline before. Press Generate for the new one."

FAILED = "that did not work; the message says why"

GONE = (
    "This picture waited so long that the server has deleted it. Nothing is wrong with it: choose "
    "it once more."
)

NETWORKS_HELP = (
    "Each file holds the whole object as the weights of one small network, with a description of "
    "how to evaluate it (safetensors and JSON)."
)

STAGE_WORDS = {
    "encode": "write the weights",
    "compare": "look for the nearest object of training",
    "refine": "fine-tune them on the picture",
    "bake": "bake the field into a grid",
    "views": "render the known views",
    "pack": "pack the grid for the browser",
    "mesh": "extract the surface",
}


def caption(object_name: str | None, *, sharpened: bool = False) -> str:
    """What stands in the view, as Markdown.

    Args:
        object_name: the object, where it is one whose truth is known.
        sharpened: both networks were fine-tuned on the picture.
    """
    written = "written from it, then fine-tuned on it" if sharpened else "written from it"
    if object_name is None:
        return (
            f"One picture of the object: both networks were {written}. Your browser draws them. "
            f"{GUESS}"
        )
    return (
        f"**{object_name}**, one picture of it: both networks were {written}. No training "
        "saw the object; the truth beside them shows its nearest known side."
    )


def status_bar(fraction: float, message: str) -> str:
    """A progress bar with a line of words, as HTML; nothing before the first run."""
    if not message:
        return ""
    percent = round(100 * min(max(fraction, 0.0), 1.0))
    return (
        f'<div class="status"><progress max="100" value="{percent}" '
        f'aria-label="progress"></progress><span>{html.escape(message)}</span></div>'
    )


def waiting_bar(ahead: int, seconds: float | None) -> str:
    """`status_bar` of a run whose turn has not come: how many come first, and about how long."""
    who = f"{ahead} before you" if ahead else "you are next"
    wait = f", about {5 * math.ceil(seconds / 5)} s" if seconds else ""
    return status_bar(0.0, f"{WAITING}: {who}{wait}.")


def stale_bar() -> str:
    """`status_bar` of a result whose outline was changed since."""
    return f'<div class="status stale"><span>{html.escape(STALE)}</span></div>'


def kept_bar(seconds: float, device: str) -> str:
    """`status_bar` of a result that was there before it was asked for."""
    return status_bar(1.0, f"made before, in {seconds:.1f} s on {device}")


def mask_words(source: str, object_name: str | None = None) -> str:
    """What the models see and how the outline was found, as Markdown.

    Args:
        source: as in `Prepared.mask_source`.
        object_name: the object, where it is one whose truth is known.
    """
    words = f"**What the models see**, cut out by {FOUND_BY.get(source, source)}."
    if source == "whole":
        words = "**What the models see**: all of the picture, nothing cut away."
    if object_name:
        return f"{words} {object_name}: no training saw it, and its other sides are known."
    return f"{words} Not right? Correct it under *Outline*."


CLOSE = 0.1
"""Distance below which what a picture is nearest to is worth a line."""


_NO_WORDS = re.compile(r"\b(?:aws|gltf|obj|visual|[a-z]|\d+)\b|(?<=[a-z])\d+\b", re.IGNORECASE)
"""What files are called beside the object's name."""


def _name_of(compared: Compared) -> str:
    """The nearest object in words, with its kind where these do not say it."""
    name = " ".join(_NO_WORDS.sub(" ", compared.name).split())
    kind = "" if compared.kind == "other" else compared.kind
    if not name or kind in name.lower().split():
        return name or kind or compared.name
    return f"{name} ({kind})" if kind else name


def nearest_known(compared: Compared | None) -> str:
    """What of the objects of training the picture is nearest to, as HTML; "" where none is known.

    A picture far from all of them gets a warning, one that is close to one of them a line; between
    them the nearest is too often of another kind to be worth a word.
    """
    if compared is None or not (compared.far or compared.distance < CLOSE):
        return ""
    what = html.escape(_name_of(compared))
    words = f"Nearest among the {compared.n_objects:,} objects of training: {what}."
    if compared.far:
        words = f"<b>{FAR}</b> {HOW_FAR} {words}"
    picture = ""
    if compared.thumbnail:
        data = base64.b64encode(compared.thumbnail).decode()
        picture = (
            f'<img src="data:image/webp;base64,{data}" alt="{what}, an object of training" '
            'width="56" height="56">'
        )
    return f'<div class="known{" far" if compared.far else ""}">{picture}<p>{words}</p></div>'


def timings_table(seconds: Mapping[str, float], n_parameters: Mapping[str, int]) -> str:
    """Seconds per stage and model, as a Markdown table.

    Args:
        seconds: "foundation.encode", …, and "orbit" for all models together.
        n_parameters: weights of each model's generated network; its keys are the columns.
    """
    names = list(n_parameters)
    rows = [["generated weights", *(f"{n_parameters[n]:,}" for n in names)]]
    for stage, words in STAGE_WORDS.items():
        taken = [seconds.get(f"{name}.{stage}") for name in names]
        if any(value is not None for value in taken):
            rows.append([words, *map(seconds_words, taken)])
    if "orbit" in seconds:
        cells = [f"{seconds_words(seconds['orbit'])} together"] + [""] * (len(names) - 1)
        rows.append(["render the orbit", *cells])
    header = ["", *(LABELS.get(name, name) for name in names)]
    return markdown_table(header, rows, align="l" + "r" * len(names))


def scores_table(name: str, scores: Mapping[str, Any]) -> str:
    """PSNR and SSIM of each model against an object's truth, as Markdown.

    Args:
        name: what the object is.
        scores: `psnr_db`, `ssim` and `n_views` of each model.
    """
    n_views = next(iter(scores.values())).n_views
    rows = [
        [LABELS.get(model, model), f"{score.psnr_db:.2f}", f"{score.ssim:.3f}"]
        for model, score in scores.items()
    ]
    table = markdown_table(["", "PSNR (dB) ↑", "SSIM ↑"], rows, align="lrr")
    return f"**{name}**: mean over the {n_views} views that the models were not shown.\n\n{table}"
