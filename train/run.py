"""Train one hypernetwork: `python -m train.run --config view-cpu --init foundation`.

A run lives in `runs/<name>`, see `train.loop`. The same command continues a run that was killed.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import torch

from hyperdemo.config import ADAPTS, INITS
from hyperdemo.pipeline import choose_device
from train.config import TrainConfig, load_config
from train.loop import run_facts, train
from train.sound.task import SoundTask
from train.view.task import ViewTask

TASKS = {"view": ViewTask, "sound": SoundTask}


def parse_arguments(argv: Sequence[str]) -> tuple[TrainConfig, Path, torch.device]:
    parser = argparse.ArgumentParser(prog="python -m train.run", description=__doc__)
    parser.add_argument("--config", required=True, help="name in train/configs, or a .toml file")
    parser.add_argument("--init", choices=INITS)
    parser.add_argument("--adapt", choices=ADAPTS)
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="any value of the configuration, such as lr=1e-4 or model.n_groups=8",
    )
    parser.add_argument("--out", type=Path, help="folder of the run (runs/<config>-<init>-<adapt>)")
    parser.add_argument("--device", help="cpu or cuda (cuda if there is one)")
    args = parser.parse_args(argv)
    if unclear := [text for text in args.set if "=" not in text]:
        parser.error(f"--set expects KEY=VALUE, got {', '.join(unclear)}")
    overrides = dict(_assignment(text) for text in args.set)
    overrides |= {f"model.{name}": v for name in ("init", "adapt") if (v := getattr(args, name))}
    config = load_config(args.config, overrides=overrides)
    name = f"{Path(args.config).stem}-{config.model.init}-{config.model.adapt}"
    return config, args.out or Path("runs") / name, choose_device(args.device)


def _assignment(text: str) -> tuple[str, object]:
    key, _, value = text.partition("=")
    try:
        return key, json.loads(value)
    except json.JSONDecodeError:
        return key, value


def main(argv: Sequence[str] | None = None) -> None:
    argv = sys.argv[1:] if argv is None else argv
    config, out, device = parse_arguments(argv)
    if config.threads:
        torch.set_num_threads(config.threads)
    task = TASKS[config.model.task].load(config, device=device)
    facts = run_facts(config, task, device=device, command=" ".join(argv))
    state = train(config, task, out=out, device=device, facts=facts)
    print(f"{out}: {state.step} steps in {state.seconds / 60:.1f} minutes")


if __name__ == "__main__":
    main()
