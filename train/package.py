"""From finished runs to what is shipped: `python -m train.package runs/A runs/B`.

Writes `weights/<task>-<init>.safetensors` and `.json` from each run's averaged weights.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch

from hyperdemo.checkpoints import save_checkpoint
from hyperdemo.model import HyperModel
from train.config import TrainConfig


def package(run: Path, out: Path) -> Path:
    """Write the checkpoint of one run; returns the path of its weights.

    Raises:
        ValueError: the run has no saved state, or is not of the view task.
    """
    if not (run / "state.pt").is_file():
        raise ValueError(f"{run} has no state.pt; train it first with python -m train.run")
    state = torch.load(run / "state.pt", map_location="cpu", weights_only=True)
    facts = json.loads((run / "run.json").read_text())
    config = TrainConfig.from_dict(facts.pop("config"))
    if config.model.task != "view":
        raise ValueError(f"{run} is of the {config.model.task} task; only views are packaged yet")
    model = HyperModel(config.model)
    model.load_state_dict(state["average"])
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    scores = [row for row in rows if "val_psnr" in row and row["step"] <= state["step"]]
    training = config.to_dict()
    training.pop("model")
    facts |= {
        "training": training,
        "steps_taken": state["step"],
        "minutes": round(state["seconds"] / 60, 1),
        "trainable_parameters": model.n_trainable,
        "parameters": sum(p.numel() for p in model.parameters()),
        "inr_parameters": config.model.field.n_parameters,
        "val_psnr": round(scores[-1]["val_psnr"], 3) if scores else None,
        "val_curve": [[row["step"], round(row["val_psnr"], 3)] for row in scores],
    }
    return save_checkpoint(model, out, name=f"{config.model.task}-{config.model.init}", facts=facts)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m train.package", description=__doc__)
    parser.add_argument("runs", nargs="+", type=Path)
    parser.add_argument("--out", type=Path, default=Path("weights"))
    args = parser.parse_args()
    for run in args.runs:
        print(package(run, args.out))


if __name__ == "__main__":
    main()
