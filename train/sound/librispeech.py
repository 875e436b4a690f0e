"""LibriSpeech, for those who have it (`data.format = "librispeech"`).

`data.speech_dir` is the folder as it is unpacked, with `train-clean-100`, `dev-clean` and
`test-clean` (Panayotov et al. 2015, openslr.org/12): the splits "train", "val" and "test". Speakers
of the test are in no training. With it in `data/LibriSpeech`, this trains and scores both arms:

    python -m train.pair sound-librispeech --weights weights/librispeech
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soundfile
from jaxtyping import Int16

from train.sources.speech import RATE_HZ

FOLDERS = {"train": "train-clean-100", "val": "dev-clean", "test": "test-clean"}


def utterances(root: str | Path, split: str) -> list[str]:
    """Utterances of a split as `<speaker>-<chapter>-<number>`, in order.

    Raises:
        ValueError: there is no such split, or no file of it.
    """
    if split not in FOLDERS:
        raise ValueError(f"LibriSpeech has the splits {', '.join(FOLDERS)}, not {split!r}")
    folder = Path(root) / FOLDERS[split]
    names = sorted(path.stem for path in folder.glob("*/*/*.flac"))
    if not names:
        raise ValueError(
            f"expected <speaker>/<chapter>/<speaker>-<chapter>-<number>.flac in {folder}, got "
            "none; set data.speech_dir to the folder that holds train-clean-100"
        )
    return names


def read_utterances(
    root: str | Path, names: Sequence[str]
) -> tuple[list[Int16[np.ndarray, " n"]], list[str]]:
    """Samples at 16 kHz, and transcripts where they lie beside the sounds ("" elsewhere).

    Raises:
        ValueError: an utterance is not there, or is not mono at 16 kHz.
    """
    sounds, texts, known = [], [], {}
    for name in names:
        speaker, chapter, _ = name.split("-")
        found = [
            path
            for folder in FOLDERS.values()
            if (path := Path(root, folder, speaker, chapter, f"{name}.flac")).is_file()
        ]
        if not found:
            raise ValueError(f"{root} holds no utterance {name}")
        folder = found[0].parent
        if folder not in known:
            known[folder] = _transcripts(folder / f"{speaker}-{chapter}.trans.txt")
        sounds.append(_read_flac(found[0]))
        texts.append(known[folder].get(name, ""))
    return sounds, texts


def _transcripts(path: Path) -> dict[str, str]:
    lines = path.read_text().splitlines() if path.is_file() else []
    return {name: text.strip() for name, _, text in (line.partition(" ") for line in lines)}


def _read_flac(path: Path) -> Int16[np.ndarray, " n"]:
    try:
        samples, rate_hz = soundfile.read(path, dtype="int16", always_2d=True)
    except soundfile.LibsndfileError as error:
        raise ValueError(f"expected a FLAC file, got {path} ({error}); fetch it again") from error
    if rate_hz != RATE_HZ or samples.shape[1] != 1:
        raise ValueError(
            f"expected mono at {RATE_HZ} Hz, got {samples.shape[1]} channel(s) at {rate_hz} Hz in "
            f"{path}; convert it with ffmpeg -i IN -ac 1 -ar {RATE_HZ} OUT"
        )
    return samples[:, 0]
