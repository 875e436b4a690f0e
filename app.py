"""Start the demo: `python app.py`, then open the address that it prints."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    """Options of the command line; what is not given comes from the environment."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", help="address to listen on (GRADIO_SERVER_NAME or 127.0.0.1)")
    parser.add_argument("--port", type=int, help="port (GRADIO_SERVER_PORT or 7860)")
    parser.add_argument(
        "--weights", help="folder of the checkpoints (HYPERDEMO_WEIGHTS, or weights/ beside this)"
    )
    parser.add_argument("--device", choices=["cpu", "cuda"], help="the GPU if there is one")
    return parser.parse_args(arguments)


def zero_gpu() -> Callable | None:
    """The decorator of functions that a GPU is lent to; None where this is no ZeroGPU Space.

    Call it before torch is imported: there it changes what torch says of GPUs.
    """
    try:
        import spaces
        from spaces.config import Config
    except ImportError:
        return None
    return spaces.GPU if Config.zero_gpu else None


def main() -> None:
    options = parse_arguments()
    os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "0")
    from hyperdemo.scratch import own_scratch

    scratch = own_scratch()  # first: as they are imported, libraries settle where they put files
    lent = zero_gpu()
    # Heavy, and not needed for --help.
    from hyperdemo.checkpoints import find_weights, has_sound
    from hyperdemo.pipeline import load_sound, load_view
    from hyperdemo.ui import build_app, launch_options, serve_until_told, start_log

    try:
        weights = find_weights(options.weights)
        pipeline = load_view(weights, device=options.device, zero_gpu=lent)
        sound = None
        if has_sound(weights):
            sound = load_sound(weights, device="cpu" if lent else options.device)
        print(f"Models loaded; computing on {pipeline.device_name}", flush=True)
        demo = build_app(
            pipeline, sound=sound, examples=ROOT / "examples", weights=weights, warm=True
        )
    except ValueError as error:
        sys.exit(f"cannot start: {error}")
    start_log()  # from here on, what it tells are visitors' requests
    served = launch_options(*filter(None, (pipeline, sound)))
    address = {"server_name": options.host, "server_port": options.port}
    serve_until_told(demo, scratch=scratch, **address, **served)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)  # while models are loaded; later Ctrl-C is what tells the server to end
