"""Serve the app by Ray: `python -m hyperdemo.serve`, then open the address that it prints."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from hyperdemo.serve.application import Serving, application

REMEDY = "pip install -r requirements-ray.txt, or start `python app.py`, which needs none"


def parse_arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m hyperdemo.serve", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=7860)
    parser.add_argument(
        "--address", help="of a running Ray cluster, or auto; one is started here if not given"
    )
    parser.add_argument("--weights", default="", help="folder of the checkpoints, on all machines")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="", help="of the replicas")
    for name, kind, words in (
        ("min_replicas", int, "that there are without visitors"),
        ("max_replicas", int, "that there are with many"),
        ("upscale_delay_s", float, "so long there are more requests before a replica is added"),
        ("downscale_delay_s", float, "so long there are fewer before one ends"),
        ("requests", int, "of a replica at once"),
        ("cpus", float, "of a replica, for placing it"),
        ("gpus", float, "the same; 0.5 lets two share one"),
        ("page_cpus", float, "of the page's process"),
    ):
        parser.add_argument(
            f"--{name.replace('_', '-')}", type=kind, default=getattr(Serving, name), metavar="N",
            help=f"{words} (%(default)s)",
        )  # fmt: skip
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until Ctrl-C; 2 where something is missing or wrong."""
    args = vars(parse_arguments(argv))
    host, port, address = (args.pop(name) for name in ("host", "port", "address"))
    try:
        import ray
        from ray import serve
    except ImportError:
        print(f"hyperdemo: Ray is not installed; {REMEDY}", file=sys.stderr)
        return 2
    from hyperdemo.checkpoints import checkpoint_path, find_weights

    try:
        app = application(args)
        weights = find_weights(args["weights"] or None)
        if not checkpoint_path(weights, "view-foundation").is_file():
            raise ValueError(f"there is no checkpoint view-foundation in {weights}")
    except ValueError as error:
        print(f"hyperdemo: {error}", file=sys.stderr)
        return 2
    # Without "local" Ray looks for one, and waits minutes for what is no more.
    ray.init(address=address or os.environ.get("RAY_ADDRESS", "local"))
    serve.start(http_options={"host": host, "port": port})
    try:
        serve.run(app, name="hyperdemo", blocking=True)
    except KeyboardInterrupt:
        serve.shutdown()
    return 0


if __name__ == "__main__":
    sys.exit(main())
