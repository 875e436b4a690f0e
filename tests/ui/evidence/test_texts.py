import dataclasses

import pytest

from hyperdemo.metrics.paired import Paired
from hyperdemo.results.measured import CHECKS, METRICS
from hyperdemo.ui.evidence import texts
from tests.results import measured as small
from train.report.measured import measured

STOI, SI_SNR, PESQ, LSD, PSNR, *_ = METRICS["sound"]


@pytest.fixture
def audio():
    return measured(small.results())["sound"]


def told(audio, metric=STOI, **pairs):
    audio = dataclasses.replace(audio, paired={"test": pairs})
    return texts.answers_words(audio, metric, "test")


def test_the_verdict_follows_the_pairs(audio):
    words = texts.answers_words(audio, STOI, "test")
    assert "On 100 held-out prompts" in words and "0.980" in words and "0.900" in words
    assert "**pretraining is ahead**, on 94 of 100 it is better" in words
    assert "scratch is ahead" in told(audio, stoi=Paired(-0.1, 0.01, 3, 100))
    assert "no clear difference" in told(audio, stoi=Paired(0.1, 0.06, 60, 100))
    assert "pretraining is ahead" in told(audio, LSD, lsd=Paired(-1.0, 0.1, 99, 100))
    assert "scratch is ahead" in told(audio, LSD, lsd=Paired(1.0, 0.1, 1, 100))


def test_what_was_not_paired_was_not_tested(audio):
    assert "the difference was not tested" in told(audio)
    assert "the difference was not tested" in told(audio, stoi=Paired(0.1, None, 1, 1))


def test_of_what_is_missing_nothing_is_claimed(audio):
    assert texts.answers_words(audio, STOI, "unseen") == texts.YARDSTICKS
    assert texts.answers_words(audio, PESQ, "test") == texts.YARDSTICKS
    assert texts.training_words({}, CHECKS["sound"][0]) == texts.CLIMBING


def test_captions_name_how_many(audio):
    caption = texts.answers_caption(audio, "test")
    assert caption.startswith("100 of 406 held-out prompts (ceiling: 8 of 406). ")


def test_who_was_ahead_in_training(audio):
    snr, stoi = CHECKS["sound"]
    words = texts.training_words(audio.trainings, snr)
    assert "ahead at 1 of 2 checks; at step 200 it stood at 11.00 dB against 10.00 dB" in words
    assert "ahead at 2 of 2 checks" in texts.training_words(audio.trainings, stoi)
    caption = texts.training_caption("sound", audio.trainings)
    assert "Pretrained (Whisper): 2,000 steps, 49 minutes, a CPU." in caption
    assert texts.check_of("sound", STOI) == stoi
    assert texts.check_of("sound", PESQ) == snr


def test_captions_of_experiments_name_seeds_and_budget(audio):
    main, data, adapt = (
        texts.experiment_caption(experiment, STOI, "test", task="sound")
        for experiment in audio.experiments
    )
    assert main.startswith(
        "2 seeds: both (from scratch); 3 seeds: both (pretrained); one seed: the others. "
    )
    assert main.endswith("40 held-out prompts, 300 steps per run, 2 CPU cores.")
    assert "3 seeds: 100 %; one seed" in data and "standard deviation" in data
    assert adapt.startswith("One seed per arm, so no whiskers") and "deviation" not in adapt


def test_captions_hold_for_what_is_shown(audio):
    main = audio.experiments[0]
    unseen = texts.experiment_caption(main, STOI, "unseen", task="sound")
    assert "30 prompts of a held-out voice" in unseen
    assert texts.experiment_caption(main, PESQ, "test", task="sound") == ""
    alone = dataclasses.replace(main, arms=main.arms[:1])
    caption = texts.experiment_caption(alone, STOI, "test", task="sound")
    assert caption.startswith("All arms pretrained. 3 seeds per arm. Whiskers")


def test_rates_name_what_they_were_measured_on(audio):
    caption = texts.rates_caption(audio.rates, task="sound")
    assert caption.startswith("20 held-out prompts. Windows of 1 s.")
