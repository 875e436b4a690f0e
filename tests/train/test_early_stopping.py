import json

import pytest

from train.early_stopping import STOPPED, finished, why_stop

OTHERS = {"a": (10.0, 12.0, 14.0), "b": (11.0, 13.0, 15.0), "c": (6.0, 7.0, 8.0)}
"""Means until the second score: 11, 12 and 6.5, whose median is 11."""


def write(folder, scores, *, key="val_psnr", every=100):
    folder.mkdir(parents=True, exist_ok=True)
    rows = [{"step": 10, "loss": 1.0}]
    rows += [
        {"step": every * (k + 1), "loss": 0.5, key: score, "val_other": 0.0}
        for k, score in enumerate(scores)
    ]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


@pytest.fixture
def others(tmp_path):
    return [write(tmp_path / name, scores) for name, scores in OTHERS.items()]


@pytest.mark.parametrize(
    ("own", "ends"),
    [
        ((10.9, 10.5), True), ((11.0, 4.0), False), ((4.0, 11.1), False), ((9.0,), True),
        ((9.0, 10.0, 11.5), True), ((9.0, 10.0, 12.0), False),
    ],
)  # fmt: skip
def test_a_run_ends_where_its_best_is_below_the_median_of_the_others_means(
    tmp_path, others, own, ends
):
    folder = write(tmp_path / "own", own)
    assert bool(why_stop(folder, others, steps=400)) == ends


def test_it_says_why(tmp_path, others):
    words = why_stop(write(tmp_path / "own", (8.0, 9.25)), others, steps=400)
    assert words == (
        "at step 200 of 400 its best score was 9.25, below 11.00, the median of 3 others' means "
        "until then"
    )


def test_none_ends_too_early_at_its_end_or_where_few_have_come_as_far(tmp_path, others):
    def ends(scores, *, steps=400, of=others):
        return bool(why_stop(write(tmp_path / "own", scores), of, steps=steps))

    assert ends((1.0,)) and not ends((1.0,), steps=401)
    assert not ends((1.0, 1.0, 1.0, 1.0)) and not ends(())
    assert not ends((1.0,), of=[*others[:2], tmp_path / "not begun"])
    write(tmp_path / "c", OTHERS["c"][:1])
    assert ends((1.0,)) and not ends((1.0, 1.0))  # one of three has not come as far
    (tmp_path / "c" / "metrics.jsonl").open("a").write('{"step": 200, "val_ps')
    assert not ends((1.0, 1.0))


def test_an_arm_of_which_a_run_was_ended_is_not_scored_by_the_others():
    runs = {"a": {"metrics": 1}, "b": {"metrics": 2}, "c": {STOPPED: "why"}, "d": {"not_run": "?"}}
    assert finished(["a", "b", "d", "e"], runs) == [runs["a"], runs["b"]]
    assert finished(["a", "b", "c"], runs) == []
