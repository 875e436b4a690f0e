"""Renders every usable piece of furniture into a folder of its own.

    python -m train.render_views --out data/views --workers 2

Writes OUT/<object_id>/sheet.webp and transforms.json (see `train.sheets`), and OUT/skipped.json
with the reason for every piece left out. Finished objects are not rendered again. About 8 minutes
on 2 cores with Mesa's software OpenGL, 100 MB.
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
from train.catalogue import Piece, read_all, read_mesh
from train.furniture import normalise, why_unused
from train.rasterise import Rasteriser
from train.sheets import SHEET, TRANSFORMS, save_sheet, save_transforms

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


def render_piece(piece: Piece, out: Path, rasteriser: Rasteriser) -> str | None:
    """Renders one object into OUT/<object_id>; returns why not, where it cannot be used."""
    folder = out / piece.object_id
    if (folder / TRANSFORMS).is_file():
        return None
    mesh, textures = read_mesh(piece)
    try:
        mesh = normalise(mesh)
    except ValueError as reason:
        return str(reason)
    angles = view_angles(piece.object_id)
    poses = np.stack([look_at_origin(float(a), float(e)) for a, e in angles])
    views = rasteriser.render(mesh, poses, textures)
    # A folder appears under its name only when it is complete.
    unfinished = out / f".{piece.object_id}.part"
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    save_sheet(unfinished / SHEET, views)
    save_transforms(unfinished / TRANSFORMS, poses, angles, fov_deg=CAMERA_FOV_DEG)
    unfinished.rename(folder)
    return None


def _in_worker(job: tuple[Piece, Path]) -> tuple[str, str | None]:
    global _rasteriser
    if _rasteriser is None:
        _rasteriser = Rasteriser(fov_deg=CAMERA_FOV_DEG)
    piece, out = job
    try:
        return piece.object_id, render_piece(piece, out, _rasteriser)
    except Exception as error:
        raise RuntimeError(f"could not render {piece.object_id}") from error


def _results(jobs: Sequence[tuple[Piece, Path]], workers: int) -> Iterator[tuple[str, str | None]]:
    if workers == 1:
        yield from map(_in_worker, jobs)
        return
    # Mesa's rasteriser must not start a thread a core in every process.
    os.environ.setdefault("LP_NUM_THREADS", "1")
    with multiprocessing.get_context("spawn").Pool(workers) as pool:
        yield from pool.imap_unordered(_in_worker, jobs, chunksize=1)


def render_all(pieces: Sequence[Piece], out: Path, workers: int) -> dict[str, str]:
    """Renders the usable pieces; returns the reason for each of the others by object id."""
    skipped = {p.object_id: why for p in pieces if (why := why_unused(p))}
    jobs = [(p, out) for p in pieces if p.object_id not in skipped]
    out.mkdir(parents=True, exist_ok=True)
    for object_id, why in tqdm(_results(jobs, workers), total=len(jobs), unit="object"):
        if why:
            skipped[object_id] = why
    return dict(sorted(skipped.items()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sources", type=Path, default=Path("data/sources"))
    parser.add_argument("--out", type=Path, default=Path("data/views"))
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--only", nargs="*", help="object ids; all where not given")
    args = parser.parse_args()
    pieces = read_all(args.sources)
    if args.only:
        pieces = [p for p in pieces if p.object_id in args.only]
    skipped = render_all(pieces, args.out, args.workers)
    if not args.only:
        (args.out / "skipped.json").write_text(json.dumps(skipped, indent=1) + "\n")
    print(f"{len(pieces) - len(skipped)} objects in {args.out}, {len(skipped)} left out")


if __name__ == "__main__":
    main()
