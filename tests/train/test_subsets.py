from train.subsets import some_of, spread


def test_some_are_spread_over_all():
    assert spread(range(10), 4) == [0, 2, 5, 7]
    assert spread("abc", 5) == ["a", "b", "c"]


def test_a_share_is_no_prefix_and_shares_are_nested():
    ids = [f"{k:03d}" for k in range(200)]
    assert some_of(ids, 1.0) == ids and len(some_of(ids, 0.001)) == 1
    tenth, quarter = some_of(ids, 0.1), some_of(ids, 0.25)
    assert len(tenth) == 20 and len(quarter) == 50
    assert set(tenth) < set(quarter) and quarter == sorted(quarter)
    assert tenth == some_of(ids, 0.1)
    assert 60 < sum(map(int, tenth)) / 20 < 140  # from all over
