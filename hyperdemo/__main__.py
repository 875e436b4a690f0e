"""The command line: `python -m hyperdemo view PHOTO -o DIR`, or `sound CLIP -o DIR`."""

from __future__ import annotations

import argparse
import errno
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path


def parse_arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m hyperdemo",
        description="A pretrained Transformer writes the weights of small networks.",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    view = commands.add_parser(
        "view", help="a photo of one object in, its orbit, mesh and network out"
    )
    view.add_argument("photo", type=Path, metavar="PHOTO")
    _add_shared(view)
    view.add_argument("--renderer", choices=["exact", "fast"], default="fast")
    view.add_argument("--size", type=int, default=256, metavar="N", help="side in pixels (256)")
    view.add_argument("--frames", type=int, default=96, metavar="N", help="of one turn (96)")
    view.add_argument(
        "--poses",
        type=Path,
        metavar="FILE",
        help="transforms.json in LearnIt format, in the frame of the input view: y up, the "
        "object in the unit sphere, the input camera at azimuth 0 on +z; renders views/000.png …",
    )
    view.add_argument(
        "--refine",
        type=int,
        default=0,
        metavar="N",
        help="steps of test-time optimisation: fit the networks on to the photo before rendering",
    )
    view.add_argument("--mask", type=Path, help="picture of the mask, white where the object is")
    sound = commands.add_parser(
        "sound", aliases=["audio"], help="a sound in, its resynthesis and networks out"
    )
    sound.add_argument(
        "clip", type=Path, metavar="CLIP", help="any sound file, or a video; its first 60 s"
    )
    _add_shared(sound)
    sound.add_argument(
        "--rate", type=int, metavar="HZ", help="of the resynthesis; the clip's own by default"
    )
    return parser.parse_args(argv)


def _add_shared(command: argparse.ArgumentParser) -> None:
    """The options of every command."""
    command.add_argument("-o", "--out", type=Path, required=True, metavar="DIR")
    command.add_argument("--model", choices=["foundation", "scratch", "both"], default="both")
    command.add_argument(
        "--weights",
        type=Path,
        help="folder of the checkpoints (HYPERDEMO_WEIGHTS, or weights/ beside the package)",
    )
    command.add_argument("--device", choices=["cpu", "cuda"], help="the GPU if there is one")


def run_view(args: argparse.Namespace) -> Path:
    """Write all results of one photo; returns the path of `result.json`.

    Raises:
        ValueError: a picture, poses file, checkpoint or number that cannot be used.
    """
    # Here, not above: `--help` and a mistyped option need no torch.
    from hyperdemo.config import ViewRequest
    from hyperdemo.media.image import decode_image
    from hyperdemo.pipeline import MODEL_NAMES, ViewPipeline
    from hyperdemo.render.cameras import read_poses
    from hyperdemo.results import ViewWriter, check_truths, swapped_in

    poses = read_poses(args.poses) if args.poses else None
    if poses is not None:
        check_truths(poses)
    request = ViewRequest(
        size=args.size, n_frames=args.frames, renderer=args.renderer, refine_steps=args.refine
    )
    rgba = decode_image(args.photo)
    mask = decode_image(args.mask)[..., 0] if args.mask else None
    names = MODEL_NAMES if args.model == "both" else (args.model,)
    pipeline = ViewPipeline.from_weights(args.weights, names=names, device=args.device)
    prepared = pipeline.prepare(rgba, mask=mask)
    with swapped_in(args.out, MODEL_NAMES) as folder:
        with ViewWriter(folder, pipeline, request=request, poses=poses) as writer:
            for event in _shown(pipeline.view(prepared, request, poses=poses)):
                writer.take(event)
            result = writer.finish(photo=args.photo, mask_source=prepared.mask_source)
    return args.out / result.name


def run_sound(args: argparse.Namespace) -> Path:
    """Write all results of one sound; returns the path of `result.json`.

    Raises:
        ValueError: a sound, checkpoint or rate that cannot be used.
    """
    from hyperdemo.config import SoundRequest
    from hyperdemo.media.audio import DEFAULT_MAX_SECONDS, decode_audio
    from hyperdemo.pipeline import MODEL_NAMES, SoundPipeline
    from hyperdemo.preprocess.sound import prepare_sound
    from hyperdemo.results import SoundWriter, swapped_in

    request = SoundRequest(rate_hz=args.rate)
    prepared = prepare_sound(decode_audio(args.clip, max_seconds=DEFAULT_MAX_SECONDS))
    names = MODEL_NAMES if args.model == "both" else (args.model,)
    pipeline = SoundPipeline.from_weights(args.weights, names=names, device=args.device)
    if prepared.truncated:
        print(
            f"hyperdemo: {args.clip.name} is longer than {DEFAULT_MAX_SECONDS:.0f} s; "
            "the rest is left out",
            file=sys.stderr,
        )
    if prepared.quieter_db >= 0.1:
        print(
            f"hyperdemo: {args.clip.name} goes beyond full scale; it is made "
            f"{prepared.quieter_db:.1f} dB quieter, so that nothing is clipped",
            file=sys.stderr,
        )
    with swapped_in(args.out, MODEL_NAMES) as folder:
        writer = SoundWriter(folder, pipeline, request=request, prepared=prepared)
        for event in _shown(pipeline.listen(prepared, request)):
            writer.take(event)
        result = writer.finish(clip=args.clip)
    return args.out / result.name


def _shown(events: Iterator) -> Iterator:
    """The same events; their progress goes to the terminal."""
    from hyperdemo.events import Progress

    live = sys.stderr.isatty()
    try:
        for event in events:
            if isinstance(event, Progress) and live:
                print(f"\r\033[K{event.fraction:4.0%} {event.message}", end="", file=sys.stderr)
            yield event
    finally:
        if live:
            print(file=sys.stderr)


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; 0 on success, 2 where the input cannot be used, 130 after Ctrl-C."""
    args = parse_arguments(argv)
    run = {"view": run_view, "sound": run_sound, "audio": run_sound}[args.command]
    # Before torch is loaded: threads that wait by spinning slow everybody down on a busy machine.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        print(run(args))
    except (ValueError, OSError) as error:
        full = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
        words = f"no room is left on the disk of {args.out}; make some, and run it again"
        print(f"hyperdemo: {words if full else error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("hyperdemo: interrupted", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
