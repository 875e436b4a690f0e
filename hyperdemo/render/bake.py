"""Bake a radiance field into a grid of density and colour, evaluating it only where it matters.

Probe, then grow: a sparse pattern of grid nodes is evaluated first; each block of nodes next to a
node with density is evaluated in full, and this repeats until no dense node borders on a block
that was left out. So a thin part is found whole as soon as one probe meets it. The march skips
what is empty by the distance of each block to the nearest block with density.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, UInt8, UInt64
from scipy import ndimage

from hyperdemo.inr.radiance import Field

BLOCK = 4
"""Nodes along the side of a block: the unit of growth and of empty-space skipping."""

LANE_BITS = 21
"""Three lanes of a 64-bit word hold a colour, with room for the weights of the interpolation."""

_PROBES = 4
_MAX_RESOLUTION = 512


@dataclass(frozen=True)
class BakedField:
    """A field on the nodes of a regular grid over [-1, 1]³, axes x, y, z.

    Node (i, j, k) lies at -1 + 2·(i, j, k)/(r - 1). Nodes that were not evaluated, and those
    outside the unit sphere, hold density 0.

    Attributes:
        density: 1/world unit.
        packed_rgb: colour as `pack_rgb` packs it; it means nothing where the density is 0.
        skip: Chebyshev distance, in blocks, to the nearest block whose cells hold density; 0 in
            such a block itself.
        n_evaluated: points at which the field was evaluated.

    Raises:
        ValueError: the arrays do not fit together.
    """

    density: Float[np.ndarray, "r r r"]
    packed_rgb: UInt64[np.ndarray, "r r r"]
    skip: UInt8[np.ndarray, "c c c"]
    n_evaluated: int

    def __post_init__(self) -> None:
        side = self.density.shape[0]
        shapes = self.density.shape, self.packed_rgb.shape, self.skip.shape
        if side % BLOCK or shapes != ((side,) * 3, (side,) * 3, (side // BLOCK,) * 3):
            raise ValueError(f"density, colour and skip of one cubic grid expected, got {shapes}")

    @property
    def resolution(self) -> int:
        return self.density.shape[0]

    @property
    def rgb(self) -> UInt8[np.ndarray, "r r r 3"]:
        """Colour, 0 to 255, unpacked."""
        shifts = np.arange(3, dtype=np.uint64) * np.uint64(LANE_BITS)
        return (self.packed_rgb[..., None] >> shifts).astype(np.uint8)


def pack_rgb(rgb: UInt8[np.ndarray, "*n 3"]) -> UInt64[np.ndarray, "*n"]:
    """Colours of 8 bits a channel, each channel in a lane of one word, red lowest."""
    lanes = rgb.astype(np.uint64)
    bits = np.uint64(LANE_BITS)
    return lanes[..., 0] | lanes[..., 1] << bits | lanes[..., 2] << bits + bits


@torch.inference_mode()
def bake(
    field: Field,
    *,
    resolution: int = 128,
    min_density: float = 0.05,
    chunk: int = 16384,
    device: torch.device | str = "cpu",
) -> BakedField:
    """Evaluate a field on a grid, leaving out what is empty.

    Args:
        field: any callable from points to density and colour.
        resolution: nodes along each axis, a multiple of 4.
        min_density: what counts as empty, in 1/world unit. Fog below the default stops less than
            a tenth of the light along a whole diameter, and fitted fields hold much of it.
        chunk: points a call of the field; small enough for the activations to stay in cache.
        device: where the field wants its points.

    Raises:
        ValueError: a resolution that is no multiple of 4 or out of range, or a field that returns
            densities which are not finite.
    """
    if resolution % BLOCK or not 2 * BLOCK <= resolution <= _MAX_RESOLUTION:
        raise ValueError(
            f"resolution must be a multiple of {BLOCK} from {2 * BLOCK} to {_MAX_RESOLUTION}, "
            f"got {resolution}"
        )
    density = np.zeros((resolution,) * 3, np.float32)
    packed_rgb = np.zeros((resolution,) * 3, np.uint64)
    pending = _inside_sphere(resolution)
    wanted = pending & _probe_pattern(resolution)
    n_evaluated = 0
    while wanted.any():
        nodes = np.flatnonzero(wanted)
        _evaluate(field, nodes, density=density, packed_rgb=packed_rgb, chunk=chunk, device=device)
        n_evaluated += len(nodes)
        pending &= ~wanted
        dense = touched_blocks(density > min_density, below=1, above=1)
        wanted = pending & _expand(dense)
    occupied = touched_blocks(density > min_density, below=0, above=1)
    return BakedField(density, packed_rgb, _distance_in_blocks(occupied), n_evaluated)


def touched_blocks(
    nodes: Bool[np.ndarray, "r r r"], *, below: int, above: int
) -> Bool[np.ndarray, "c c c"]:
    """Blocks with a marked node in them, or up to one node below or above them on each axis."""
    for axis in range(3):
        blocks = np.moveaxis(nodes, axis, 0)
        blocks = blocks.reshape(-1, BLOCK, *blocks.shape[1:])
        touched = blocks.any(axis=1)
        if below:
            touched[1:] |= blocks[:-1, -1]
        if above:
            touched[:-1] |= blocks[1:, 0]
        nodes = np.moveaxis(touched, 0, axis)
    return np.ascontiguousarray(nodes)


def _expand(blocks: Bool[np.ndarray, "c c c"]) -> Bool[np.ndarray, "r r r"]:
    for axis in range(3):
        blocks = blocks.repeat(BLOCK, axis=axis)
    return blocks


def _inside_sphere(resolution: int) -> Bool[np.ndarray, "r r r"]:
    """Nodes that the interpolation inside the unit sphere can ask for."""
    axis = np.linspace(-1.0, 1.0, resolution, dtype=np.float32)
    square = axis * axis
    radius = 1.0 + np.sqrt(3.0) * 2.0 / (resolution - 1)
    return square[:, None, None] + square[:, None] + square <= radius * radius


def _probe_pattern(resolution: int) -> Bool[np.ndarray, "r r r"]:
    """A few nodes of each block, such that no slab or rod along an axis slips through.

    Within a block the probes form a Latin square (each coordinate occurs once on each axis), and
    the squares are shifted at random from block to block, by a fixed seed.
    """
    side = resolution // BLOCK
    rng = np.random.default_rng(0)
    shifts = rng.integers(0, BLOCK, size=(2, side, side, side))
    block = np.indices((side,) * 3) * BLOCK
    pattern = np.zeros((resolution,) * 3, bool)
    for probe in range(_PROBES):
        y, z = (probe + shifts[0]) % BLOCK, (3 * probe + shifts[1]) % BLOCK
        pattern[block[0] + probe, block[1] + y, block[2] + z] = True
    return pattern


def _evaluate(
    field: Field,
    nodes: Int[np.ndarray, " n"],
    *,
    density: Float[np.ndarray, "r r r"],
    packed_rgb: UInt64[np.ndarray, "r r r"],
    chunk: int,
    device: torch.device | str,
) -> None:
    """Write the field at the given flat node numbers into the grids."""
    axis = torch.linspace(-1.0, 1.0, density.shape[0])
    flat_density, flat_rgb = density.reshape(-1), packed_rgb.reshape(-1)
    for start in range(0, len(nodes), chunk):
        part = nodes[start : start + chunk]
        cells = np.stack(np.unravel_index(part, density.shape), axis=-1)
        points = axis[torch.from_numpy(cells)].to(device)
        sigma, colour = field(points)
        flat_density[part] = sigma.float().cpu().numpy()
        colour = (colour.float().clamp(0, 1) * 255 + 0.5).to(torch.uint8)
        flat_rgb[part] = pack_rgb(colour.cpu().numpy())
    if not np.isfinite(flat_density[nodes]).all():
        raise ValueError(
            "the field returned densities that are not finite; check the weights it was made of"
        )


def _distance_in_blocks(occupied: Bool[np.ndarray, "c c c"]) -> UInt8[np.ndarray, "c c c"]:
    if not occupied.any():
        return np.full(occupied.shape, occupied.shape[0], np.uint8)
    return ndimage.distance_transform_cdt(~occupied, metric="chessboard").astype(np.uint8)
