"""The model of larger machines, against closed forms."""

import json

import numpy as np
import pytest

from tests.conftest import ROOT
from train.cluster.simulate import ASSUMED, all_reduce_s, needed, step_s, tables, waits_s


def test_a_ring_sends_twice_the_gradient_but_for_one_share():
    # Two workers exchange halves twice; with many each sends nearly all of it twice.
    assert all_reduce_s(80.0, 2, rate=10.0, hop_s=0.0) == pytest.approx(8.0)
    assert all_reduce_s(80.0, 1000, rate=10.0, hop_s=0.0) == pytest.approx(16.0, rel=0.01)
    assert all_reduce_s(80.0, 1, rate=10.0, hop_s=5.0) == 0
    assert all_reduce_s(0.0, 4, rate=10.0, hop_s=0.5) == pytest.approx(3.0)


def test_a_step_is_what_is_computed_and_what_is_sent():
    alone = step_s(1, 48, 1e8, far_rate=1e9)
    assert alone == pytest.approx(ASSUMED.fixed_s + 48 * ASSUMED.object_s)
    assert step_s(8, 48, 1e8, far_rate=1.0) < 1.1 * alone  # one server asks nothing of the network
    assert step_s(16, 48, 1e8, far_rate=1e9) > alone + 1.8 * 1e8 / 1e9


@pytest.mark.parametrize("load", [0.3, 0.7])
def test_waits_are_those_of_queueing_theory(load):
    """One server and equal services: the mean of Pollaczek and Khinchine, load / 2 (1 - load)."""
    waits = waits_s(rate_hz=load, service_s=1.0, servers=1, n=100_000)
    assert waits.mean() == pytest.approx(load / (2 * (1 - load)), rel=0.05)


def test_with_a_server_for_everybody_nobody_waits():
    assert not waits_s(rate_hz=1.0, service_s=1.0, servers=50, n=2000).any()


def test_as_many_servers_are_needed_as_keep_waits_short():
    servers = needed(4.0, 1.0, patience_s=0.5)
    few, enough = (
        np.quantile(waits_s(rate_hz=4.0, service_s=1.0, servers=n), 0.95)
        for n in (servers - 1, servers)
    )
    assert enough <= 0.5 < few


def test_tables_have_a_row_for_each_size():
    found = tables(json.loads((ROOT / "weights" / "results.json").read_text()))
    assert {name: len(text.splitlines()) - 2 for name, text in found.items()} == {
        "steps": 7, "readers": 3, "objects": 4, "visitors": 5
    }  # fmt: skip
    assert "10,000,000" in found["objects"] and "1.44 TB" in found["objects"]
