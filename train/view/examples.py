"""The app's examples with ground truth: `python -m train.view.examples --models data/models`.

Renders held-out objects into `examples/objects/<id>/`: `input.webp` (the picture a visitor picks,
straight alpha), `transforms.json` (LearnIt format, in the frame of the input view; the first pose
is the input's own), `truth.webp` (the true views in one strip) and `name.txt`.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from PIL import Image

from hyperdemo.config import CAMERA_FOV_DEG
from hyperdemo.render.cameras import look_at_origin
from train.objects.entries import Entry, read, read_entries
from train.objects.furniture import normalise
from train.objects.rasterise import Rasteriser
from train.objects.sheets import save_transforms
from train.view.data import read_split

INPUT_SIZE = 384
TRUTH_SIZE = 128
SOURCE_AZIMUTH_DEG = 35.0
SOURCE_ELEVATION_DEG = 20.0

# Held-out objects that a visitor knows at a glance, chosen by their pictures alone; the bed is of
# a class that no training saw.
CHOSEN = {
    "blend-swap-cc-0-chair": "Chair",
    "blend-swap-cc-by-sofa3": "Sofa",
    "blend-swap-cc-by-green-stool": "Stool",
    "blend-swap-cc-0-barrel": "Barrel",
    "scopia-bar-table": "Bar table",
    "kator-legaz-hanging-restaurant-light": "Hanging light",
    "kator-legaz-vw-new-beetle": "VW new beetle",
    "scopia-bed1": "Bed",
    "kaykit.car-police-2753": "Police car",
    "quaternius.tree1-2202": "Tree",
    "tinytreats.cake-birthday-3130": "Birthday cake",
    "tinytreats.teapot-3208": "Teapot",
}


def truth_angles(n_views: int = 8) -> np.ndarray:
    """Azimuth from the input view and elevation, in degrees: the input's own, then round it."""
    azimuths = np.arange(n_views) * 360.0 / n_views
    return np.stack([azimuths, np.full(n_views, SOURCE_ELEVATION_DEG)], axis=-1)


def write_example(piece: Entry, out: Path, *, name: str) -> Path:
    """Render one object, called so; returns its folder."""
    folder = out / piece.object_id
    folder.mkdir(parents=True, exist_ok=True)
    mesh, textures = read(piece)
    mesh = normalise(mesh)
    angles = truth_angles()
    # The object keeps its own axes in the file; the cameras go round it from the input on.
    cameras = [look_at_origin(SOURCE_AZIMUTH_DEG + float(a), float(e)) for a, e in angles]
    for file, size, shown in (
        ("input", INPUT_SIZE, cameras[:1]), ("truth", TRUTH_SIZE, cameras),
    ):  # fmt: skip
        with Rasteriser(size=size, fov_deg=CAMERA_FOV_DEG) as rasteriser:
            strip = np.concatenate(list(rasteriser.render(mesh, np.stack(shown), textures)), axis=1)
        Image.fromarray(strip).save(folder / f"{file}.webp", lossless=True, exact=True)
    poses = np.stack([look_at_origin(float(a), float(e)) for a, e in angles])
    save_transforms(folder / "transforms.json", poses, angles, fov_deg=CAMERA_FOV_DEG)
    (folder / "name.txt").write_text(f"{name}\n")
    return folder


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m train.view.examples", description=__doc__)
    parser.add_argument("--sources", type=Path, default=Path("data/sources"))
    parser.add_argument("--models", type=Path, help="folder of models beside the furniture")
    parser.add_argument("--splits", type=Path, default=Path("train/splits-with-models.json"))
    parser.add_argument("--out", type=Path, default=Path("examples/objects"))
    parser.add_argument("--only", nargs="*", default=CHOSEN, metavar="ID")
    args = parser.parse_args()
    splits = ("test", "unseen", "test-models")
    held_out = {name for split in splits for name in read_split(args.splits, split)[0]}
    pieces = {piece.object_id: piece for piece in read_entries(args.sources, args.models)}
    for name in args.only:
        if name not in held_out:
            raise ValueError(f"{name} is not held out; an example must be new to the models")
        print(write_example(pieces[name], args.out, name=CHOSEN.get(name, pieces[name].name)))


if __name__ == "__main__":
    main()
