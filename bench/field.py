"""How fast a generated field is evaluated, compared with plain matrix products."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from bench.timing import bar, rounds, row, timed
from hyperdemo.config import FieldConfig
from hyperdemo.inr import Field, InrParams, as_field
from hyperdemo.pipeline.view import GRID
from hyperdemo.render.bake import bake

RAYS = 4096
"""Rays that the exact renderer evaluates at a time, each at `GRID` points."""

GEMMS = ((2048, 2048, 2048), (4096, 128, 128), (16384, 128, 128))
"""(m, k, n) of the products; the last two are hidden layers of the field on many points."""

SHARE = 50.0
"""Bar: per cent of the fastest product's speed, counting the field's products alone."""

# Enough for a tenth of a second or more, so that neither clock nor launch matters.
_FLOP = {"cpu": 2e10, "cuda": 1e13}


@dataclass(frozen=True)
class Load:
    """How much is done between two looks at the clock.

    Attributes:
        n_points: random points per call of the field.
        resolution: nodes along an axis of the baked grid.
        gemms: shapes of the products.
        flop: floating-point operations of each product's repetitions; by device if not given.
    """

    n_points: int = RAYS * GRID
    resolution: int = GRID
    gemms: Sequence[tuple[int, int, int]] = GEMMS
    flop: float | None = None


def flop_per_point(config: FieldConfig, *, first_layer: int = 0) -> int:
    """Multiplications and additions of the layers' products; encodings do not count."""
    return sum(2 * i * o for i, o in config.layer_shapes[first_layer:])


def bench_field(
    config: FieldConfig,
    params: InrParams,
    *,
    repeats: int,
    device: torch.device,
    load: Load | None = None,
) -> dict[str, Any]:
    """Points per second at random points and at the nodes that `bake` asks for.

    Each round measures the field and all products, so that a share of the peak compares what ran
    under the same conditions. The peak is the product with the fastest median.
    """
    load = load or Load()
    flop = load.flop or _FLOP[device.type]
    field = as_field(config, params)
    points = points_in_sphere(load.n_points, device=device)
    calls = math.ceil(flop / (flop_per_point(config) * load.n_points))
    products = {_label(shape): _product(shape, flop, device) for shape in load.gemms}

    def once() -> dict[str, float]:
        rates = {name: done / timed(work, device=device)[0] / 1e9
                 for name, (work, done) in products.items()}  # fmt: skip
        seconds, _ = timed(lambda: [field(points) for _ in range(calls)], device=device)
        clocked = ClockedField(field, device)
        bake(clocked, resolution=load.resolution, device=device)
        return rates | {
            "random points": calls * load.n_points / seconds / 1e6,
            "nodes of a grid": clocked.n_points / clocked.seconds / 1e6,
        }

    return _part(rounds(once, repeats=repeats), config, list(products), field)


def _part(
    found: dict[str, list[float]], config: FieldConfig, products: list[str], field: Field
) -> dict[str, Any]:
    """The rows, with the share of each round's own peak."""
    rows = {name: row(found[name], "GFLOP/s") for name in products}
    peak = max(products, key=lambda name: rows[name]["median"])
    # At the nodes of a grid, tables replace the first layer's product, if the field has them.
    skipped = 1 if hasattr(field, "at_nodes") else 0
    for name, first_layer in (("random points", 0), ("nodes of a grid", skipped)):
        # Mega-points times this are giga-FLOP.
        each = flop_per_point(config, first_layer=first_layer) / 1e3
        shares = [100 * p * each / g for p, g in zip(found[name], found[peak], strict=True)]
        rows[f"field, {name}"] = row(found[name], "Mpoint/s")
        rows[f"field, {name}: share of peak"] = row(shares, "%")
    share = rows["field, random points: share of peak"]
    counted = f"{flop_per_point(config):,} FLOP per point"
    if skipped:
        counted += f", {flop_per_point(config, first_layer=1):,} of them at nodes"
    return {
        "rows": rows,
        "bars": [bar("field's share of peak", share, at_least=SHARE)],
        "notes": [f"peak: {peak}; {counted}"],
        "flop_per_point": flop_per_point(config),
        "peak": peak,
    }


class ClockedField:
    """A field that counts the points it is asked for and the seconds it takes."""

    def __init__(self, field: Field, device: torch.device):
        self.field, self.device = field, device
        self.n_points, self.seconds = 0, 0.0
        # Bake asks for nodes only where a field has this.
        if hasattr(field, "at_nodes"):
            self.at_nodes = self._at_nodes

    def __call__(
        self, points: Float[Tensor, "n 3"]
    ) -> tuple[Float[Tensor, " n"], Float[Tensor, "n 3"]]:
        return self._clock(lambda: self.field(points), len(points))

    def _at_nodes(
        self, axis: Float[Tensor, " r"], nodes: Int[Tensor, "n 3"]
    ) -> tuple[Float[Tensor, " n"], Float[Tensor, "n 3"]]:
        return self._clock(lambda: self.field.at_nodes(axis, nodes), len(nodes))

    def _clock(
        self, work: Callable[[], tuple[Tensor, Tensor]], n_points: int
    ) -> tuple[Tensor, Tensor]:
        seconds, answer = timed(work, device=self.device)
        self.n_points += n_points
        self.seconds += seconds
        return answer


def points_in_sphere(n: int, *, device: torch.device) -> Float[Tensor, "n 3"]:
    """Points spread evenly over the unit ball."""
    generator = torch.Generator().manual_seed(0)
    points = torch.randn(n, 3, generator=generator)
    radii = torch.rand(n, 1, generator=generator) ** (1 / 3)
    return (points / points.norm(dim=1, keepdim=True) * radii).to(device)


def _label(shape: tuple[int, int, int]) -> str:
    return "torch.mm " + "×".join(str(n) for n in shape)


def _product(
    shape: tuple[int, int, int], flop: float, device: torch.device
) -> tuple[Callable[[], None], float]:
    """Work that multiplies matrices over and over, and the operations it does."""
    m, k, n = shape
    times = math.ceil(flop / (2 * m * k * n))
    a, b = torch.randn(m, k, device=device), torch.randn(k, n, device=device)
    out = torch.empty(m, n, device=device)

    def work() -> None:
        for _ in range(times):
            torch.mm(a, b, out=out)

    return work, 2.0 * m * k * n * times
