import pytest

from hyperdemo.metrics.paired import Paired
from hyperdemo.results.measured import Measured, TaskEvidence, read_measured
from hyperdemo.ui.texts import headline
from tests.conftest import ROOT


def evidence(**paired):
    one, other = ({"test": Measured({"psnr": v, "ssim": v / 100}, 77)} for v in (17.6, 16.1))
    return TaskEvidence(
        "view", answers={"foundation": one, "scratch": other}, paired={"test": paired}
    )


@pytest.mark.parametrize(
    ("psnr", "ssim", "verdict"),
    [
        (Paired(1.5, 0.2, 60, 77), Paired(0.1, 0.2, 40, 77), "pretraining is ahead (1.50 ± 0.20"),
        (Paired(-1.5, 0.2, 9, 77), Paired(-1.0, 0.2, 9, 77), "training from scratch is ahead"),
        (Paired(1.5, 0.8, 60, 77), Paired(0.1, 0.2, 40, 77), "no clear difference"),
        (Paired(1.5, 0.2, 60, 77), Paired(-1.0, 0.2, 9, 77), "neither is ahead by every metric.**"),
        (
            Paired(0.15, 0.01, 60, 77), Paired(-0.001, 0.0001, 9, 77),
            "neither is ahead by every metric, and what differs is less than one sees.**",
        ),
        (
            Paired(0.15, 0.01, 60, 77), Paired(-0.0004, 0.0001, 9, 77),
            "pretraining is ahead (0.15 ± 0.01 dB of PSNR, better on 60 of 77), but by less than",
        ),
    ],
)  # fmt: skip
def test_the_verdict_follows_the_pairs(psnr, ssim, verdict):
    sentence = headline(evidence(psnr=psnr, ssim=ssim))
    assert f"**In all, {verdict}" in sentence and "on 77 objects" in sentence
    assert "PSNR 17.60 against 16.10 dB" in sentence and "SSIM 0.176 against 0.161" in sentence


def test_what_was_not_paired_is_not_said():
    assert headline(None) == headline(TaskEvidence("view")) == headline(evidence()) == ""
    assert "SSIM" not in headline(evidence(psnr=Paired(1.5, 0.2, 60, 77)))


def test_of_what_is_shipped():
    found = read_measured(ROOT / "weights")
    assert "better on 73 of 83" in headline(found["view"])
    sound = headline(found["sound"])
    assert "LSD 2.57 against 2.75 dB, lower is better" in sound
    # The difference in STOI, which rounds to 0, is the other way.
    assert "is ahead (0.51 ± 0.03 dB of SI-SNR, better on 97 of 100), but by less than" in sound
