"""Bake a radiance field into a grid of density and colour, evaluating it only where it matters.

Coarse to fine. Every other node along each axis is evaluated, and a few more in each block of
nodes, which are compared with what lies between the coarse ones by interpolation. A block where
that is wrong is evaluated in full, and so are the blocks that border on a node that was guessed
wrong, until there is none. So empty space and smooth haze cost an eighth of their nodes, and a
thin part is found whole as soon as one node meets it. The march skips what is empty by the
distance of each block to the nearest block with density.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, UInt8
from scipy import ndimage
from torch import Tensor

from hyperdemo.inr.radiance import Field

BLOCK = 4
"""Nodes along the side of a block: the unit of growth and of empty-space skipping."""

_PROBES = 4
_MAX_RESOLUTION = 512


@dataclass(frozen=True)
class BakedField:
    """A field on the nodes of a regular grid over [-1, 1]³, axes x, y, z.

    Node (i, j, k) lies at -1 + 2·(i, j, k)/(r - 1). Nodes outside the unit sphere, but for those
    next to it, hold 0.

    Attributes:
        values: red, green, blue in [0, 1], and density in 1/world unit; in one place, since the
            march wants all of them at once.
        skip: Chebyshev distance, in blocks, to the nearest block whose cells hold density; 0 in
            such a block itself.
        n_evaluated: points at which the field was evaluated.

    Raises:
        ValueError: the arrays do not fit together.
    """

    values: Float[np.ndarray, "r r r 4"]
    skip: UInt8[np.ndarray, "c c c"]
    n_evaluated: int

    def __post_init__(self) -> None:
        side = self.values.shape[0]
        shapes = self.values.shape, self.skip.shape
        if side % BLOCK or shapes != ((side, side, side, 4), (side // BLOCK,) * 3):
            raise ValueError(f"values and skip of one cubic grid expected, got {shapes}")

    @property
    def resolution(self) -> int:
        return self.values.shape[0]

    @property
    def density(self) -> Float[np.ndarray, "r r r"]:
        """1/world unit."""
        return self.values[..., 3]

    @property
    def rgb(self) -> UInt8[np.ndarray, "r r r 3"]:
        """Colour, 0 to 255; it means nothing where the density is 0."""
        return (self.values[..., :3] * 255 + np.float32(0.5)).astype(np.uint8)

    @property
    def n_bytes(self) -> int:
        """Memory that it takes."""
        return self.values.nbytes + self.skip.nbytes


@torch.inference_mode()
def bake(
    field: Field,
    *,
    resolution: int = 128,
    min_density: float = 0.05,
    tolerance: float = 0.02,
    chunk: int = 65536,
    device: torch.device | str = "cpu",
) -> BakedField:
    """Evaluate a field on a grid, leaving out what is empty or smooth.

    Args:
        field: any callable from points to density and colour; one with `at_nodes` is asked there.
        resolution: nodes along each axis, a multiple of 4.
        min_density: what counts as empty, in 1/world unit. Fog below the default stops less than
            a tenth of the light along a whole diameter, and fitted fields hold much of it.
        tolerance: how far an interpolated node may be off, as the share of light that a block of
            the grid stops, and as the colour that it shows.
        chunk: points a call of the field.
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
    asked = _Asked(field, resolution, chunk, torch.device(device))
    coarse = _coarse_nodes(resolution)
    values = np.zeros((resolution,) * 3 + (4,), np.float32)
    asked.write(values, coarse & _inside_sphere(resolution, margin=2))
    _interpolate(values)
    block_length = BLOCK * 2.0 / (resolution - 1)
    pending = _inside_sphere(resolution, margin=1) & ~coarse
    values[~(pending | coarse)] = 0
    wanted = pending & _probe_pattern(resolution)
    while wanted.any():
        wrong = np.zeros_like(wanted)
        guessed = values[wanted]
        asked.write(values, wanted)
        wrong[wanted] = _misses(guessed, values[wanted], block_length) > tolerance
        pending &= ~wanted
        wanted = pending & _expand(touched_blocks(wrong, below=1, above=1))
    values[..., 3][values[..., 3] <= 0] = 0
    occupied = touched_blocks(values[..., 3] > min_density, below=0, above=1)
    return BakedField(values, _distance_in_blocks(occupied), asked.n_points)


