import numpy as np

from train.subsets import spread


def test_items_are_spread_evenly():
    ids = [f"{k:03}" for k in range(406)]
    kept = spread(ids, 100)
    assert len(kept) == 100 and kept == sorted(set(kept)) and kept[0] == "000"
    gaps = np.diff([int(name) for name in kept])
    assert set(gaps) == {4, 5} and int(kept[-1]) >= 401
    assert spread(ids, 1000) == ids and spread(ids[:3], 2) == ["000", "001"]
