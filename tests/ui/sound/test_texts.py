import pytest

from hyperdemo.config import SoundFieldConfig
from hyperdemo.metrics import SoundScores
from hyperdemo.ui.sound import texts


def results(foundation, scratch):
    return {"sound": {"splits": {"test": {"foundation": foundation, "scratch": scratch}}}}


@pytest.mark.parametrize(
    ("foundation", "scratch", "verdict"),
    [
        ({"stoi": 0.8, "lsd": 10.0}, {"stoi": 0.7, "lsd": 11.0}, "Pretraining is ahead"),
        ({"stoi": 0.7, "lsd": 11.0}, {"stoi": 0.8, "lsd": 10.0}, "from scratch is ahead"),
        ({"stoi": 0.7, "lsd": 10.0}, {"stoi": 0.8, "lsd": 11.0}, "Neither is ahead"),
        ({"stoi": 0.70001}, {"stoi": 0.70002}, "No clear difference"),
        ({"stoi": 0.72, "stoi_stderr": 0.02}, {"stoi": 0.7}, "No clear difference"),
    ],
)
def test_the_verdict_follows_the_numbers(foundation, scratch, verdict):
    sentence = texts.results_sentence(results(foundation, scratch))
    assert verdict in sentence
    assert f"STOI {foundation['stoi']:.3f} against {scratch['stoi']:.3f}" in sentence


def test_the_number_of_prompts_is_named_where_it_is_known():
    one = {"stoi": 0.9, "prompts": 100}
    assert "on 100 prompts of speech" in texts.results_sentence(results(one, one))


def test_what_was_not_measured_is_not_said():
    one = {"psnr": 30.0, "si_snr": 5.0, "pesq": None}
    sentence = texts.results_sentence(results(one, one))
    assert "PESQ" not in sentence and "STOI" not in sentence and "SI-SNR (dB) 5.00" in sentence


@pytest.mark.parametrize(
    "broken", [None, {}, {"sound": {}}, {"sound": 3}, results({}, {}), results({"stoi": "x"}, {}),
               results(None, None), results({"stoi": "x"}, {"stoi": 1})],
)  # fmt: skip
def test_without_results_nothing_is_claimed(broken):
    assert texts.results_sentence(broken) == ""


def test_a_cut_clip_is_told():
    whole = texts.clip_words(12.34, 44_100, 2, cut=False)
    assert "12.3 s" in whole and "44,100 Hz" in whole and "stereo" in whole
    assert "first 60 s" in texts.clip_words(60.0, 8_000, 1, cut=True)
    assert "first" not in whole and "6 channels" in texts.clip_words(1.0, 48_000, 6, cut=False)


def test_scores_without_a_value_are_dashes():
    scores = {
        "foundation": SoundScores(31.26, None, 11.0, 0.81),
        "scratch": SoundScores(30.0, -3.0, 12.0, None),
    }
    table = texts.scores_table(scores)
    assert "| Pretrained (Whisper) | From scratch |" in table
    assert "| STOI ↑ | 0.810 | – |" in table
    assert "| SI-SNR (dB) ↑ | – | -3.00 |" in table and "| PSNR (dB) ↑ | 31.26 | 30.00 |" in table


def test_speed_is_seconds_of_sound_a_second_of_computing():
    both = {"foundation": 5, "scratch": 5}
    table = texts.timings_table(
        {"foundation.encode": 1.0, "foundation.decode": 3.0}, duration_s=10.0,
        n_written={"foundation": 1_234_567, "scratch": 9}, n_shared=both,
        n_bytes={"foundation": 2_400_000, "scratch": 4_400},
    )  # fmt: skip
    assert "| speed against real time | 2.5 × | – |" in table
    assert "| numbers written | 1,234,567 | 9 |" in table
    assert "| file | 2.4 MB | 4 kB |" in table
    assert "| write the networks | 1.00 s | – |" in table


def test_the_introduction_names_the_length_of_a_stretch():
    assert "every 30 ms" in texts.introduction(SoundFieldConfig())
    assert set(texts.PHASE) == {"mel", "raw", "both"}


def test_examples_are_named_after_their_files():
    assert texts.name_of("door-bell_2") == "Door bell 2"
