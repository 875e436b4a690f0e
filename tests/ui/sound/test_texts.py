from hyperdemo.config import SoundFieldConfig
from hyperdemo.metrics import SoundScores
from hyperdemo.ui.sound import texts


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
    assert "| generated numbers | 1,234,567 | 9 |" in table
    assert "| file | 2.4 MB | 4 kB |" in table
    assert "| write the networks | 1.00 s | – |" in table


def test_stretches_and_examples_are_named():
    assert "every 30 ms" in texts.introduction(SoundFieldConfig())
    assert set(texts.PHASE) == {"mel", "raw", "both"}
    assert texts.name_of("door-bell_2") == "Door bell 2"


def test_the_note_on_rates_says_how_high_the_tones_reach():
    field = SoundFieldConfig(n_freqs=165, max_freq_hz=5500.0)
    assert "write tones up to 5.5 kHz:" in texts.rate_note(field)
