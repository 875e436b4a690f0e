from types import SimpleNamespace

import pytest
import torch

from bench import field as module
from bench.field import ClockedField, Load, bench_field, flop_per_point, points_in_sphere
from bench.timing import table
from hyperdemo.config import FieldConfig
from tests import tiny
from tests.bench.clock import FakeClock

CPU = torch.device("cpu")
# Layers 27→16, 16→16 and 16→4, so 2·(432 + 256 + 64).
FLOP, FLOP_AT_NODES = 1504, 640


def test_operations_counted_by_hand():
    assert flop_per_point(tiny.FIELD) == FLOP
    assert flop_per_point(tiny.FIELD, first_layer=1) == FLOP_AT_NODES
    # 63→128, three of 128→128 and 128→4.
    assert flop_per_point(FieldConfig()) == 2 * (8064 + 3 * 16_384 + 512) == 115_456


def test_points_fill_the_ball_evenly():
    points = points_in_sphere(20_000, device=CPU)
    radii = points.norm(dim=1)
    assert radii.max() <= 1.0 + 1e-6 and points.mean(0).abs().max() < 0.02
    assert (radii < 0.5).float().mean() == pytest.approx(1 / 8, abs=0.01)


class FakeField:
    """Answers at once, but for the clock."""

    def __init__(self, clock, seconds):
        self.clock, self.seconds = clock, seconds
        self.at_nodes = lambda axis, nodes: self.clock.takes(0.5)()

    def __call__(self, points):
        self.clock.now += self.seconds


def fake(monkeypatch, *, product_s, field):
    """Known products and a known field, and a grid of which 3,000 nodes are asked for."""

    def bake(field, *, resolution, device):
        nodes = torch.zeros(1500, 3, dtype=torch.int64)
        if hasattr(field, "at_nodes"):
            return [field.at_nodes(torch.zeros(resolution), nodes) for _ in range(2)]
        return [field(nodes.float()) for _ in range(2)]

    def product(shape, flop, device):
        return field.clock.takes(product_s[shape[0]]), flop

    monkeypatch.setattr(module, "as_field", lambda config, params: field)
    monkeypatch.setattr(module, "bake", bake)
    monkeypatch.setattr(module, "_product", product)


def test_rates_and_shares_from_known_times(monkeypatch):
    field = FakeField(FakeClock(monkeypatch), seconds=0.25)
    fake(monkeypatch, product_s={2: 4.0, 3: 2.0}, field=field)
    load = Load(n_points=1000, gemms=((2, 2, 2), (3, 2, 2)), flop=2.5 * FLOP * 1000)
    found = bench_field(tiny.FIELD, tiny.params(), repeats=3, device=CPU, load=load)
    rows = found["rows"]
    # 3.76 MFLOP in two seconds, and three calls of 1,000 points in a quarter of a second each.
    assert found["peak"] == "torch.mm 3×2×2"
    assert rows["torch.mm 3×2×2"]["values"] == [pytest.approx(1.88e-3)] * 3
    assert rows["field, random points"]["median"] == pytest.approx(0.004)
    share = 100 * 4000 * FLOP / 1.88e6
    assert rows["field, random points: share of peak"]["median"] == pytest.approx(share)
    # Two calls of 1,500 nodes in half a second each, without the first layer.
    assert rows["field, nodes of a grid"]["median"] == pytest.approx(0.003)
    share = 100 * 3000 * FLOP_AT_NODES / 1.88e6
    assert rows["field, nodes of a grid: share of peak"]["median"] == pytest.approx(share)
    assert found["bars"][0]["met"] and found["bars"][0]["at_least"] == 50
    printed = table("field", found)
    assert "peak: torch.mm 3×2×2; 1,504 FLOP a point, 640 of them at nodes" in printed


def test_each_round_is_held_against_its_own_peak(monkeypatch):
    """A machine that is half as fast for one round is so for field and product."""
    field = FakeField(FakeClock(monkeypatch), seconds=1.0)
    durations = iter([9.0, 1.0, 2.0, 4.0])  # the first is the warm-up

    def product(shape, flop, device):
        def work():
            seconds = next(durations)
            field.clock.now += seconds
            field.seconds = seconds

        return work, flop

    fake(monkeypatch, product_s={}, field=field)
    monkeypatch.setattr(module, "_product", product)
    load = Load(n_points=1000, gemms=((2, 2, 2),), flop=FLOP * 1000)
    found = bench_field(tiny.FIELD, tiny.params(), repeats=3, device=CPU, load=load)["rows"]
    assert found["field, random points"]["values"] == pytest.approx([1e-3, 5e-4, 2.5e-4])
    assert found["field, random points: share of peak"]["values"] == pytest.approx([100.0] * 3)


def test_a_field_without_nodes_multiplies_its_first_layer_there_too(monkeypatch):
    clock = FakeClock(monkeypatch)
    field = SimpleNamespace(clock=clock)
    fake(monkeypatch, product_s={2: 1.0}, field=field)
    monkeypatch.setattr(module, "as_field", lambda config, params: clock.takes(0.5))
    load = Load(n_points=1000, gemms=((2, 2, 2),), flop=1e6)
    found = bench_field(tiny.FIELD, tiny.params(), repeats=1, device=CPU, load=load)
    assert found["rows"]["field, nodes of a grid"]["median"] == pytest.approx(0.003)
    share = found["rows"]["field, nodes of a grid: share of peak"]["median"]
    assert share == pytest.approx(100 * 3000 * FLOP / 1e6)
    assert "at nodes" not in found["notes"][0]


def test_a_clocked_field_answers_as_the_field_does():
    ball = tiny.Ball(density=3.0, radius=0.5)
    clocked = ClockedField(ball, CPU)
    points = points_in_sphere(50, device=CPU)
    for found, expected in zip(clocked(points), ball(points), strict=True):
        assert torch.equal(found, expected)
    assert clocked.n_points == 50 and clocked.seconds > 0 and not hasattr(clocked, "at_nodes")


def test_on_a_real_field():
    load = Load(n_points=500, resolution=16, gemms=((8, 8, 8), (16, 8, 4)), flop=1e5)
    found = bench_field(tiny.FIELD, tiny.params(), repeats=2, device=CPU, load=load)
    assert set(found["rows"]) == {
        "torch.mm 8×8×8", "torch.mm 16×8×4",
        "field, random points", "field, random points: share of peak",
        "field, nodes of a grid", "field, nodes of a grid: share of peak",
    }  # fmt: skip
    assert all(row["low"] > 0 and len(row["values"]) == 2 for row in found["rows"].values())
    assert found["flop_per_point"] == FLOP
