"""PSNR on one-second windows, the measure of GINR-IPC: `python -m train.sound.windows`.

Random windows of held-out prompts, each of them encoded and written once, without joins, as
GINR-IPC (arXiv 2211.13223) does with LibriSpeech. Recordings here are softer and hold pauses, so
silence stands beside the models, and the signal-to-noise ratio, which loudness does not touch.
Results go to `weights/results.json` under "sound", "windows".
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from hyperdemo.checkpoints import load_checkpoint
from hyperdemo.config import SAMPLE_RATE_HZ
from hyperdemo.inr import sound_of_stretches
from hyperdemo.metrics import waveform_psnr
from hyperdemo.metrics.audio import snr_db
from hyperdemo.model import HyperModel
from hyperdemo.pipeline import choose_device
from train.results_file import update
from train.sound.data import draw_windows, load_sounds, split_ids
from train.sound.evaluate import standard_error, trained_on

Answer = Callable[[Float[Tensor, "b n"]], Float[Tensor, "b n"]]


def model_windows(model: HyperModel) -> Answer:
    """What a model writes for windows of its own length."""

    @torch.inference_mode()
    def answer(windows: Float[Tensor, "b n"]) -> Float[Tensor, "b n"]:
        config, device = model.config, next(model.parameters()).device
        parts = [
            sound_of_stretches(
                config.field, model.encode(part.to(device)), n_stretches=config.n_stretches
            ).cpu()
            for part in windows.split(8)
        ]
        return torch.cat(parts)

    return answer


def score_windows(answer: Answer, windows: Float[Tensor, "b n"]) -> dict[str, Any]:
    """Mean PSNR of windows in dB, of samples mapped to [0, 1], and their mean SNR in dB.

    The SNR is None for an answer of silence.
    """
    said = answer(windows).double().numpy()
    truth = windows.double().numpy()
    psnr = [waveform_psnr(s, t) for s, t in zip(said, truth, strict=True)]
    snr = None
    if said.any():
        snr = snr_db(torch.from_numpy(said), torch.from_numpy(truth)).numpy()
    return {
        "psnr": round(float(np.mean(psnr)), 3),
        "psnr_stderr": standard_error(psnr),
        "snr": None if snr is None else round(float(snr.mean()), 3),
        "snr_stderr": None if snr is None else standard_error(snr),
    }


def measure(answers: Mapping[str, Answer], windows: Float[Tensor, "b n"]) -> dict[str, Any]:
    """Scores of all answers, and what the windows are like."""
    level = 20 * torch.log10(windows.square().mean(1).sqrt())
    return {
        "windows": len(windows),
        "window_s": windows.shape[1] / SAMPLE_RATE_HZ,
        "level_db": round(level.mean().item(), 2),
        "answers": {name: score_windows(answer, windows) for name, answer in answers.items()},
    }


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m train.sound.windows", description=__doc__)
    parser.add_argument("--weights", type=Path, default=Path("weights"))
    parser.add_argument("--count", type=int, default=400, help="windows (400)")
    parser.add_argument("--device", help="cpu or cuda (cuda if there is one)")
    args = parser.parse_args()
    device = choose_device(args.device)
    names = ("scratch", "foundation")
    loaded = {n: load_checkpoint(args.weights, f"sound-{n}", device=device) for n in names}
    data = trained_on(loaded)
    models = {name: one.model for name, one in loaded.items()}
    window = models["foundation"].config.backbone.window
    sounds = load_sounds(data, split_ids(data, "test"))
    generator = torch.Generator().manual_seed(0)
    windows = draw_windows(sounds, count=args.count, window=window, generator=generator)
    answers: dict[str, Answer] = {"silence": torch.zeros_like}
    answers |= {name: model_windows(model) for name, model in models.items()}
    found = measure(answers, windows)
    update(
        args.weights / "results.json",
        lambda results: results.setdefault("sound", {}).update(windows=found),
    )
    print(found)


if __name__ == "__main__":
    main()
