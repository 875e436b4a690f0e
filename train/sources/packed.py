"""Packed sounds: `<name>.npy`, all clips of a language or a source one after another, and
`<name>.json`, where each begins and what it says."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

RATE_HZ = 16_000
MIN_SECONDS = 0.5
# Recorded silence lies at -80 dB of full scale, the quietest speech at -26 dB.
SILENCE_RMS = 10 ** (-60 / 20)


@dataclass(frozen=True)
class Prompt:
    """One recording: an id such as `en/digits/1`, where it lies, in samples, and what it says."""

    id: str
    start: int
    length: int
    text: str


def read_index(speech_dir: str | Path, language: str) -> dict:
    """What is known of one packed language, or of a source of `train.sources.sounds`.

    Raises:
        ValueError: it has not been packed.
    """
    path = Path(speech_dir) / f"{language}.json"
    if not path.is_file():
        raise ValueError(
            f"no speech of {language!r} in {speech_dir}; run python -m train.sources.speech, or "
            "train.sources.sounds for sounds of your own"
        )
    return json.loads(path.read_text())


def read_prompts(speech_dir: str | Path, language: str) -> list[Prompt]:
    """The prompts of one packed language, or the clips of a source.

    Raises:
        ValueError: it has not been packed.
    """
    return [Prompt(**prompt) for prompt in read_index(speech_dir, language)["prompts"]]
