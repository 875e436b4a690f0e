import json
from pathlib import Path

import pytest

from train.cards import ORIGIN, card
from train.table import BEGIN, END, replace_section, table

WEIGHTS = Path(__file__).resolve().parents[2] / "weights"

FACTS = {
    "parameters": 21_800_000, "trainable_parameters": 21_700_000, "steps_taken": 12,
    "minutes": 34.4, "hardware": "an abacus", "val_psnr": 15.678, "train_objects": 9,
    "inr_parameters": 1234, "command": "python -m train.run", "git": "abc",
    "training": {"batch": 3, "lr": 3e-4, "lr_backbone": 2e-5, "lr_heads": 0.0, "seed": 4},
}  # fmt: skip
SCORES = {"psnr": 14.816, "psnr_stderr": 0.321, "ssim": 0.6234, "perceptual": 0.5, "objects": 79}
RESULTS = {
    "splits": {"test": {"foundation": SCORES, "ceiling": SCORES}, "unseen": {"white": SCORES}},
    "models": {"foundation": FACTS},
}


def test_a_table_says_what_was_measured():
    lines = table(RESULTS).splitlines()
    assert "| **hypernetwork, pretrained (DINOv2)** | 14.82 ± 0.32 | 0.623 | 0.500 | 79 |" in lines
    assert "| foundation | 21.8 M | 12 | 3 | 34 | an abacus | 15.68 dB |" in lines
    assert sum("14.82" in line for line in lines) == 3


def test_the_section_is_replaced_and_nothing_else():
    text = f"before\n{BEGIN}\nold\n{END}\nafter\n"
    assert replace_section(text, "new") == f"before\n{BEGIN}\nnew\n{END}\nafter\n"
    with pytest.raises(ValueError, match="once each"):
        replace_section("nothing", "new")


def test_a_card_names_muon_only_where_it_was_used():
    assert "Muon" not in card("foundation", FACTS, RESULTS)
    facts = FACTS | {"training": FACTS["training"] | {"lr_heads": 0.02}}
    written = card("foundation", facts, RESULTS)
    assert "0.02 for heads and base weights (Muon)" in written
    assert "12 steps of 3 objects" in written and "14.82 ± 0.32 dB" in written


@pytest.mark.parametrize("init", list(ORIGIN))
def test_the_cards_that_are_shipped_are_those_of_the_recorded_facts(init):
    results = json.loads((WEIGHTS / "results.json").read_text())
    facts = json.loads((WEIGHTS / f"view-{init}.json").read_text())
    assert (WEIGHTS / f"view-{init}.md").read_text() == card(init, facts, results)
