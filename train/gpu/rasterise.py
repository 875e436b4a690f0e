"""Triangles → RGBA views in plain torch, for a machine with a GPU and without OpenGL.

It shows what `train.objects.rasterise` shows: the same lights, the same 4×4 samples of a pixel,
each with its threshold of opacity. Every triangle of every view is expanded to the samples of its
bounding box; the nearest surface of each sample is found by one scattered minimum.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from PIL import Image
from torch import Tensor

from train.objects.obj import PALETTE_ROWS, Mesh

SUPERSAMPLE = 4
FRAGMENTS = 2**24
"""Samples that are tried at a time: 3 GB of a GPU's memory."""
_BAYER = (0, 8, 2, 10, 12, 4, 14, 6, 3, 11, 1, 9, 15, 7, 13, 5)
_TRIANGLES = 2**24
_DEPTHS = 2**30
_NOTHING = 2**62
_TOLERANCE = 1e-5  # of barycentric coordinates: neighbours overlap rather than leave a crack
# Directions towards the lights, and their strengths.
_KEY, _FILL = (0.35, 0.85, 0.40), (-0.75, 0.20, -0.35)


@dataclass(frozen=True)
class Textures:
    """All texels of an object's textures and of their halves, quarters, … in one row.

    Attributes:
        texels: straight RGBA.
        first, width, height: of each level of each texture.
        base: first level of each texture.
        levels: of each texture.
        nearest: which textures are lists of colours.
    """

    texels: UInt8[Tensor, "x 4"]
    first: Int[Tensor, " l"]
    width: Int[Tensor, " l"]
    height: Int[Tensor, " l"]
    base: Int[Tensor, " k"]
    levels: Int[Tensor, " k"]
    nearest: Tensor

    @classmethod
    def of(cls, images: Sequence[Image.Image], *, device: torch.device) -> Textures:
        levels: list[np.ndarray] = []
        base, count, nearest = [], [], []
        for image in images:
            image = image.convert("RGBA")
            base.append(len(levels))
            nearest.append(min(image.size) <= PALETTE_ROWS)
            levels.append(np.asarray(image))
            while not nearest[-1] and max(image.size) > 1:
                image = image.resize(
                    (max(1, image.width // 2), max(1, image.height // 2)), Image.Resampling.BOX
                )
                levels.append(np.asarray(image))
            count.append(len(levels) - base[-1])
        sizes = [level.shape[:2] for level in levels] or [(1, 1)]
        flat = [level.reshape(-1, 4) for level in levels] or [np.zeros((1, 4), np.uint8)]
        first = np.cumsum([0, *(h * w for h, w in sizes)])[:-1]

        def whole(values: Sequence[int] | np.ndarray) -> Tensor:
            return torch.tensor(np.asarray(values, np.int64), device=device)

        return cls(
            torch.from_numpy(np.concatenate(flat)).to(device),
            whole(first), whole([w for _, w in sizes]), whole([h for h, _ in sizes]),
            whole(base or [0]), whole(count or [1]), whole(nearest or [0]).bool(),
        )  # fmt: skip

    def sample(
        self, texture: Int[Tensor, " n"], uv: Float[Tensor, "n 2"], lod: Float[Tensor, " n"]
    ) -> Float[Tensor, "n 4"]:
        """Colour at texture coordinates, v up and repeating: bilinear in the level that is nearest
        to `lod`, the binary logarithm of texels per sample."""
        level = lod.round().long().clamp_min(0).minimum(self.levels[texture] - 1)
        level = level + self.base[texture]
        width, height = self.width[level], self.height[level]
        half = torch.where(self.nearest[texture], 0.0, 0.5)
        x, y = uv[:, 0] * width - half, (1 - uv[:, 1]) * height - half
        left, top = x.floor(), y.floor()
        mix = ~self.nearest[texture]
        right, down = ((x - left) * mix)[:, None], ((y - top) * mix)[:, None]
        columns = [(left.long() + k) % width for k in (0, 1)]
        rows = [self.first[level] + (top.long() + k) % height * width for k in (0, 1)]
        a, b, c, d = (self.texels[row + column].float() for row in rows for column in columns)
        return (
            (a * (1 - right) + b * right) * (1 - down) + (c * (1 - right) + d * right) * down
        ) / 255


class Views:
    """All triangles of an object in all of its views, on the samples of its pictures.

    Args:
        mesh: in the unit sphere, seen from outside of it.
        poses: camera-to-world.
        size: of the pictures, in pixels.
    """

    def __init__(
        self,
        mesh: Mesh,
        textures: Mapping[str, Image.Image],
        poses: Float[np.ndarray, "v 4 4"],
        *,
        size: int,
        fov_deg: float,
        device: torch.device,
    ):
        def put(array: np.ndarray) -> Tensor:
            return torch.from_numpy(np.ascontiguousarray(array)).to(device)

        self.device, self.size = device, size * SUPERSAMPLE
        # Of two surfaces in one place the first is seen, as with OpenGL's depth test.
        order = np.argsort(mesh.material, kind="stable")
        self.positions, self.normals = put(mesh.positions[order]), put(mesh.normals[order])
        self.uvs, self.material = put(mesh.uvs[order]), put(mesh.material[order])
        self.eyes = put(poses[:, :3, 3])
        used = sorted({m.texture for m in mesh.materials if m.texture in textures})
        images = [textures[path] for path in used]
        self.textures = Textures.of(images, device=device)
        rows = [
            [*m.diffuse, m.opacity, used.index(m.texture) if m.texture in used else -1]
            for m in mesh.materials
        ]
        table = put(np.array(rows, np.float32))
        self.diffuse, self.texture = table[:, :4], table[:, 4].long()
        clear = [image.convert("RGBA").getextrema()[3][0] < 255 for image in images]
        self.has_alpha = min(m.opacity for m in mesh.materials) < 1 or any(clear)
        # Screen coordinates in samples, from the top left; 1/depth is linear on the screen.
        turned = (self.positions[None] - self.eyes[:, None, None]) @ put(poses[:, None, :3, :3])
        depth = -turned[..., 2]
        focal = 0.5 * self.size / math.tan(math.radians(fov_deg) / 2)
        x = turned[..., 0] / depth * focal + 0.5 * self.size
        y = -turned[..., 1] / depth * focal + 0.5 * self.size
        near = 1 / depth
        x0, x1 = _span(x, self.size)
        y0, y1 = _span(y, self.size)
        ax, ay = x[..., 1] - x[..., 0], y[..., 1] - y[..., 0]
        bx, by = x[..., 2] - x[..., 0], y[..., 2] - y[..., 0]
        area = ax * by - bx * ay
        counts = (x1 - x0 + 1).clamp_min(0) * (y1 - y0 + 1).clamp_min(0) * (area.abs() > 1e-9)
        self.pairs = counts.flatten().nonzero()[:, 0]

        def kept(values: Tensor) -> Tensor:
            return values.flatten(0, 1)[self.pairs]

        area, ax, ay, bx, by = (kept(v) for v in (area, ax, ay, bx, by))
        self.x0, self.y0, self.width = kept(x0), kept(y0), kept(x1 - x0 + 1)
        self.counts = kept(counts)
        dx, dy = self.x0 + 0.5 - kept(x)[:, 0], self.y0 + 0.5 - kept(y)[:, 0]
        near = kept(near)
        # Barycentric coordinates of the second and third corner from a box's first sample.
        second = torch.stack([by, -bx, dx * by - dy * bx], -1) / area[:, None]
        third = torch.stack([-ay, ax, dy * ax - dx * ay], -1) / area[:, None]
        self.coordinates = torch.stack([second, third], 1)
        self.near = near
        self.view = self.pairs // len(self.positions)
        self.triangle = self.pairs % len(self.positions)
        # Texels per sample, of a texture of one texel: what its size is to be multiplied with.
        u, v = (self.uvs[:, 1:] - self.uvs[:, :1]).unbind(-1)
        spread = (u[:, 0] * v[:, 1] - u[:, 1] * v[:, 0]).abs()[self.triangle] / area.abs()
        self.lod = 0.5 * spread.clamp_min(1e-12).log2()

    def chunks(self) -> Iterator[tuple[Tensor, Tensor, int]]:
        """Ranges of pairs with at most about `FRAGMENTS` samples: pairs, first samples, total."""
        ends = self.counts.cumsum(0)
        total = int(ends[-1]) if len(ends) else 0
        marks = torch.arange(0, total, FRAGMENTS, device=self.device)
        cuts = [*torch.searchsorted(ends, marks, right=True).tolist(), len(ends)]
        for start, stop in zip(cuts[:-1], cuts[1:], strict=True):
            if stop > start:
                before = ends[start] - self.counts[start]
                count = int(ends[stop - 1] - before)
                chosen = torch.arange(start, stop, device=self.device)
                yield chosen, ends[start:stop] - self.counts[start:stop] - before, count

    def surfaces(self) -> tuple[Int[Tensor, " n"], Int[Tensor, " n"]]:
        """Samples that show something, and the pair of view and triangle that each shows."""
        samples = len(self.eyes) * self.size**2
        seen = torch.full((samples,), _NOTHING, dtype=torch.int64, device=self.device)
        for chosen, first, count in self.chunks():
            of = torch.repeat_interleave(chosen, self.counts[chosen], output_size=count)
            offset = torch.arange(count, device=self.device) - first[of - chosen[0]]
            down = offset // self.width[of]
            across = offset - down * self.width[of]
            second, third = self._weights(of, across, down)
            inside = (second >= -_TOLERANCE) & (third >= -_TOLERANCE)
            inside &= second + third <= 1 + _TOLERANCE
            inside = inside.nonzero()[:, 0]
            of, across, down = of[inside], across[inside], down[inside]
            weights = torch.stack(
                [1 - second[inside] - third[inside], second[inside], third[inside]]
            )
            x, y = self.x0[of] + across, self.y0[of] + down
            near = (weights * self.near[of].T).sum(0)
            if self.has_alpha:
                opaque = self._opaque(of, x, y, weights)
                of, x, y, near = (v[opaque] for v in (of, x, y, near))
            place = (self.view[of] * self.size + y) * self.size + x
            # Nothing is nearer than 1 or farther than 8: the object fits the unit sphere.
            depth = ((1 - near.clamp(0.125, 1.0)) * _DEPTHS).long()
            seen.scatter_reduce_(0, place, depth * _TRIANGLES + self.triangle[of], "amin")
        shown = (seen < _NOTHING).nonzero()[:, 0]
        triangle = seen[shown] % _TRIANGLES
        pair = shown // self.size**2 * len(self.positions) + triangle
        return shown, torch.searchsorted(self.pairs, pair)

    def _weights(self, of: Tensor, across: Tensor, down: Tensor) -> tuple[Tensor, Tensor]:
        coordinates = self.coordinates[of]
        second, third = (
            coordinates[:, k, 0] * across + coordinates[:, k, 1] * down + coordinates[:, k, 2]
            for k in (0, 1)
        )
        return second, third

    def _surface(self, of: Tensor, weights: Float[Tensor, "3 n"]) -> tuple[Tensor, Tensor]:
        """Perspective weights of the corners, and the surface's straight RGBA."""
        perspective = (weights * self.near[of].T).T
        perspective = perspective / perspective.sum(1, keepdim=True)
        triangle = self.triangle[of]
        material = self.material[triangle]
        rgba, texture = self.diffuse[material], self.texture[material]
        textured = (texture >= 0).nonzero()[:, 0]
        if len(textured):
            kept = texture[textured]
            uv = (self.uvs[triangle[textured]] * perspective[textured, :, None]).sum(1)
            base = self.textures.base[kept]
            texels = (self.textures.width[base] * self.textures.height[base]).float()
            lod = self.lod[of[textured]] + 0.5 * texels.log2()
            colour = self.textures.sample(kept, uv, lod)
            colour[:, 3] *= rgba[textured, 3]
            rgba[textured] = colour
        return perspective, rgba

    def _opaque(self, of: Tensor, x: Tensor, y: Tensor, weights: Tensor) -> Tensor:
        """Which samples a surface covers: those whose threshold lies below its opacity."""
        material = self.material[self.triangle[of]]
        start, step = 7 * material % 16, 1 + 2 * (material % 8)
        bayer = torch.tensor(_BAYER, device=self.device)[
            (3 - y % SUPERSAMPLE) * 4 + x % SUPERSAMPLE
        ]
        rank = (bayer * step + start) & 15
        return self._surface(of, weights)[1][:, 3] * 16 >= rank + 0.5

    def pictures(self) -> UInt8[Tensor, "v h w 4"]:
        """Straight alpha; colour is 0 where alpha is 0."""
        shown, of = self.surfaces()
        place = shown % self.size**2
        x, y = place % self.size, place // self.size
        second, third = self._weights(of, x - self.x0[of], y - self.y0[of])
        perspective, rgba = self._surface(of, torch.stack([1 - second - third, second, third]))
        triangle = self.triangle[of]
        corners = self.positions[triangle]
        position = (corners * perspective[..., None]).sum(1)
        normal = (self.normals[triangle] * perspective[..., None]).sum(1)
        normal = torch.nn.functional.normalize(normal, dim=-1)
        outward = self.eyes[self.view[of]] - position
        face = torch.linalg.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        turned = (normal * face).sum(-1) * (outward * face).sum(-1) < 0
        normal = torch.where(turned[:, None], -normal, normal)

        def lit(direction: Sequence[float]) -> Tensor:
            towards = torch.tensor(direction, device=self.device)
            return (normal @ (towards / towards.norm())).clamp_min(0)

        light = 0.40 + 0.22 * (0.5 + 0.5 * normal[:, 1]) + 0.42 * lit(_KEY) + 0.14 * lit(_FILL)
        colour = (rgba[:, :3] * light[:, None]).clamp_max(1)
        colour = torch.cat([(colour * 255).round() / 255, torch.ones_like(light)[:, None]], 1)
        views, side = len(self.eyes), self.size // SUPERSAMPLE
        # Each picture's samples are summed pixel by pixel; an empty one adds nothing.
        pixel = (shown // self.size**2 * side + y // SUPERSAMPLE) * side + x // SUPERSAMPLE
        total = torch.zeros(views * side * side, 4, device=self.device)
        total.index_add_(0, pixel, colour)
        rgb = total[:, :3] / total[:, 3:].clamp_min(1)
        picture = torch.cat([rgb, total[:, 3:] / SUPERSAMPLE**2], 1)
        return (picture * 255).round().to(torch.uint8).view(views, side, side, 4)


def _span(values: Float[Tensor, "v t 3"], size: int) -> tuple[Tensor, Tensor]:
    """First and last sample whose centre lies within each triangle's extent along an axis."""
    first = (values.amin(-1) - 0.5).ceil().clamp(0, size).long()
    last = (values.amax(-1) - 0.5).floor().clamp(-1, size - 1).long()
    return first, last