def _misses(
    guessed: Float[np.ndarray, "n 4"], found: Float[np.ndarray, "n 4"], length: float
) -> Float[np.ndarray, " n"]:
    """How wrong guesses would look: the difference in opacity and in the colour it shows.

    Args:
        length: of the way over which light is stopped, in world units.
    """
    seen = 1.0 - np.exp(-np.float32(length) * np.stack([guessed[:, 3], found[:, 3]]))
    colour = np.abs(guessed[:, :3] - found[:, :3]).max(axis=1)
    return np.maximum(np.abs(seen[0] - seen[1]), seen.max(axis=0) * colour)


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


def _inside_sphere(resolution: int, *, margin: int) -> Bool[np.ndarray, "r r r"]:
    """Nodes at most `margin` cells, corner to corner, outside the unit sphere."""
    axis = np.linspace(-1.0, 1.0, resolution, dtype=np.float32)
    square = axis * axis
    radius = 1.0 + margin * np.sqrt(3.0) * 2.0 / (resolution - 1)
    return square[:, None, None] + square[:, None] + square <= radius * radius


def _coarse_nodes(resolution: int) -> Bool[np.ndarray, "r r r"]:
    """Every other node along each axis, and the last one, which is an odd one."""
    axis = np.arange(resolution) % 2 == 0
    axis[-1] = True
    return axis[:, None, None] & axis[:, None] & axis


def _interpolate(values: Float[np.ndarray, "r r r 4"]) -> None:
    """Fill what lies between the coarse nodes, one axis after the other."""
    between = slice(1, -2, 2), slice(0, -2, 2), slice(2, None, 2)
    for axis in range(3):
        moved = np.moveaxis(values, axis, 0)
        middle, below, above = (moved[part] for part in between)
        np.add(below, above, out=middle)
        middle *= np.float32(0.5)


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


@dataclass
class _Asked:
    """A field, asked at nodes of a grid, and how many they were."""

    field: Field
    resolution: int
    chunk: int
    device: torch.device
    n_points: int = 0

    def write(
        self, values: Float[np.ndarray, "r r r 4"], wanted: Bool[np.ndarray, "r r r"]
    ) -> None:
        """Overwrite the wanted nodes with what the field says."""
        flat = values.reshape(-1, 4)
        for numbers in _split(np.flatnonzero(wanted), self.chunk):
            nodes = np.stack(np.unravel_index(numbers, wanted.shape), axis=-1)
            density, rgb = self._at(torch.from_numpy(nodes).to(self.device))
            found = torch.cat([rgb.float().clamp(0, 1), density.float()[:, None]], dim=1)
            flat[numbers] = found.cpu().numpy()
            if not np.isfinite(flat[numbers, 3]).all():
                raise ValueError(
                    "the field returned densities that are not finite; check the weights it was "
                    "made of"
                )
            self.n_points += len(numbers)

    def _at(self, nodes: Int[Tensor, "n 3"]) -> tuple[Float[Tensor, " n"], Float[Tensor, "n 3"]]:
        axis = torch.linspace(-1.0, 1.0, self.resolution, device=nodes.device)
        at_nodes = getattr(self.field, "at_nodes", None)
        return self.field(axis[nodes]) if at_nodes is None else at_nodes(axis, nodes)


def _split(numbers: Int[np.ndarray, " n"], chunk: int) -> list[Int[np.ndarray, " m"]]:
    return [numbers[start : start + chunk] for start in range(0, len(numbers), chunk)]


def _distance_in_blocks(occupied: Bool[np.ndarray, "c c c"]) -> UInt8[np.ndarray, "c c c"]:
    if not occupied.any():
        return np.full(occupied.shape, occupied.shape[0], np.uint8)
    return ndimage.distance_transform_cdt(~occupied, metric="chessboard").astype(np.uint8)
