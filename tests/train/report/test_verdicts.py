import numpy as np
import pytest
from scipy import stats

from hyperdemo.results.verdicts import verdict_table
from train.early_stopping import STOPPED
from train.experiments import FROM_SCRATCH, PRETRAINED
from train.report import verdicts as module
from train.report.verdicts import CLAIMS, estimate
from train.sweep import SWEEPS


def scores(*psnr, rows=()):
    """Of a seed each; with the scores of single objects where there are any."""
    each = [{"object": f"o{k}", "psnr": one} for k, one in enumerate(rows)]
    return [{"psnr": value, "objects": 40, "rows": each} for value in psnr]


def test_over_seeds_alone_the_interval_is_welch_s():
    first, second = (14.1, 14.5, 14.2), (13.2, 13.3, 13.9, 13.1)
    found = estimate([(1, scores(*first)), (-1, scores(*second))], task="view")
    expected = stats.ttest_ind(first, second, equal_var=False)
    low, high = expected.confidence_interval(0.99)
    assert found.interval(0.01) == pytest.approx((low, high))
    assert found.freedom == pytest.approx(expected.df)


def test_with_one_seed_and_single_objects_it_is_that_of_pairs():
    first, second = (14.0, 15.5, 12.0, 19.0), (13.0, 15.0, 12.5, 16.0)
    arms = [
        (1, scores(np.mean(first), rows=first)),
        (-1, scores(np.mean(second), rows=(*second, 3.0))),
    ]
    low, high = stats.ttest_rel(first, second).confidence_interval(0.95)
    assert estimate(arms, task="view").interval(0.05) == pytest.approx((low, high))


def test_errors_of_seeds_and_objects_add():
    seeds, objects = (14.0, 14.4, 14.8), (13.0, 15.0, 16.0, 13.0)
    found = estimate([(1, scores(*seeds, rows=objects))], task="view")
    parts = np.var(seeds, ddof=1) / 3, np.var(objects, ddof=1) / 4
    assert found.stderr == pytest.approx(np.sqrt(sum(parts)))
    assert found.freedom == pytest.approx(sum(parts) ** 2 / (parts[0] ** 2 / 2 + parts[1] ** 2 / 3))


SPLITS = "some-splits.json"
CONFIG = {"config": {"data": {"splits_file": SPLITS}}}


def swept(whole, scratch, *, mean=10.0):
    """A sweep of the main experiment; held-out classes are scored like held-out objects."""
    arms, runs = [], {}
    for series, values in ((PRETRAINED, whole), (FROM_SCRATCH, scratch)):
        names = [f"{series} {k}" for k in range(len(values))]
        arms.append({"label": "full fine-tuning", "series": series, "runs": [*names, "not yet"]})
        for name, one in zip(names, scores(*values), strict=True):
            runs[name] = {"metrics": {"test": one, "unseen": one}} | CONFIG
    yardsticks = {"mean": {split: {"psnr": mean} for split in ("test", "unseen")}}
    return {
        "experiments": {"main": {"arms": arms}},
        "runs": runs,
        "yardsticks": {SPLITS: yardsticks},
    }


def table(sweep):
    return verdict_table(module.verdicts("view", sweep), "PSNR (dB) ↑", things="objects")


def verdicts(sweep):
    return [line.split(" | ")[1:] for line in table(sweep).splitlines()[4:]]


def test_a_verdict_for_each_claim_that_has_runs():
    lines = verdicts(swept((14.3, 14.4, 14.5), (13.3, 13.4, 13.5)))
    expected = stats.ttest_ind((14.3, 14.4, 14.5), (13.3, 13.4, 13.5), equal_var=False)
    low, high = expected.confidence_interval(1 - 0.05 / 2)  # two claims are judged
    assert lines == 2 * [["+1.00", f"+{low:.2f} to +{high:.2f}", "3", "holds |"]]
    assert verdicts(swept((13.3, 13.4, 13.5), (14.3, 14.4, 14.5)))[0][0] == "−1.00"
    assert verdicts(swept((13.3, 13.4, 13.5), (14.3, 14.4, 14.5)))[0][3] == "the opposite holds |"
    assert verdicts(swept((13.0, 14.0, 15.0), (13.1, 14.0, 14.8)))[0][3] == "no difference found |"


@pytest.mark.parametrize(
    ("scratch", "mean", "why"),
    [
        ((13.3, 13.5), 10.0, "an arm has 2 of 3 seeds"),
        ((13.3, 13.4, 13.5), 13.0, "at this budget an arm is 0.40 dB above the mean picture"),
    ],
)
def test_what_cannot_be_told_is_not_told(scratch, mean, why):
    [first, _] = verdicts(swept((14.3, 14.4, 14.5), scratch, mean=mean))
    assert first[1] == "–" and first[3] == f"cannot be told: {why} |"


def test_a_claim_about_an_arm_that_was_ended_early_is_not_judged():
    """Though enough of its seeds are whole: they are those that did better."""
    sweep = swept((13.0, 13.2, 13.1, 13.2), (12.0, 12.1, 12.2))
    assert "holds" in table(sweep)
    del sweep["runs"][f"{PRETRAINED} 0"]["metrics"]
    assert "holds" in table(sweep)
    sweep["runs"][f"{PRETRAINED} 0"][STOPPED] = "at step 1 of 3"
    assert table(sweep) == ""


def test_without_runs_there_is_no_table():
    assert table({}) == table(swept((14.0,), ())) == ""


@pytest.mark.parametrize("task", SWEEPS)
def test_claims_are_about_arms_that_the_sweep_has_with_enough_seeds(task):
    for claim in CLAIMS[task]:
        arms = SWEEPS[task].experiments[claim.experiment].arms
        known = {(arm.label, arm.series): arm.seeds for arm in arms}
        assert all(len(known[label, series]) >= 3 for label, series, _ in claim.arms)
