"""The small studies behind the sound configuration: `python -m train.sound.study`.

- fields: free fits of stretches of validation speech, all with the same steps of Adam, to choose
  how long a stretch is and the width, depth and frequencies of its field.
- inputs: short trainings with equal budgets, to choose what the encoder hears, how patches reach
  the weight tokens, and how long windows and stretches are.

Results go to `weights/results.json` under "sound", "studies"; what is there already is skipped,
so that a run that was stopped goes on. One seed each: differences of a few tenths of a decibel
are no finding.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from hyperdemo.config import SoundFieldConfig
from hyperdemo.inr import InrParams, sound, stretch_plan
from hyperdemo.metrics.audio import snr_db
from hyperdemo.results.recorded import read_recorded
from train.config import TrainConfig, load_config
from train.loop import train
from train.results_file import update
from train.sound.baselines import fit_sound
from train.sound.data import SoundSet, draw_windows, load_speech
from train.sound.splits import read_speech_split
from train.sound.task import SoundTask

FIT_SECONDS = 0.5  # of sound that each field is fitted to
FIT_STEPS = 60

FIELDS: dict[str, dict[str, Any]] = {
    "30 ms, 3 layers of 64, to 4 kHz": {},
    "to 2 kHz": {"n_freqs": 60, "max_freq_hz": 2000.0},
    "to 8 kHz": {"n_freqs": 240, "max_freq_hz": 8000.0},
    "half as many frequencies": {"n_freqs": 60},
    "32 wide": {"width": 32},
    "128 wide": {"width": 128},
    "2 layers": {"depth": 2},
    "4 layers": {"depth": 4},
    "stretches of 75 ms": {"stretch": 1200, "overlap": 200},
    "75 ms, frequencies 13 Hz apart": {
        "stretch": 1200, "overlap": 200, "n_freqs": 300, "min_freq_hz": 40 / 3,
    },
    "stretches of 255 ms, 4 layers of 256, 16 Hz apart": {
        "stretch": 4080, "width": 256, "depth": 4, "n_freqs": 256, "min_freq_hz": 15.625,
    },
}  # fmt: skip
"""By what differs from the field of `sound-cpu`."""

_ONE_FIELD = {
    "model.backbone.tied": False, "data.stretches": 1, "model.field.stretch": 16_080,
    "model.field.width": 256, "model.field.depth": 4, "model.field.n_freqs": 256,
    "model.field.min_freq_hz": 15.625, "model.n_groups": 8,
}  # fmt: skip
INPUTS: dict[str, dict[str, Any]] = {
    "log-mel and waveform": {},
    "waveform alone": {"model.backbone.inputs": "raw"},
    "log-mel alone": {"model.backbone.inputs": "mel"},
    "patches as tokens of their own": {"model.backbone.tied": False},
    "windows of 0.255 s, four times as many": {
        "model.backbone.window": 4080, "batch": 16, "data.stretches": 10,
    },
    "one field for a whole window": _ONE_FIELD,
    "from scratch: log-mel and waveform": {"model.init": "scratch"},
    "from scratch: waveform alone": {"model.init": "scratch", "model.backbone.inputs": "raw"},
}  # fmt: skip
"""By what differs from `sound-cpu`."""


def study_field(changes: Mapping[str, Any], sounds: SoundSet) -> dict[str, float]:
    """Mean signal-to-noise ratio in dB that free fits of one field reach."""
    config = SoundFieldConfig(**changes)
    count = max(2, round(FIT_SECONDS * 16_000 / config.stretch))
    generator = torch.Generator().manual_seed(0)
    target = draw_windows(sounds, count=count, window=config.stretch, generator=generator)
    started = time.perf_counter()
    params = fit_sound(config, target, steps=FIT_STEPS)
    seconds = time.perf_counter() - started
    ratio = snr_db(_heard(config, params), target)
    return {
        "snr_db": round(ratio.mean().item(), 2),
        "worst_db": round(ratio.min().item(), 2),
        "parameters": config.n_parameters,
        "parameters_a_second": round(config.n_parameters * 16_000 / config.stretch),
        "fit_seconds": round(seconds, 1),
        "fits": count,
    }


@torch.no_grad()
def _heard(config: SoundFieldConfig, params: InrParams) -> Float[Tensor, "k n"]:
    places = stretch_plan(config, 1).coordinates(0, rate_hz=16_000)
    return sound(config, params, places[None] * (config.stretch_s / 2))


def study_input(config: TrainConfig, out: Path) -> dict[str, float]:
    """Scores of one short training on the validation prompts."""
    cpu = torch.device("cpu")
    state = train(config, SoundTask.load(config, device=cpu), out=out, device=cpu)
    rows = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    return {key: round(value, 3) for key, value in rows[-1].items() if key.startswith("val_")} | {
        "steps": state.step,
        "minutes": round(state.seconds / 60, 2),
        "lr_backbone": config.lr_backbone,
    }


def short(changes: Mapping[str, Any], *, steps: int) -> TrainConfig:
    """`sound-cpu` with its changes, at the study's budget."""
    budget = {"steps": steps, "eval_every": steps, "ema": 0.9, "warmup": 20}
    return load_config("sound-cpu", overrides=budget | dict(changes))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m train.sound.study", description=__doc__)
    parser.add_argument("--only", nargs="*", help="names of fields or inputs; all if not given")
    parser.add_argument("--steps", type=int, default=150, help="of each training (150)")
    parser.add_argument("--out", type=Path, default=Path("weights/results.json"))
    parser.add_argument("--runs", type=Path, default=Path("runs/study"))
    args = parser.parse_args()
    torch.set_num_threads(1)
    studies: dict[str, dict[str, Any]] = {"fields": FIELDS, "inputs": INPUTS}
    for study, variants in studies.items():
        for name, changes in variants.items():
            if args.only and name not in args.only or name in _known(args.out, study):
                continue
            if study == "fields":
                val = read_speech_split("train/speech_splits.json", "val")
                row = study_field(changes, load_speech("data/speech", val))
            else:
                folder = args.runs / name.replace(" ", "-").replace(":", "")
                row = study_input(short(changes, steps=args.steps), folder)
            print(study, name, row, flush=True)
            _add(args.out, study, name, row)


def _known(path: Path, study: str) -> dict[str, Any]:
    results = read_recorded(path) if path.is_file() else {}
    return results.get("sound", {}).get("studies", {}).get(study, {})


def _add(path: Path, study: str, name: str, row: dict[str, float]) -> None:
    def change(results: dict[str, Any]) -> None:
        studies = results.setdefault("sound", {}).setdefault("studies", {})
        studies.setdefault(study, {})[name] = row

    update(path, change)


if __name__ == "__main__":
    main()
