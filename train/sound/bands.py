"""At which frequencies a resynthesis is wrong: `python -m train.sound.bands`.

Whole held-out recordings, as the app plays them. Of each, in bands of frequency, the ratio of the
sound's energy to the error's, and how much of the whole error lies there. Results go to
`weights/results.json` under "sound", "bands".
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from tqdm import tqdm

from hyperdemo.checkpoints import load_checkpoint
from hyperdemo.config import SAMPLE_RATE_HZ
from train.config import SoundData
from train.results_file import update
from train.sound.data import load_sounds, split_ids
from train.sound.evaluate import Answer, Signal, model_answer, trained_on
from train.subsets import spread

EDGES_HZ = (0, 1000, 2000, 4000, 6000, 8000)
SPLITS = ("test-speakers", "test-language", "test-music", "test-effects")
LEAST_SHARE = 1e-9
"""Of a recording's energy, what a band and its error are taken to hold at least."""


def by_band(
    said: Signal, heard: Signal, *, edges_hz: Sequence[float] = EDGES_HZ
) -> tuple[Float[np.ndarray, " f"], Float[np.ndarray, " f"]]:
    """Signal-to-noise ratio in dB and share of the error's energy, in f bands between edges.

    Energies are those of the discrete Fourier transform of the whole signal at 16 kHz; a band
    holds its lower edge, and the last one the upper too.
    """
    frequencies = np.fft.rfftfreq(len(heard), 1 / SAMPLE_RATE_HZ)
    band = np.clip(np.searchsorted(edges_hz, frequencies, side="right") - 1, 0, len(edges_hz) - 2)

    def energies(signal: Signal) -> Float[np.ndarray, " f"]:
        power = np.abs(np.fft.rfft(signal.astype(np.float64))) ** 2
        return np.bincount(band, power, minlength=len(edges_hz) - 1)

    sound, error = energies(heard), energies(said - heard)
    least = LEAST_SHARE * max(sound.sum(), np.finfo(float).tiny)
    snr = 10 * np.log10(np.maximum(sound, least) / np.maximum(error, least))
    return snr, error / max(error.sum(), np.finfo(float).tiny)


def measure(
    answers: Mapping[str, Answer], sounds: Sequence[Signal], *, words: str = ""
) -> dict[str, dict[str, list[float]]]:
    """Means over recordings of what `by_band` gives, for each answer."""
    found = {}
    for name, answer in answers.items():
        pairs = [by_band(answer(heard), heard) for heard in tqdm(sounds, desc=f"{words} {name}")]
        snr, share = (np.mean(part, axis=0) for part in zip(*pairs, strict=True))
        found[name] = {"snr_db": np.round(snr, 2).tolist(), "share": np.round(share, 4).tolist()}
    return found


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m train.sound.bands", description=__doc__)
    parser.add_argument("--weights", type=Path, default=Path("weights"))
    parser.add_argument("--before", type=Path, help="weights of an earlier pair, to stand beside")
    parser.add_argument("--limit", type=int, default=30, help="recordings a split")
    args = parser.parse_args()
    names = ("scratch", "foundation")
    models = {name: load_checkpoint(args.weights, f"sound-{name}") for name in names}
    data: SoundData = trained_on(models)
    answers = {name: model_answer(loaded) for name, loaded in models.items()}
    if args.before:
        answers = {
            "before": model_answer(load_checkpoint(args.before, "sound-foundation"))
        } | answers
    splits: dict[str, Any] = {}
    for split in SPLITS:
        sounds = load_sounds(data, spread(split_ids(data, split), args.limit))
        signals = [sounds.sound(index).numpy() for index in range(len(sounds))]
        splits[split] = measure(answers, signals, words=split) | {"recordings": len(signals)}
        print(split, splits[split])
    found = {"edges_hz": list(EDGES_HZ), "splits": splits}
    update(
        args.weights / "results.json",
        lambda results: results.setdefault("sound", {}).update(bands=found),
    )


if __name__ == "__main__":
    main()
