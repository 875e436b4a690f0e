"""All objects of a pack, rendered on the device into the folders that a training maps."""

from __future__ import annotations

import io
import json
import lzma
import math
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from PIL import Image
from torch import Tensor

from hyperdemo.config import CAMERA_FOV_DEG
from hyperdemo.preprocess.frame import ALPHA_THRESHOLD, DEFAULT_FILL, frame_input
from hyperdemo.render.cameras import look_at_origin
from train.config import ViewData
from train.gpu.meshes import Arrays, unpack_mesh
from train.gpu.rasterise import Views
from train.objects.obj import Mesh
from train.objects.sheets import TILE
from train.view.data import packed_folder, split_objects
from train.view.packed import Allocate, kept

PACK = "pack"
"""Name of the parts that go in."""
SPLITS = ("train", "val", "test", "unseen", "test-models")
Object = tuple[str, Mesh, dict[str, Image.Image], np.ndarray]
"""Name, mesh, textures, and azimuth and elevation of its cameras in degrees."""


def splits_of(data: ViewData) -> list[str]:
    """The splits that are rendered: of those known, the ones that the splits file has."""
    there = json.loads(Path(data.splits_file).read_text())
    return [split for split in SPLITS if split in there]


def save_objects(path: Path, objects: Mapping[str, Arrays]) -> None:
    """Some objects in one compressed file: like beside like, which saves a third."""
    fields = sorted({field for arrays in objects.values() for field in arrays})
    joined = {f: [np.ravel(arrays[f]) for arrays in objects.values()] for f in fields}
    shapes = {name: {f: arrays[f].shape for f in fields} for name, arrays in objects.items()}
    out = io.BytesIO()
    about = np.frombuffer(json.dumps(shapes).encode(), np.uint8)
    np.savez(out, shapes=about, **{f: np.concatenate(parts) for f, parts in joined.items()})
    path.write_bytes(lzma.compress(out.getvalue()))


def load_objects(path: Path) -> dict[str, Arrays]:
    """The inverse of `save_objects`."""
    with np.load(io.BytesIO(lzma.decompress(path.read_bytes()))) as file:
        joined = dict(file)
    shapes = json.loads(joined.pop("shapes").tobytes())
    found: dict[str, Arrays] = {name: {} for name in shapes}
    for field, values in joined.items():
        start = 0
        for name, own in shapes.items():
            size = math.prod(own[field])
            found[name][field] = values[start : start + size].reshape(own[field])
            start += size
    return found


def read_objects(folder: Path, *, workers: int) -> Iterator[Object]:
    """All objects of a folder, decoded by several threads, in no order that matters."""

    def decode(path: Path) -> list[Object]:
        found = []
        for name, arrays in load_objects(path).items():
            mesh, textures = unpack_mesh(arrays)
            for image in textures.values():
                image.load()
            found.append((name, mesh, textures, arrays["angles"]))
        return found

    with ThreadPoolExecutor(workers) as pool:
        for objects in pool.map(decode, sorted(folder.glob("objects-*.xz"))):
            yield from objects


def frame(rgba: UInt8[Tensor, "v h h 4"], *, size: int) -> UInt8[Tensor, "v s s 3"]:
    """`hyperdemo.preprocess.frame_input` of each view, on the views' device if it is enlarged."""
    if size < rgba.shape[1] / DEFAULT_FILL:  # some views may have to be shrunk
        framed = [frame_input(view, size=size) for view in rgba.cpu().numpy()]
        return torch.from_numpy(np.stack(framed)).to(rgba.device)
    opaque = rgba[..., 3] > ALPHA_THRESHOLD
    spans = [opaque.any(axis).int() for axis in (2, 1)]
    first = torch.stack([span.argmax(1) for span in spans], 1)
    last = torch.stack([rgba.shape[1] - span.flip(1).argmax(1) for span in spans], 1)
    alpha = rgba[..., 3:].float() / 255
    pictures = ((rgba[..., :3].float() - 255) * alpha + 255).permute(0, 3, 1, 2)
    framed = torch.full((len(rgba), 3, size, size), 255.0, device=rgba.device)
    boxes = torch.cat([first, last], 1).tolist()
    for picture, out, (top, left, bottom, right) in zip(pictures, framed, boxes, strict=True):
        scale = DEFAULT_FILL * size / max(bottom - top, right - left)
        height, width = (max(1, math.floor(n * scale + 0.5)) for n in (bottom - top, right - left))
        y, x = (size - height) // 2, (size - width) // 2
        out[:, y : y + height, x : x + width] = F.interpolate(
            picture[None, :, top:bottom, left:right], (height, width), mode="bicubic"
        )[0]
    return (framed + 0.5).clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1)


def render_splits(
    folder: Path,
    data: ViewData,
    *,
    input_size: int,
    device: torch.device,
    workers: int,
) -> int:
    """Render the objects of all splits as `train.view.data.load_views` keeps them.

    Args:
        folder: that holds the pack.
        data: its `views_dir` receives a folder per split; those that are there are left alone.
        input_size: side of the framed inputs.

    Returns:
        How many objects were rendered.

    Raises:
        ValueError: the pack lacks an object.
    """
    wanted = {split: split_objects(data, split)[0] for split in splits_of(data)}
    missing = {
        split: ids
        for split, ids in wanted.items()
        if not packed_folder(data, ids, input_size=input_size).is_dir()
    }
    if not missing:
        return 0
    rendered = 0
    # Meshes of all splits are decoded once; a split's folder appears when it is complete.
    meshes = {name: rest for name, *rest in read_objects(folder, workers=workers)}
    for ids in missing.values():
        if lacking := sorted(set(ids) - set(meshes)):
            raise ValueError(f"{folder} lacks {len(lacking)} objects, as {lacking[0]}; pack again")

        def fill(allocate: Allocate, ids: Sequence[str] = ids) -> dict[str, object]:
            poses = []
            for index, name in enumerate(ids):
                mesh, textures, angles = meshes[name]
                poses.append(_poses(angles))
                views = Views(
                    mesh, textures, poses[-1], size=TILE, fov_deg=CAMERA_FOV_DEG,
                    device=device,
                ).pictures()  # fmt: skip
                if not index:
                    shape = (len(ids), len(views))
                    rgba = allocate("rgba", (*shape, TILE, TILE, 4))
                    framed = allocate("framed", (*shape, input_size, input_size, 3))
                rgba[index] = views.cpu()
                framed[index] = frame(views, size=input_size).cpu()
            return {"poses": torch.from_numpy(np.stack(poses)), "fov_deg": CAMERA_FOV_DEG}

        kept(packed_folder(data, ids, input_size=input_size), fill)
        rendered += len(ids)
    return rendered


def _poses(angles: Float[np.ndarray, "v 2"]) -> Float[np.ndarray, "v 4 4"]:
    return np.stack([look_at_origin(float(azimuth), float(height)) for azimuth, height in angles])
