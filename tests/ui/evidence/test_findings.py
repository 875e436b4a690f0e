import dataclasses

import pytest

from hyperdemo.metrics.paired import Paired
from hyperdemo.results.measured import Measured, TaskEvidence, read_measured
from hyperdemo.ui.evidence.canvas import PRETRAINED, SCRATCH
from hyperdemo.ui.evidence.findings import findings
from tests.conftest import ROOT


def evidence(task="view", **paired):
    key = {"view": "psnr", "sound": "si_snr"}[task]
    models = {"foundation": Measured({key: 15.0}, 4), "scratch": Measured({key: 14.0}, 4)}
    return TaskEvidence(
        task,
        answers={"ceiling": {"test": Measured({key: 23.0}, 4)}},
        paired={split: {key: one} for split, one in paired.items()},
        same={"test": {"ceiling": models}},
    )


@pytest.mark.parametrize(
    ("task", "paired", "words"),
    [
        ("view", Paired(1.2, 0.2, 64, 83), "held-out objects: pretraining helps.** +1.20 ± 0.20"),
        ("view", Paired(0.3, 0.2, 32, 59), "no clear difference.** +0.30"),
        ("view", Paired(-1.2, 0.2, 3, 83), "training from scratch does better.** −1.20"),
        ("sound", Paired(0.05, 0.01, 60, 100), "pretraining helps, but by less than one hears.**"),
        ("sound", Paired(2.0, 0.1, 99, 100), "held-out prompts: pretraining helps.** +2.00"),
    ],
)
def test_the_verdict_follows_the_pairs_and_what_people_notice(task, paired, words):
    first, _ = findings(evidence(task, test=paired))
    assert words in first.sentence and f"better on {paired.better} of {paired.n}" in first.sentence
    (dot,) = first.figure.data
    assert dot.x == (paired.mean,) and dot.error_x.array == (2 * paired.stderr,)
    assert dot.marker.color == (PRETRAINED if paired.mean > 0 else SCRATCH)
    low, high = first.figure.layout.xaxis.range
    assert low < paired.mean - 2 * paired.stderr and paired.mean + 2 * paired.stderr < high


def test_the_room_above_is_told_of_the_same_objects():
    *_, room = findings(evidence())
    assert "the same 4 held-out objects, it reaches 23.00 dB" in room.sentence
    assert room.sentence.endswith("the pretrained model, 15.00.")
    assert room.figure.data[0].x == (14.0, 15.0, 23.0)


def test_of_what_was_not_measured_there_is_no_finding():
    assert findings(TaskEvidence("view")) == []
    assert len(findings(evidence(test=Paired(1.0, None, 1, 1)))) == 1
    assert findings(dataclasses.replace(evidence(), same={})) == []


@pytest.mark.parametrize("task", ["view", "sound"])
def test_of_what_is_shipped_there_are_three(task):
    found = read_measured(ROOT / "weights")[task]
    assert len(findings(found)) == 3
    for split, fewer in found.same.items():
        for name, models in fewer.items():
            n = found.answers[name][split].n
            assert {one.n for one in models.values()} == {n}
