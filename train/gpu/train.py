"""Both arms on the machine with the GPU, in slices: `python -m train.gpu.train`.

The first slice renders the pack's objects, measures where the time goes, and from that how many
steps fit; the arms then take turns, step by step, on one copy of the data, so that both have had as
many when the time is over. The next slice goes on exactly where the last one ended.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from hyperdemo.config import INITS
from hyperdemo.learn.batches import draw_batch
from hyperdemo.model import to_pixels
from train.config import TrainConfig, load_config
from train.gpu.parts import MIB, join, missing, split
from train.gpu.views import PACK, render_splits, splits_of
from train.loop import Run, run_facts
from train.package import package
from train.view.data import load_split
from train.view.task import ViewTask
from train.view.validate import quick_psnr

PART_MIB = 15
WARM_STEPS, TIMED_STEPS = 10, 20
RESTART_SECONDS = 30
"""What a further slice needs before its first step."""
SPARE = 0.97
RATE = 1.5
"""Of the encoder from scratch, beside the pretrained one's: it has more to learn."""
RAM_DISK, ROOM = Path("/dev/shm"), 40 * 2**30


def arms(name: str, overrides: Mapping[str, Any]) -> dict[str, TrainConfig]:
    """The configuration of each arm; they differ in the encoder's start and rate alone."""
    base = load_config(name, overrides=dict(overrides))
    found = {init: replace(base, model=replace(base.model, init=init)) for init in INITS}
    found["scratch"] = replace(found["scratch"], lr_backbone=RATE * base.lr_backbone)
    return found


def receive(part: Path, work: Path) -> list[str]:
    """Keep a part of the pack; with the last one put all together. Returns what is still missing.

    Raises:
        ValueError: the folder holds no part.
    """
    parts = work / "parts"
    shutil.copytree(part, parts, dirs_exist_ok=True)
    lacking = missing(PACK, [parts])
    if not lacking:
        join(PACK, [parts], work / PACK)
    return lacking


def place(config: TrainConfig, work: Path) -> None:
    """The backbone where the configuration expects it, and room for the views in memory."""
    backbone = Path(config.backbone_file)
    if not backbone.is_file():
        backbone.parent.mkdir(parents=True, exist_ok=True)
        halves = load_file(work / PACK / "backbone.safetensors")
        save_file({key: tensor.float() for key, tensor in halves.items()}, backbone)
    views = Path(config.data.views_dir)
    if not views.exists() and RAM_DISK.is_dir() and shutil.disk_usage(RAM_DISK).free > ROOM:
        views.parent.mkdir(parents=True, exist_ok=True)
        (RAM_DISK / "hyperdemo-views").mkdir(exist_ok=True)
        views.symlink_to(RAM_DISK / "hyperdemo-views")


def start(
    configs: Mapping[str, TrainConfig], work: Path, *, device: torch.device
) -> dict[str, Run]:
    """Both arms, new or continued, on one copy of the data."""
    about = json.loads((work / PACK / "about.json").read_text())
    runs, task = {}, None
    for init, config in configs.items():
        if task is None:
            task = ViewTask.load(config, device=device)
        own = ViewTask(config, task.train_views, task.val_views, device=device)
        facts = run_facts(config, own, device=device, command="")
        facts["command"] = "train/gpu.sh train"
        if facts["git"] == "unknown":
            facts["git"] = about["git"]
        runs[init] = Run(config, own, out=work / "runs" / init, device=device, facts=facts)
    return runs


def seconds_of(work: Callable[[], object], *, device: torch.device, repeats: int) -> float:
    """Mean wall-clock time, the device's included."""

    def wait() -> None:
        if device.type == "cuda":
            torch.cuda.synchronize(device)

    work()
    wait()
    started = time.monotonic()
    for _ in range(repeats):
        work()
    wait()
    return (time.monotonic() - started) / repeats


def profile(run: Run, *, device: torch.device, repeats: int = 10) -> dict[str, float]:
    """Milliseconds of a step's parts. The encoder runs compiled only if that works and is faster.

    Returns:
        "data", "encoder" (forward and backward), and with compilation "encoder_eager" beside it.
    """
    state, task = run.state, run.task
    generator = torch.Generator(device).manual_seed(1)

    def draw() -> Any:
        return draw_batch(
            task.train_views, task.data, objects=state.config.batch, generator=generator,
            chances=task.chances,
        )  # fmt: skip

    pixels = to_pixels(draw().framed, device=device)

    def encode() -> None:
        half = state.config.precision == "bf16"
        with torch.autocast(device.type, torch.bfloat16, enabled=half):
            params = state.model.encode(pixels)
        sum(weights.square().sum() for weights in params.weights).backward()
        state.optimizer.zero_grad()

    def measure(work: Callable[[], object]) -> float:
        return 1000 * seconds_of(work, device=device, repeats=repeats)

    found = {"data": measure(draw)}
    if not state.config.compile:
        return found | {"encoder": measure(encode)}
    compiled = state.model.encode
    del state.model.encode  # the class's own is uncovered
    found["encoder_eager"] = measure(encode)
    try:
        state.model.encode = compiled
        found["encoder"] = measure(encode)
    except Exception as error:  # whatever a compiler raises: the slower way is there
        print(f"not compiled: {error!r}"[:500], flush=True)
    if not found.get("encoder", 1e9) < found["encoder_eager"]:
        del state.model.encode
        found["encoder"] = found["encoder_eager"]
    return found


