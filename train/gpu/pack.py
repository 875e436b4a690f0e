"""What a bare machine needs, in parts: `python -m train.gpu.pack`.

The backbone in half precision and the objects of the splits as compressed meshes, into
`artefacts/gpu/part-1/`, `part-2/`, …; each folder travels by itself. About five minutes.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from tqdm import tqdm

from train.config import TrainConfig, load_config
from train.gpu.meshes import Arrays, pack_mesh
from train.gpu.parts import MIB, split
from train.gpu.views import PACK, save_objects, splits_of
from train.objects.entries import Entry, read, read_entries
from train.objects.furniture import normalise
from train.objects.render_views import view_angles
from train.provenance import git_hash
from train.view.data import split_objects

PART_MIB = 56
"""With the checkout itself, but for its checkpoints, that is less than 64."""
CHUNK = 64  # objects per compressed file


def pack_object(entry: Entry) -> Arrays:
    """A mesh, its textures, and where its cameras stand.

    Raises:
        ValueError: it cannot be used.
    """
    mesh, textures = read(entry)
    angles = view_angles(entry.object_id).astype("float32")
    return pack_mesh(normalise(mesh), textures) | {"angles": angles}


def pack(
    config: TrainConfig, entries: Mapping[str, Entry], out: Path, *, limit: int = PART_MIB * MIB
) -> list[Path]:
    """Write all parts, each into a folder of its own; returns the folders.

    Args:
        config: of the training; its splits say which objects.
        entries: what there is, by its id.
        limit: of a part, in bytes.

    Raises:
        ValueError: an object of the splits is not there.
    """
    known = {split: split_objects(config.data, split)[0] for split in splits_of(config.data)}
    ids = [name for split in known.values() for name in split]
    if absent := sorted(set(ids) - set(entries)):
        raise ValueError(f"{len(absent)} objects are not there, as {absent[0]}; see --models")
    with tempfile.TemporaryDirectory() as draft:
        files = {"backbone.safetensors": Path(draft) / "backbone.safetensors"}
        backbone = {k: t.to(torch.float16) for k, t in load_file(config.backbone_file).items()}
        save_file(backbone, files["backbone.safetensors"])
        about = Path(draft) / "about.json"
        about.write_text(json.dumps({"git": git_hash(), "objects": len(ids)}) + "\n")
        files["about.json"] = about
        for number, start in enumerate(tqdm(range(0, len(ids), CHUNK), disable=None)):
            chunk = {name: pack_object(entries[name]) for name in ids[start : start + CHUNK]}
            path = Path(draft) / f"objects-{number:03d}.xz"
            save_objects(path, chunk)
            files[path.name] = path
        parts = split(files, out, name=PACK, limit=limit)
    folders = []
    for number, part in enumerate(parts, start=1):
        folders.append(out / f"part-{number}")
        folders[-1].mkdir(exist_ok=True)
        part.rename(folders[-1] / part.name)
        (folders[-1] / f"{PACK}.json").write_bytes((out / f"{PACK}.json").read_bytes())
    return folders


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m train.gpu.pack", description=__doc__)
    parser.add_argument("--config", default="view-gpu")
    parser.add_argument("--sources", type=Path, default=Path("data/sources"))
    parser.add_argument("--models", type=Path, default=Path("data/models"))
    parser.add_argument("--out", type=Path, default=Path("artefacts/gpu"))
    args = parser.parse_args(argv)
    config = load_config(args.config)
    entries = {entry.object_id: entry for entry in read_entries(args.sources, args.models)}
    for folder in pack(config, entries, args.out):
        size = sum(path.stat().st_size for path in folder.iterdir())
        print(f"{folder}: {size / MIB:.1f} MiB")


if __name__ == "__main__":
    main()
