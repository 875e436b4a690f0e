"""The app's example clips: `python -m train.sound.examples` writes `examples/sounds/`.

Four prompts that no training heard, one of them by the voice that was held out altogether; a chime,
which is no speech at all; and with `--sounds FOLDER`, the folder that the shipped pair was trained
on, a language, a piece of music and a place that were held out.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from jaxtyping import Float, Int16

from train.sound.data import load_speech
from train.sources.packed import RATE_HZ
from train.sources.sounds import Clip, cut, list_clips

PROMPTS = {
    "english": "en/dir-usingkeypad",
    "italian": "it/privacy-prompt",
    "russian": "ru/privacy-prompt",
    "french_unheard_voice": "fr/auth-incorrect",
}
CHIME_RATE_HZ = 44_100


@dataclass(frozen=True)
class Excerpt:
    """Part of a folder of sounds.

    Attributes:
        source, group: of its clips, as `train.sources.sounds.Clip` has them.
        first_s, seconds: what is taken of the clips, one after another.
        every: which of the clips, the first and every so many.
    """

    source: str
    group: str
    first_s: float
    seconds: float
    every: int = 1

    def read(self, clips: Sequence[Clip]) -> Int16[np.ndarray, " n"]:
        """At 16 kHz; the ends fade over 20 ms.

        Raises:
            ValueError: there is nothing of the kind among the clips.
        """
        mine = [clip for clip in clips if (clip.source, clip.group) == (self.source, self.group)]
        if not mine:
            raise ValueError(f"expected {self.group} of {self.source} in the folder of sounds")
        first, count = (round(RATE_HZ * value) for value in (self.first_s, self.seconds))
        parts, length = [], 0
        for part in cut(mine[:: self.every]):
            parts.append(part)
            length += len(part)
            if length >= first + count:
                break
        samples = np.concatenate(parts)[first : first + count].astype(np.float64)
        ramp = np.linspace(0, 1, RATE_HZ // 50)
        samples[: len(ramp)] *= ramp
        samples[-len(ramp) :] *= ramp[::-1]
        return np.round(samples).astype(np.int16)


EXCERPTS = {
    "mandarin_unheard_language": Excerpt("mandarin", "cmn", 0.0, 5.2, every=170),
    "music": Excerpt("0ad-music", "harvest_moon.ogg", 20.0, 6.0),
    "farmyard": Excerpt("0ad-ambience-effects", "amb_farm_13.ogg", 2.0, 5.0),
}
_NOTES_HZ = (523.25, 659.26, 783.99, 1046.5, 783.99, 659.26, 523.25)  # C major, up and down


def chime() -> Float[np.ndarray, " n"]:
    """Plucked notes a third of a second apart: three decaying harmonics each, at 44.1 kHz."""
    n = round(CHIME_RATE_HZ * 3.6)
    total = np.zeros(n)
    for k, pitch in enumerate(_NOTES_HZ):
        start = round(CHIME_RATE_HZ * k / 3)
        time = np.arange(n - start) / CHIME_RATE_HZ
        rise = np.minimum(time / 0.004, 1)
        for harmonic, level in ((1, 0.12), (2, 0.05), (3, 0.025)):
            wave = np.sin(2 * np.pi * pitch * harmonic * time)
            total[start:] += level * rise * np.exp(-(3 + 2 * harmonic) * time) * wave
    return total


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m train.sound.examples", description=__doc__)
    parser.add_argument("--speech", default="data/speech")
    parser.add_argument("--out", type=Path, default=Path("examples/sounds"))
    parser.add_argument("--sounds", type=Path, help="folder of other sounds, with their table")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    sounds = load_speech(args.speech, list(PROMPTS.values()))
    for index, name in enumerate(PROMPTS):
        path = args.out / f"{name}.flac"
        soundfile.write(path, sounds.sound(index).numpy(), sounds.rate_hz, subtype="PCM_16")
        print(path)
    path = args.out / "chime.flac"
    soundfile.write(path, chime(), CHIME_RATE_HZ, subtype="PCM_16")
    print(path)
    clips = list_clips(args.sounds) if args.sounds else []
    for name, excerpt in EXCERPTS.items() if clips else ():
        path = args.out / f"{name}.flac"
        soundfile.write(path, excerpt.read(clips), RATE_HZ, subtype="PCM_16")
        print(path)


if __name__ == "__main__":
    main()
