"""How fast all of it is, on the CPU and on the GPU if there is one: `python -m bench`.

- app: start-up, memory and answers of the app, through a client.
- view: a picture to a field, and the field to a grid.
- field: evaluation of a field, against the fastest matrix product.
- frames: exact and fast frames of some sizes.
- orbits: the film of all models, rendered and encoded.
- sound: real-time factors, as `bench.sound`.
- load: many clients at once; takes long, so only where it is named.
- workers: a training step of one worker and of two, by Ray; only where it is named.

Medians of some runs, with the lowest and the highest. What is compared is measured in turn, within
one run. Bars are reported, and missing one is no failure.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from bench.app import bench_app
from bench.field import Load, bench_field
from bench.load import Crowd, bench_load
from bench.sound import CLIPS_S, bench_sounds, noises
from bench.timing import table
from bench.view import bench_frames, bench_orbits, bench_writing
from bench.workers import bench_workers, measured_config
from hyperdemo.config import ViewRequest
from hyperdemo.media import decode_image
from hyperdemo.pipeline import SoundPipeline, ViewPipeline
from hyperdemo.ui.sound.tab import find_sounds
from train.provenance import provenance

ROOT = Path(__file__).resolve().parent.parent
PARTS = ("app", "view", "field", "frames", "orbits", "sound")
ALL_PARTS = (*PARTS, "load", "workers")


@dataclass(frozen=True)
class Plan:
    """What is measured, and how much of it.

    Attributes:
        weights: folder of the checkpoints.
        repeats: runs of everything.
        threads: CPU cores; all there are if not given.
        examples: folder whose objects and sounds are shown to the models.
        sizes: sides of single frames in pixels.
        orbit: size and length of the film.
        load: work of the field's measurement.
        clip_s: lengths of the sounds in seconds.
        crowd: clients that come at once, and after one another.
        steps: training steps that are timed, a multiple of 10.
    """

    weights: Path = Path("weights")
    repeats: int = 3
    threads: int | None = None
    examples: Path = ROOT / "examples"
    sizes: Sequence[int] = (128, 256, 512)
    orbit: ViewRequest = ViewRequest()
    load: Load = Load()
    clip_s: Sequence[float] = CLIPS_S
    crowd: Crowd = Crowd()
    steps: int = 20

    @property
    def pictures(self) -> list[Path]:
        """Pictures of objects.

        Raises:
            ValueError: there are none.
        """
        found = sorted((self.examples / "objects").glob("*/input.webp"))
        if not found:
            raise ValueError(f"expected objects/*/input.webp in {self.examples}, found none")
        return found


def runs_of(plan: Plan, device: str) -> dict[str, Callable[[], dict[str, Any]]]:
    """The measurement of each part on a device; nothing is loaded before one is called."""
    loaded: dict[str, Any] = {}

    def view() -> tuple[ViewPipeline, Any]:
        if not loaded:
            pipeline = ViewPipeline.from_weights(plan.weights, device=device)
            pipeline.warm_up()
            prepared = pipeline.prepare(decode_image(plan.pictures[0]))
            loaded.update(pipeline=pipeline, prepared=prepared)
        return loaded["pipeline"], loaded["prepared"]

    def field() -> dict[str, Any]:
        pipeline, prepared = view()
        model = next(iter(pipeline.models.values()))
        return bench_field(
            model.model.config.field, pipeline.encode(prepared.framed, model),
            repeats=plan.repeats, device=pipeline.device, load=plan.load,
        )  # fmt: skip

    repeats = plan.repeats
    return {
        "app": lambda: bench_app(
            plan.weights, pictures=plan.pictures, sounds=find_sounds(plan.examples / "sounds"),
            repeats=repeats, device=device, threads=plan.threads,
        ),
        "view": lambda: bench_writing(*view(), repeats=repeats),
        "field": field,
        "frames": lambda: bench_frames(
            *view(), repeats=repeats, sizes=plan.sizes, n_frames=plan.orbit.n_frames
        ),
        "orbits": lambda: bench_orbits(*view(), repeats=repeats, request=plan.orbit),
        "sound": lambda: bench_sounds(
            SoundPipeline.from_weights(plan.weights, device=device), noises(plan.clip_s),
            repeats=repeats,
        ),
        "load": lambda: bench_load(
            plan.weights, inputs=[*plan.pictures, *find_sounds(plan.examples / "sounds")],
            device=device, threads=plan.threads, crowd=plan.crowd,
        ),
        "workers": lambda: bench_workers(measured_config(plan.steps), repeats=repeats),
    }  # fmt: skip


def facts(plan: Plan) -> dict[str, Any]:
    """What numbers need beside them to be understood later."""
    known = provenance(torch.device("cpu"))
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "git": known["git"],
        "hardware": f"{processor()}, {known['hardware']}",
        "threads": torch.get_num_threads(),
        "torch": known["torch"],
        "repeats": plan.repeats,
        "weights": str(plan.weights),
    }


def processor() -> str:
    """Name of the CPU, as far as the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or "CPU"


def parse_arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--parts", nargs="+", choices=ALL_PARTS, default=list(PARTS))
    parser.add_argument("--repeats", type=int, default=Plan.repeats)
    parser.add_argument("--json", type=Path, default=Path("artefacts/bench.json"))
    parser.add_argument("--device", choices=["cpu", "cuda"], help="one alone (all there are)")
    parser.add_argument("--threads", type=int, help="CPU cores (all there are)")
    parser.add_argument("--weights", type=Path, default=Plan.weights)
    args = parser.parse_args(argv)
    for name in ("repeats", "threads"):
        if getattr(args, name) is not None and getattr(args, name) < 1:
            parser.error(f"--{name} must be at least 1, got {getattr(args, name)}")
    return args


def use_threads(n: int) -> None:
    """Compute on so many cores from now on, in processes yet to be started as well."""
    torch.set_num_threads(n)
    # The fast renderer asks torch for nothing: it takes each core that the process may use.
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:n])


def bench(plan: Plan, *, parts: Sequence[str], devices: Sequence[str], path: Path) -> None:
    """Measure, print a table per part, and save all of it.

    The file is written anew after each part, so that a failure loses nothing.
    """
    found = facts(plan) | {"devices": {}}
    path.parent.mkdir(parents=True, exist_ok=True)
    print(f"{found['hardware']}, {found['threads']} threads, torch {found['torch']}")
    for device in devices:
        name = torch.cuda.get_device_name() if device == "cuda" else processor()
        done = found["devices"][device] = {"hardware": name, "parts": {}}
        runs = runs_of(plan, device)
        for part in parts:
            done["parts"][part] = runs[part]()
            print(f"\n{table(f'{part}, {name}', done['parts'][part])}", flush=True)
            path.write_text(json.dumps(found, indent=1) + "\n")
    print(f"\nsaved to {path}")


def main(argv: Sequence[str] | None = None) -> None:
    args = parse_arguments(argv)
    plan = Plan(args.weights, args.repeats, args.threads)
    if args.threads:
        use_threads(args.threads)
    there_are = ["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"]
    devices = [args.device] if args.device else there_are
    try:
        bench(plan, parts=args.parts, devices=devices, path=args.json)
    except (ValueError, RuntimeError) as error:
        raise SystemExit(f"bench: {error}") from error


if __name__ == "__main__":
    main()
