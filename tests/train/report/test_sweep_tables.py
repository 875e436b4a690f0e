import pytest

from train.report.sweep_tables import sweep_tables


def run(stoi, *, init="foundation", pesq=1.5, **more):
    scores = {"stoi": stoi, "si_snr": -0.004, "pesq": pesq, "lsd": 9.876, "prompts": 40}
    unseen = {"stoi": stoi - 0.1, "si_snr": 7.0, "prompts": 40}
    return {
        "config": {"model": {"init": init}}, "steps": 300, "minutes": 30.0, "hardware": "an abacus",
        "trainable_parameters": 1234, "metrics": {"test": scores, "unseen": unseen}, **more,
    }  # fmt: skip


def arm(label, *runs):
    return {"label": label, "series": "s", "x": None, "runs": list(runs)}


def sweep(*arms, runs, reading="It does.", x_from=""):
    words = {"title": "Does it?", "question": "Ask.", "reading": reading, "x_from": x_from}
    return {"experiments": {"a": words | {"arms": list(arms)}}, "runs": runs}


def test_a_table_says_what_was_measured():
    runs = {"a": run(0.8), "b": run(0.83), "c": run(0.7, init="scratch", pesq=None)}
    arms = (arm("one", "a", "b"), arm("two", "c", "d"), arm("three", "d"))
    lines = sweep_tables("sound", sweep(*arms, runs=runs)).splitlines()
    assert lines[0].startswith("3 runs of 300 steps, 1.5 hours of training in all, on an abacus;")
    assert lines[2] == "**Does it?** Ask."
    assert lines[4].split(" | ")[:4] == ["| arm", "weights", "seeds", "STOI ↑, held-out"]
    # The deviation of 0.80 and 0.83 with one degree of freedom is 0.03 / √2.
    assert lines[6] == (
        "| one | pretrained | 2 | 0.815 ± 0.021 | −0.00 ± 0.00 | 1.50 ± 0.00 | 9.88 ± 0.00 "
        "| 0.715 ± 0.021 | 7.00 ± 0.00 |"
    )
    assert lines[7] == "| two | random | 1 | 0.700 | −0.00 | – | 9.88 | 0.600 | 7.00 |"
    assert lines[8:] == ["", "It does."]


def test_an_arm_of_which_a_run_was_ended_early_says_so_and_has_no_scores():
    runs = {"a": run(0.8), "b": run(0.9, stopped_early="at step 100 of 300"), "c": run(0.7)}
    del runs["b"]["metrics"]
    lines = sweep_tables("sound", sweep(arm("one", "a", "b"), arm("two", "c"), runs=runs))
    lines = lines.splitlines()
    assert lines[0].startswith("2 runs of 300 steps")
    assert lines[6].startswith("| one | stopped early: at step 100 of 300 | ")
    assert "0.8" not in lines[6] and lines[7].startswith("| two | pretrained | 1 | 0.700 |")


def test_a_column_for_what_arms_stand_at_and_no_arm_twice():
    text = sweep_tables("sound", sweep(
        arm("one", "a"), arm("one, in another series", "a"), runs={"a": run(0.8)},
        x_from="trainable_parameters", reading="",
    ))  # fmt: skip
    lines = text.splitlines()
    assert lines[4].startswith("| arm | weights | trainable parameters | seeds |")
    assert lines[6].startswith("| one | pretrained | 1,234 | 1 |") and len(lines) == 7


def test_an_experiment_without_a_run_of_its_own_waits():
    shared, own = arm("one", "a"), arm("two", "b")
    experiments = {
        name: {"title": name, "question": "", "reading": "", "arms": arms}
        for name, arms in {"First?": [shared], "Second?": [shared, own]}.items()
    }
    runs = {"a": run(0.8)}
    text = sweep_tables("sound", {"experiments": experiments, "runs": runs})
    assert "First?" in text and "Second?" not in text
    text = sweep_tables("sound", {"experiments": experiments, "runs": runs | {"b": run(0.9)}})
    assert text.count("| one |") == 2 and "Second?" in text


def test_answers_without_a_hypernetwork_stand_in_every_table():
    scores = {"psnr": 14.0, "ssim": 0.6, "perceptual": 0.5, "objects": 40}
    white = {"test": scores, "unseen": scores}
    found = sweep(arm("one", "a"), runs={"a": run(0.0, metrics=white)}, reading="")
    found["yardsticks"] = {
        "": {"ceiling": {"test": scores | {"psnr": 21.96}}, "white": white},
        "other-splits.json": {"mean": white},
    }
    lines = sweep_tables("view", found).splitlines()
    assert "scored on 40 held-out objects and as many unseen ones" in lines[0]
    assert lines[6:] == [
        "| one | pretrained | 1 | 14.00 | 0.600 | 0.500 | 14.00 | 0.600 |",
        "| *white picture, on 40 and 40* | – | – | 14.00 | 0.600 | 0.500 | 14.00 | 0.600 |",
        "| *ceiling: the same INR fitted to 28 views, on 40* | – | – | 21.96 | 0.600 | 0.500 "
        "| – | – |",
    ]


@pytest.mark.parametrize("empty", [{}, sweep(arm("one", "a"), runs={})])
def test_what_was_not_run_has_no_table(empty):
    assert sweep_tables("sound", empty) == ""