def turns(runs: Mapping[str, Run], *, steps: int, until: float) -> None:
    """Advance the arm that is behind until both have taken these steps or the time is over.

    Args:
        steps: of each arm, counted from the first of all slices.
        until: on the clock of `time.monotonic`.
    """
    told = time.monotonic()
    while time.monotonic() < until:
        run = min(runs.values(), key=lambda one: one.state.step)
        if run.state.step >= steps:
            return
        row = run.advance()
        if time.monotonic() - told > 20:
            told = time.monotonic()
            shown = {key: round(row[key], 3) for key in ("step", "loss", "psnr")}
            print(shown | {"seconds_left": round(until - told)}, flush=True)


def slice_of(
    runs: Mapping[str, Run], work: Path, *, device: torch.device, until: float, more: float
) -> bool:
    """Train until the time is over; whether the training is finished.

    The first slice settles the number of steps: those that fit into the time that is left of it
    and into `more` seconds of later ones.
    """
    plan = work / "plan.json"
    if plan.is_file():
        known = json.loads(plan.read_text())
    else:
        known = {"milliseconds": profile(runs["foundation"], device=device)}
        first = max(run.state.step for run in runs.values())
        turns(runs, steps=first + WARM_STEPS, until=until)
        started = time.monotonic()
        turns(runs, steps=first + WARM_STEPS + TIMED_STEPS, until=until)
        taken = runs["foundation"].state.step - first - WARM_STEPS
        known["seconds_per_step"] = (time.monotonic() - started) / max(1, taken)
    at = min(run.state.step for run in runs.values())
    left = until - time.monotonic() + max(0.0, more - RESTART_SECONDS)
    fits = at + max(1, int(SPARE * left / known["seconds_per_step"]))
    known["steps"] = min(known.get("steps", fits), fits)
    plan.write_text(json.dumps(known, indent=1) + "\n")
    print(json.dumps(known), flush=True)
    for run in runs.values():
        run.state.config = replace(run.state.config, steps=known["steps"])
    turns(runs, steps=known["steps"], until=until)
    for run in runs.values():
        run.save()
    return all(run.state.step >= known["steps"] for run in runs.values())


def scores(runs: Mapping[str, Run], *, device: torch.device) -> dict[str, dict[str, float]]:
    """PSNR in dB of both arms on each split but the training's, as the validation measures it."""
    found: dict[str, dict[str, float]] = {init: {} for init in runs}
    config = runs["foundation"].state.config
    for name in splits_of(config.data)[1:]:
        views = load_split(config.data, name, input_size=config.model.backbone.image_size)
        for init, run in runs.items():
            found[init][name] = round(quick_psnr(run.state.average, views, device=device), 3)
    return found


def give(init: str, work: Path, out: Path) -> list[Path]:
    """An arm's averaged weights in half precision and what is known of its training, in parts."""
    run = work / "runs" / init
    weights = package(run, work / "weights")
    files = [weights, weights.with_suffix(".json"), run / "metrics.jsonl"]
    files += [path for path in (work / "plan.json", work / "scores.json") if path.is_file()]
    return split({path.name: path for path in files}, out, name=init, limit=PART_MIB * MIB)


def main(argv: Sequence[str] | None = None) -> None:
    begun = time.monotonic()
    parser = argparse.ArgumentParser(prog="python -m train.gpu.train", description=__doc__)
    parser.add_argument("--work", type=Path, default=Path("/tmp/hyperdemo-gpu"))
    parser.add_argument("--receive", type=Path, help="a folder with a part of the pack")
    parser.add_argument("--seconds", type=float, help="train until so long after the start")
    parser.add_argument("--more", type=float, default=0.0, help="seconds of slices to come")
    parser.add_argument("--give", choices=INITS, help="write this arm's parts into --out")
    parser.add_argument("--out", type=Path, default=Path(os.environ.get("OUT", "artefacts/out")))
    parser.add_argument("--config", default="view-gpu")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    args = parser.parse_args(argv)
    if args.receive:
        lacking = receive(args.receive, args.work)
        print(f"received; missing: {', '.join(lacking) or 'nothing'}", flush=True)
    if args.seconds:
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        pairs = (text.partition("=") for text in args.set)
        configs = arms(args.config, {key: json.loads(value) for key, _, value in pairs})
        finished = train(
            configs, args.work, device=device, begun=begun, seconds=args.seconds, more=args.more
        )
        print("finished" if finished else "to be continued", flush=True)
    if args.give:
        print(*give(args.give, args.work, args.out), sep="\n")


def train(
    configs: Mapping[str, TrainConfig],
    work: Path,
    *,
    device: torch.device,
    begun: float,
    seconds: float,
    more: float,
) -> bool:
    """A slice from beginning to end: views, training, and scores if it was the last one.

    Args:
        begun: when it began, on the clock of `time.monotonic`.
        seconds: after which it ends.
        more: seconds of the slices to come.
    """

    def tell(what: str) -> None:
        print(f"{time.monotonic() - begun:6.1f} s  {what}", flush=True)

    config = configs["foundation"]
    tell(f"torch {torch.__version__} on {device}, {os.cpu_count()} cores")
    place(config, work)
    rendered = render_splits(
        work / PACK, config.data, input_size=config.model.backbone.image_size, device=device,
        workers=os.cpu_count() or 1,
    )  # fmt: skip
    tell(f"{rendered} objects rendered")
    runs = start(configs, work, device=device)
    tell(f"both arms at step {runs['foundation'].state.step}")
    finished = slice_of(runs, work, device=device, until=begun + seconds, more=more)
    tell(f"at step {runs['foundation'].state.step}")
    if finished:
        found = scores(runs, device=device)
        (work / "scores.json").write_text(json.dumps(found, indent=1) + "\n")
        tell(json.dumps(found))
    return finished


if __name__ == "__main__":
    main()
