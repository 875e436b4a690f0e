"""The words on the page, and the small pieces of HTML that carry numbers."""

from __future__ import annotations

import html
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hyperdemo.results.recorded import FILE_NAME, read_recorded

LABELS = {"foundation": "Pretrained (DINOv2)", "scratch": "From scratch"}

TITLE = "One photograph in, a network out"

TITLE_OF_BOTH = "A photograph or a sound in, a network out"

INTRODUCTION = (
    "A **hypernetwork** is a network that writes the weights of another network. Here a vision "
    "Transformer looks at one picture and writes, in one pass, a small network that *is* the "
    "object in 3D. Two of them compete: same shape, same practice, but one began with what "
    "DINOv2 had learnt from millions of photographs, the other with random numbers."
)

GUESS = (
    "One picture does not show the back: what you see there is a guess, made from the furniture, "
    "household things and vehicles that both practised on. Expect a soft sketch, not a scan."
)

FOUND_BY = {
    "alpha": "its own transparency",
    "background": "its plain background",
    "segmentation": "its colours, middle against border",
    "edited": "you, with the brush",
}

OUTLINE_HELP = (
    "The faded part is cut away. Paint **green** over what belongs to the object, **red** over "
    "what does not (both are in the palette); the eraser takes a stroke back."
)

SHARPEN = "Sharpen on the picture"

SHARPEN_HELP = (
    "Some seconds of gradient descent on your picture before the turn, for both networks alike: no "
    "longer written in one pass, but clearer, and at times wrong with more conviction."
)

PHOTOGRAPHS = "Photographs to try"

OBJECTS = "Objects kept out of training, all sides known"

HINT = (
    '<div class="hint"><p>Choose a picture of one object, or an example.</p>'
    "<p>Then press <b>Generate</b>: two networks appear here, turning side by side.</p></div>"
)

GONE = (
    "This picture waited so long that the server has deleted it. Nothing is wrong with it: choose "
    "it once more."
)

TURN_TITLE = "Turn it yourself"

TURN_HELP = (
    "Both fields as they were written, not surfaces drawn round them: your own graphics card adds "
    "up their haze along every line of sight. Nothing of it goes back to the server."
)

NETWORKS_HELP = (
    "Each file holds the whole object as the weights of one small network, with a description of "
    "how to evaluate it: safetensors and JSON, readable without this program."
)

STAGE_WORDS = {
    "encode": "write the weights",
    "refine": "fit them on to the picture",
    "bake": "evaluate the network in space",
    "views": "render the known views",
    "pack": "pack the field to be turned",
    "mesh": "extract the surface",
}


def status_bar(fraction: float, message: str) -> str:
    """A progress bar with a line of words, as HTML; nothing before the first run."""
    if not message:
        return ""
    percent = round(100 * min(max(fraction, 0.0), 1.0))
    return (
        f'<div class="status"><progress max="100" value="{percent}" '
        f'aria-label="progress"></progress><span>{html.escape(message)}</span></div>'
    )


def mask_words(source: str, object_name: str | None = None) -> str:
    """What the models see and how the outline was found, as Markdown.

    Args:
        source: as in `Prepared.mask_source`.
        object_name: the object, where it is one whose truth is known.
    """
    words = f"**What the models see**, cut out by {FOUND_BY.get(source, source)}."
    if object_name:
        return f"{words} {object_name}: no training saw it, and its other sides are known."
    return f"{words} Not right? Correct it under *Outline*."


def results_sentence(results: Mapping[str, Any] | None) -> str:
    """What pretraining buys on objects that no training saw, as measured; "" if unknown.

    Args:
        results: content of `weights/results.json`.
    """
    try:
        test = results["view"]["splits"]["test"]
        scores = {name: float(test[name]["psnr"]) for name in LABELS}
        n_objects = int(test["foundation"]["objects"])
        spread = max(float(test[name].get("psnr_stderr", 0.0)) for name in LABELS)
        plain = float(test["mean"]["psnr"]) if "mean" in test else None
    except (KeyError, TypeError, ValueError):
        return ""
    gain = scores["foundation"] - scores["scratch"]
    beside = f", and one mean picture for everything {plain:.1f} dB" if plain is not None else ""
    if abs(gain) <= 2 * spread:
        verdict = "no clear difference"
    elif gain > 0:
        verdict = f"pretraining is worth {gain:.1f} dB"
    else:
        verdict = f"starting from scratch is {-gain:.1f} dB better"
    return (
        f"Measured on {n_objects} objects that no training saw, from sides not shown: pretrained "
        f"{scores['foundation']:.1f} dB PSNR, from scratch {scores['scratch']:.1f} dB{beside} "
        f"(higher is better): **{verdict}**."
    )


def read_results(weights: str | Path) -> Mapping[str, Any] | None:
    """`results.json` beside the weights, or None where it is missing or unreadable."""
    try:
        return read_recorded(Path(weights) / FILE_NAME)
    except (OSError, ValueError):
        return None


def timings_table(seconds: Mapping[str, float], n_parameters: Mapping[str, int]) -> str:
    """Seconds a stage took for each model, as a Markdown table.

    Args:
        seconds: "foundation.encode", …, and "orbit" for all models together.
        n_parameters: numbers in each model's generated network; its keys are the columns.
    """
    names = list(n_parameters)
    lines = [
        "| | " + " | ".join(LABELS.get(name, name) for name in names) + " |",
        "|---" + "|--:" * len(names) + "|",
        "| numbers written | " + " | ".join(f"{n_parameters[n]:,}" for n in names) + " |",
    ]
    for stage, words in STAGE_WORDS.items():
        taken = [seconds.get(f"{name}.{stage}") for name in names]
        if any(value is not None for value in taken):
            cells = ["–" if value is None else f"{value:.2f} s" for value in taken]
            lines.append(f"| {words} | " + " | ".join(cells) + " |")
    if "orbit" in seconds:
        cells = [f"{seconds['orbit']:.2f} s together"] + [""] * (len(names) - 1)
        lines.append("| render the turn | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def scores_table(name: str, scores: Mapping[str, Any]) -> str:
    """PSNR and SSIM of each model against an object's truth, as Markdown.

    Args:
        name: what the object is.
        scores: `psnr_db`, `ssim` and `n_views` of each model.
    """
    n_views = next(iter(scores.values())).n_views
    lines = [
        f"**{name}**: mean over the {n_views} views that the models were not shown.",
        "",
        "| | PSNR (dB) ↑ | SSIM ↑ |",
        "|---|--:|--:|",
    ]
    for model, score in scores.items():
        label = LABELS.get(model, model)
        lines.append(f"| {label} | {score.psnr_db:.2f} | {score.ssim:.3f} |")
    return "\n".join(lines)
