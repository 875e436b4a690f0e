"""Cards of other results than the shipped ones, which test_main.py holds to theirs."""

import json

import pytest

from tests.train.report.test_tables import FACTS, SCORES
from train.report.cards import card, cards


def words(*args):
    return " ".join(card(*args).split())


def test_a_card_leaves_out_what_there_is_not():
    splits = {"test": {"foundation": SCORES | {"perceptual": None}}}
    text = words("view", "foundation", FACTS, {"view": {"splits": splits}})
    assert "12 steps of 3 objects, one seed (4), 34 minutes on an abacus" in text
    assert "Held-out objects: PSNR 14.82 ± 0.32 dB, SSIM 0.623 (79 objects)" in text
    for absent in ("Muon", "held out altogether", "proportions", "random"):
        assert absent not in text


def test_a_card_says_what_was_learned_from_and_what_was_held_out():
    rows = [{"object": k, "class": kind} for k, kind in enumerate(("bed", "animal", "bed"))]
    unseen = {"white": SCORES | {"rows": rows[:1]}, "scratch": SCORES | {"rows": rows}}
    training = FACTS["training"] | {"lr_heads": 0.02, "data": {"variants": 3}}
    facts, results = FACTS | {"training": training}, {"view": {"splits": {"unseen": unseen}}}
    text = words("view", "scratch", facts, results)
    assert "each, each also in 3 variants of other proportions and colours. Classes" in text
    assert "Classes held out altogether: bed, animal." in text
    assert "0.02 for heads and base weights (Muon)" in text and "random weights" in text


def test_a_card_says_what_went_before_and_which_collections():
    earlier = {"steps_taken": 70, "minutes": 5.4, "git": "abc", "training": {"data": {}}}
    earlier["training"]["data"]["splits_file"] = "train/old.json"
    training = FACTS["training"] | {"data": {"weights": {"ycb": 2.0}}}
    facts = FACTS | {"training": training, "started_from": earlier}
    text = words("view", "scratch", facts, {})
    assert "Sweet Home 3D libraries, and things of all kinds of the other collections" in text
    before = "70 steps on the objects of `train/old.json` (5 minutes, code at `abc`), then 12 steps"
    assert before in text
    alone = words("view", "scratch", FACTS, {})
    assert "other collections" not in alone and "then 12 steps" not in alone


def test_a_card_of_sound_says_what_was_heard_and_what_was_not():
    model = {"backbone": {"window": 16_080}, "field": {"stretch": 480, "max_freq_hz": 5500.0}}
    facts = FACTS | {"train_prompts": 7, "model": model}
    text = words("sound", "foundation", facts, {})
    assert "5.5 kHz" not in text
    assert "for every 30 ms: 1,234 weights" in text and "3 windows of 1.005 s" in text
    assert "7 recordings" in text and "none recorded yet" in text
    assert "in English, Spanish, Italian and Russian, and" in text
    assert "June Wallack's voice, some of LibriSpeech's speakers, Mandarin" in text
    earlier = {"steps_taken": 70, "minutes": 5.4, "git": "abc"}
    text = words("sound", "foundation", facts | {"started_from": earlier}, {})
    both = "70 steps (5 minutes, code at `abc`), then with frequencies up to 5.5 kHz, 12 steps"
    assert both in text


def test_cards_are_of_the_checkpoints_that_are_there(tmp_path):
    with pytest.raises(ValueError, match="holds no checkpoint; make one with"):
        cards(tmp_path, {})
    (tmp_path / "view-scratch.json").write_text(json.dumps(FACTS))
    assert cards(tmp_path, {}) == {tmp_path / "view-scratch.md": card("view", "scratch", FACTS, {})}
