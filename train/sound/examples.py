"""The app's example clips: `python -m train.sound.examples` writes `examples/sounds/`.

Four prompts that no training heard, one of them by the voice that was held out altogether, and a
chime, which is no speech at all.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import soundfile
from jaxtyping import Float

from train.sound.data import load_speech

PROMPTS = {
    "english": "en/dir-usingkeypad",
    "italian": "it/privacy-prompt",
    "russian": "ru/privacy-prompt",
    "french_unheard_voice": "fr/auth-incorrect",
}
CHIME_RATE_HZ = 44_100
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


if __name__ == "__main__":
    main()
