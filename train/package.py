"""From finished runs to shipped checkpoints: `python -m train.package runs/A runs/B`.

Writes `weights/<task>-<init>.safetensors` and `.json` from each run's averaged weights.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import torch

from hyperdemo.checkpoints import save_checkpoint
from hyperdemo.model import HyperModel
from train.config import TrainConfig

SCORES = {"view": ("val_psnr",), "sound": ("val_snr", "val_stoi")}
"""What each task's validation reports, in the order of the curve's columns."""


def package(run: Path, out: Path) -> Path:
    """Write the checkpoint of one run; returns the path of its weights.

    Its facts hold the last validation scores, and `val_curve`: rows of a step and its scores.

    Raises:
        ValueError: the run has no saved state.
    """
    if not (run / "state.pt").is_file():
        raise ValueError(f"{run} has no state.pt; train it first with python -m train.run")
    state = torch.load(run / "state.pt", map_location="cpu", weights_only=True)
    facts = json.loads((run / "run.json").read_text())
    config = TrainConfig.from_dict(facts.pop("config"))
    model = HyperModel(config.model)
    model.load_state_dict(state["average"])
    names = SCORES[config.model.task]
    rows = map(json.loads, (run / "metrics.jsonl").read_text().splitlines())
    curve = [
        [row["step"], *(round(row[name], 3) for name in names)]
        for row in rows
        if set(names) <= set(row) and row["step"] <= state["step"]
    ]
    training = {key: value for key, value in config.to_dict().items() if key != "model"}
    last = curve[-1][1:] if curve else [None] * len(names)
    facts |= {
        "training": training,
        "steps_taken": state["step"],
        "minutes": round(state["seconds"] / 60, 1),
        "trainable_parameters": model.n_trainable,
        "parameters": sum(p.numel() for p in model.parameters()),
        "inr_parameters": config.model.field.n_parameters,
        **dict(zip(names, last, strict=True)),
        "val_curve": curve,
    }
    return save_checkpoint(model, out, name=f"{config.model.task}-{config.model.init}", facts=facts)


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m train.package", description=__doc__)
    parser.add_argument("runs", nargs="+", type=Path)
    parser.add_argument("--out", type=Path, default=Path("weights"))
    args = parser.parse_args(argv)
    for run in args.runs:
        print(package(run, args.out))


if __name__ == "__main__":
    main()
