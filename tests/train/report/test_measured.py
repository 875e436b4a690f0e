import copy
import math

import pytest

from hyperdemo.results.measured import FILE_NAME, METRICS, read_measured, to_json
from tests.results import measured as small
from train.report.measured import measured


@pytest.fixture
def audio():
    return measured(small.results())["sound"]


def test_the_spread_is_over_seeds_with_n_minus_one(audio):
    pretrained, scratch, alone = audio.experiments[0].arms
    spread = pretrained.spread("stoi", "test")
    assert spread.mean == pytest.approx(0.84) and spread.sd == pytest.approx(0.04)
    assert spread.values == (0.80, 0.84, 0.88)
    # 0.70 and 0.74: each 0.02 from the mean, so 0.02 √2.
    assert scratch.spread("stoi", "test").sd == pytest.approx(0.02 * math.sqrt(2))
    assert scratch.spread("stoi", "unseen").mean == pytest.approx(0.62)
    assert alone.spread("stoi", "test").sd is None
    assert alone.spread("pesq", "test") is None and alone.spread("stoi", "elsewhere") is None


def test_arms_without_a_run_are_skipped_and_others_stand_where_they_or_their_runs_say(audio):
    found = {exp.title: [(arm.x, len(arm.runs)) for arm in exp.arms] for exp in audio.experiments}
    assert found == {
        "Does it help?": [(None, 3), (None, 2), (None, 1)],
        "How much?": [(10, 1), (1, 1), (100, 3), (1, 1)],
        "How many?": [(1e5, 1), (3e5, 1), (8e6, 1), (8e6, 1)],
    }
    assert [exp.has_axis for exp in audio.experiments] == [False, True, True]


def test_an_arm_of_which_a_run_was_ended_early_is_not_shown():
    results = copy.deepcopy(small.results())
    row = results["sweeps"]["sound"]["runs"]["a2"]
    del row["metrics"]
    (first, *_) = measured(results)["sound"].experiments
    assert [len(arm.runs) for arm in first.arms] == [2, 2, 1]
    row["stopped_early"] = "at step 100 of 300"
    (first, *_) = measured(results)["sound"].experiments
    assert [len(arm.runs) for arm in first.arms] == [2, 1]


def test_yardsticks_of_a_sweep_stand_beside_its_experiments():
    results = small.results()
    assert not measured(results)["sound"].experiments[0].yardsticks
    results["sweeps"]["sound"]["yardsticks"] = {
        "": {"silence": {"test": {"stoi": 0.1, "prompts": 40}, "unseen": {"lsd": None}}},
        "other-splits.json": {"noise": {"test": {"stoi": 0.2}}},
    }
    for experiment in measured(results)["sound"].experiments:
        assert experiment.beside("stoi", "test")["silence"].values == {"stoi": 0.1}
        assert not experiment.beside("stoi", "unseen") and not experiment.beside("lsd", "test")


def test_an_x_from_the_runs_is_their_mean():
    results = copy.deepcopy(small.results())
    sweep = results["sweeps"]["sound"]
    for name, number in (("a0", 100), ("a1", 200), ("a2", 600), ("b0", 50)):
        sweep["runs"][name]["written"] = number
    sweep["experiments"] = {"main": small.MAIN | {"x_from": "written"}}
    (found,) = measured(results)["sound"].experiments
    # b1 has no such number: no axis can be drawn.
    assert [arm.x for arm in found.arms] == [300, None, 100] and not found.has_axis


def test_metrics_and_splits_without_a_value_are_not_offered(audio):
    assert [metric.key for metric in audio.metrics] == ["stoi", "si_snr", "lsd"]
    assert audio.splits == ("test", "unseen")
    view = measured(small.results())["view"]
    assert [metric.key for metric in view.metrics] == ["psnr"] and view.splits == ("test",)


def test_metrics_say_which_way_is_better():
    lsd = next(metric for metric in METRICS["sound"] if metric.key == "lsd")
    assert lsd.axis == "LSD (dB) ↓" and lsd.text(-3.456) == "−3.46"


def test_curves_pairs_and_rates(audio):
    assert audio.trainings["foundation"].curves == {
        "snr": ((100, 8.0), (200, 11.0)), "stoi": ((100, 0.7), (200, 0.9)),
    }  # fmt: skip
    assert audio.paired["test"]["stoi"].better == 94
    assert audio.answers["silence"]["test"].values == {"stoi": 0.0}
    assert [point.kbit_s for point in audio.rates.curves["INR"]] == [60, 120]
    assert len(audio.rates.curves["Opus"]) == 1


@pytest.mark.parametrize("empty", [{}, {"sound": {}}, {"sweeps": {"sound": {"runs": {}}}}])
def test_without_results_there_is_nothing_to_show(empty):
    assert measured(empty) == {}


def test_the_page_reads_what_was_written(tmp_path):
    assert read_measured(tmp_path) == {}
    path = tmp_path / FILE_NAME
    path.parent.mkdir()
    whole = measured(small.results())
    path.write_text(to_json(whole))
    assert read_measured(tmp_path) == whole
    for broken in ("{", "[]", '{"view": 3}', '{"view": {"task": "view"}}'):
        path.write_text(broken)
        with pytest.raises(ValueError, match="measured.json cannot be read .*report --write"):
            read_measured(tmp_path)


def test_the_models_on_the_same_prompts_as_an_answer_measured_on_fewer():
    def rows(**psnr):
        return [{"prompt": name, "psnr": value, "pesq": None} for name, value in psnr.items()]

    answers = {
        "foundation": {"rows": rows(a=10.0, b=12.0, c=99.0)},
        "scratch": {"rows": rows(a=8.0, b=9.0, c=98.0)},
        "ceiling": {"rows": rows(a=30.0, b=31.0)},
        "elsewhere": {"rows": rows(z=1.0)},
        "silence": {"rows": rows(a=1.0, b=2.0, c=3.0)},
    }
    answers["foundation"]["psnr"] = 40.3  # or there were nothing to show
    found = measured({"sound": {"splits": {"test": answers}}})["sound"].same
    assert list(found["test"]) == ["ceiling"]
    models = found["test"]["ceiling"]
    assert {name: one.values["psnr"] for name, one in models.items()} == {
        "foundation": 11.0, "scratch": 8.5,
    }  # fmt: skip
    # Two values that differ by d have a standard error of d / 2.
    assert models["foundation"].values["psnr_stderr"] == pytest.approx(1.0)
    assert "pesq" not in models["foundation"].values and models["scratch"].n == 2
