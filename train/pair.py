"""The paper's comparison by one command: `python -m train.pair CONFIG --weights FOLDER`.

Trains the pretrained arm and the one from scratch, each at its own learning rate of the encoder,
packages both and scores them on held-out data. Given again it goes on where it was stopped.

    python -m train.pair view-chairs --weights weights/chairs
    python -m train.pair sound-librispeech --weights weights/librispeech
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from hyperdemo.config import INITS
from train import package, run
from train.config import load_config
from train.experiments import SCRATCH
from train.sound import evaluate as sound
from train.view import evaluate as view

EVALUATE = {"view": view.main, "sound": sound.main}


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m train.pair",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("config", help="name in train/configs, or a .toml file")
    parser.add_argument("--weights", type=Path, required=True, help="for checkpoints and results")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--runs", type=Path, help="folder of the runs (runs/<weights>)")
    parser.add_argument("--device", help="cpu or cuda (cuda if there is one)")
    args, more = parser.parse_known_args(argv)
    task = load_config(args.config).model.task
    runs = args.runs or Path("runs") / args.weights.name
    device = ["--device", args.device] if args.device else []
    for init in INITS:
        own = SCRATCH[task] if init == "scratch" else {"model.init": init}
        changes = [*(f"{key}={value}" for key, value in own.items()), *args.set]
        options = [word for text in changes for word in ("--set", text)]
        run.main(["--config", args.config, "--out", str(runs / init), *device, *options])
        package.main([str(runs / init), "--out", str(args.weights)])
    EVALUATE[task](["--weights", str(args.weights), *device, *more])


if __name__ == "__main__":
    main()
