"""Train one hypernetwork: `python -m train.run --config view-cpu --init foundation`.

A run lives in `runs/<name>`, see `train.loop`. The same command continues a run that was killed.
With `--workers N` the batch is divided among N processes on one machine or many, see
`train.cluster`; a run may be continued with another number of them.
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
from train.view.record import Recorder, recorded_steps, shown_objects
from train.view.task import ViewTask

TASKS = {"view": ViewTask, "sound": SoundTask}


def parse_arguments(argv: Sequence[str]) -> tuple[TrainConfig, Path, torch.device, int, bool]:
    """Configuration, folder of the run, device, number of workers, and whether to record."""
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
    parser.add_argument("--workers", type=int, default=1, help="processes that share the batch")
    parser.add_argument(
        "--record",
        action="store_true",
        help="pictures of the page's examples on the way, see train.view.record",
    )
    args = parser.parse_args(argv)
    if unclear := [text for text in args.set if "=" not in text]:
        parser.error(f"--set expects KEY=VALUE, got {', '.join(unclear)}")
    if args.workers < 1:
        parser.error(f"--workers must be at least 1, got {args.workers}")
    overrides = dict(_assignment(text) for text in args.set)
    overrides |= {f"model.{name}": v for name in ("init", "adapt") if (v := getattr(args, name))}
    config = load_config(args.config, overrides=overrides)
    if args.record and (config.model.task != "view" or args.workers > 1):
        parser.error("--record draws objects, and by one worker: leave it out")
    name = f"{Path(args.config).stem}-{config.model.init}-{config.model.adapt}"
    out = args.out or Path("runs") / name
    return config, out, choose_device(args.device), args.workers, args.record


def _assignment(text: str) -> tuple[str, object]:
    key, _, value = text.partition("=")
    try:
        return key, json.loads(value)
    except json.JSONDecodeError:
        return key, value


def main(argv: Sequence[str] | None = None) -> None:
    argv = sys.argv[1:] if argv is None else argv
    config, out, device, workers, record = parse_arguments(argv)
    load, command = TASKS[config.model.task].load, " ".join(argv)
    if workers > 1:
        from train.cluster.training import train_together  # Ray, which one worker does without

        step, seconds = train_together(
            config, load, out=out, device=device, workers=workers, command=command
        )
    else:
        if config.threads:
            torch.set_num_threads(config.threads)
        task = load(config, device=device)
        facts = run_facts(config, task, device=device, command=command)
        watch = None
        if record:
            objects = shown_objects(Path("examples/objects"))
            watch = Recorder(objects, out, steps=recorded_steps(config.steps))
        state = train(config, task, out=out, device=device, facts=facts, watch=watch)
        step, seconds = state.step, state.seconds
    print(f"{out}: {step} steps in {seconds / 60:.1f} minutes")


if __name__ == "__main__":
    main()
