"""Renders every usable object into a folder of its own.

    python -m train.objects.render_views --out data/views --workers 2
    python -m train.objects.render_views --models data/models
    python -m train.objects.render_views --variants 3

Writes OUT/<object_id>/sheet.webp and transforms.json (see `train.objects.sheets`), and
OUT/skipped.json with the reason for every piece left out. Finished objects are not rendered again.
About 8 minutes on 2 cores with Mesa's software OpenGL, 100 MB. With `--models` the models of a
folder are rendered beside the furniture, see `train.objects.collection`. With `--variants` each
training object is rendered so many times more, in other proportions and colours, see
`train.objects.variants`.
"""

import argparse
import hashlib
import json
import multiprocessing
import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float
from tqdm import tqdm

from hyperdemo.config import CAMERA_FOV_DEG
from hyperdemo.render.cameras import look_at_origin
from train.objects.entries import Entry, read, read_entries, why_unused
from train.objects.furniture import fit_sphere, normalise
from train.objects.rasterise import Rasteriser
from train.objects.sheets import SHEET, TRANSFORMS, save_sheet, save_transforms
from train.objects.splits import SPLITS_PATH, load_splits
from train.objects.variants import variant_id, vary

N_VIEWS = 32
ELEVATION_DEG = (0.0, 50.0)

_rasteriser: Rasteriser | None = None  # one a process, made in it: a context cannot be sent


def view_angles(object_id: str, n_views: int = N_VIEWS) -> Float[np.ndarray, "n 2"]:
    """Azimuth in [0, 360) and elevation in degrees of an object's cameras, fixed by its id.

    Azimuths are stratified: one at random in each of n equal parts of the circle.
    """
    seed = int.from_bytes(hashlib.sha256(object_id.encode()).digest()[:8], "big")
    rng = np.random.default_rng(seed)
    azimuth = (np.arange(n_views) + rng.random(n_views)) * 360.0 / n_views
    return np.stack([azimuth, rng.uniform(*ELEVATION_DEG, n_views)], axis=-1)


def render_piece(
    piece: Entry, out: Path, rasteriser: Rasteriser, *, variant: int = 0
) -> str | None:
    """Renders an object, or one of its variants, into the folder of OUT that is named like it.

    Returns:
        Why not, where it cannot be used.
    """
    name = variant_id(piece.object_id, variant)
    folder = out / name
    if (folder / TRANSFORMS).is_file():
        return None
    try:
        mesh, textures = read(piece)
        mesh = normalise(mesh)
    except ValueError as reason:
        return str(reason)
    if variant:
        # Whether it can be used is for the original to say: it may be flatter, pressed.
        mesh, textures = vary(mesh, textures, name=name)
        mesh = fit_sphere(mesh)
    angles = view_angles(name)
    poses = np.stack([look_at_origin(float(a), float(e)) for a, e in angles])
    views = rasteriser.render(mesh, poses, textures)
    # A folder appears under its name only when it is complete.
    unfinished = out / f".{name}.part"
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    save_sheet(unfinished / SHEET, views)
    save_transforms(unfinished / TRANSFORMS, poses, angles, fov_deg=CAMERA_FOV_DEG)
    unfinished.rename(folder)
    return None


def process_rasteriser() -> Rasteriser:
    """The one of this process, made when it is first asked for."""
    global _rasteriser
    if _rasteriser is None:
        _rasteriser = Rasteriser(fov_deg=CAMERA_FOV_DEG)
    return _rasteriser


def _in_worker(job: tuple[Entry, Path, int]) -> tuple[str, str | None]:
    piece, out, variant = job
    name = variant_id(piece.object_id, variant)
    try:
        return name, render_piece(piece, out, process_rasteriser(), variant=variant)
    except Exception as error:
        raise RuntimeError(f"could not render {name}") from error


def _results(
    jobs: Sequence[tuple[Entry, Path, int]], workers: int
) -> Iterator[tuple[str, str | None]]:
    if workers == 1:
        yield from map(_in_worker, jobs)
        return
    # Mesa's rasteriser must not start a thread a core in every process.
    os.environ.setdefault("LP_NUM_THREADS", "1")
    with multiprocessing.get_context("spawn").Pool(workers) as pool:
        yield from pool.imap_unordered(_in_worker, jobs, chunksize=1)


def render_all(
    pieces: Sequence[Entry], out: Path, workers: int, *, variants: Sequence[int] = (0,)
) -> dict[str, str]:
    """Renders the usable pieces, or variants of them; returns the reason for each of the others."""
    skipped = {p.object_id: why for p in pieces if (why := why_unused(p))}
    jobs = [(p, out, k) for p in pieces if p.object_id not in skipped for k in variants]
    out.mkdir(parents=True, exist_ok=True)
    for object_id, why in tqdm(_results(jobs, workers), total=len(jobs), unit="object"):
        if why:
            skipped[object_id] = why
    return dict(sorted(skipped.items()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sources", type=Path, default=Path("data/sources"))
    parser.add_argument("--models", type=Path, help="folder of models with a table")
    parser.add_argument("--out", type=Path, default=Path("data/views"))
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--only", nargs="*", help="object ids; all where not given")
    parser.add_argument("--variants", type=int, default=0, help="of each training object")
    parser.add_argument("--splits", type=Path, default=SPLITS_PATH, help="who trains")
    args = parser.parse_args()
    only = set(args.only or ()) or (
        set(load_splits(args.splits)["train"]) if args.variants else set()
    )
    pieces = [p for p in read_entries(args.sources, args.models) if not only or p.object_id in only]
    numbers = range(1, args.variants + 1) if args.variants else (0,)
    skipped = render_all(pieces, args.out, args.workers, variants=numbers)
    if not only:
        (args.out / "skipped.json").write_text(json.dumps(skipped, indent=1) + "\n")
    rendered = len(pieces) * len(numbers) - len(skipped)
    print(f"{rendered} objects in {args.out}, {len(skipped)} left out")


if __name__ == "__main__":
    main()
