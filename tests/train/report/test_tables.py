"""By hand, what the shipped tables, which test_main.py holds to their results, do not show."""

import pytest

from hyperdemo.results.measured import METRICS
from train.report.tables import summary_table, task_tables, value

FACTS = {
    "parameters": 21_800_000, "trainable_parameters": 21_700_000, "steps_taken": 12,
    "minutes": 34.4, "hardware": "an abacus", "val_psnr": 15.678, "train_objects": 9,
    "inr_parameters": 1234, "command": "python -m train.run", "git": "abc",
    "training": {"batch": 3, "lr": 3e-4, "lr_backbone": 2e-5, "lr_heads": 0.0, "seed": 4},
}  # fmt: skip
SCORES = {"psnr": 14.816, "psnr_stderr": 0.321, "ssim": 0.6234, "perceptual": 0.5, "objects": 79}
HEARD = {
    "psnr": 40.0, "si_snr": -6.5, "lsd": 9.1, "stoi": 0.812, "stoi_stderr": 0.0123, "pesq": None,
    "prompts": 9, "of": 40, "seconds": 31.4,
}  # fmt: skip


def test_a_value_has_an_error_if_known_and_may_have_no_meaning():
    stoi, si_snr, pesq, *_ = METRICS["sound"]
    shown = [value(metric, HEARD) for metric in (stoi, si_snr, pesq)]
    assert shown == ["0.812 ± 0.012", "−6.50", "–"]


def test_tables_show_what_there_is():
    splits = {"test": {"foundation": HEARD, "ceiling": HEARD | {"steps": 100, "pesq": 1.5}}}
    facts = FACTS | {"val_snr": 6.128, "val_stoi": 0.7654}
    text = task_tables("sound", {"splits": splits, "models": {"scratch": facts}})
    tables = [part.splitlines() for part in text.split("\n\n")]
    assert [table[0] for table in tables[::2]] == [
        "**Held-out prompts (voices heard in training)**", "**Budget**",
    ]  # fmt: skip
    assert tables[1][2:] == [
        "| **hypernetwork, pretrained (Whisper)** | 0.812 ± 0.012 | −6.50 | – | 9.10 | 40.00 "
        "| 9 of 40, 31 s |",
        "| ceiling: the same INRs fitted to a prompt's first second, 100 steps | 0.812 ± 0.012 "
        "| −6.50 | 1.50 | 9.10 | 40.00 | 9 of 40, 31 s |",
    ]
    assert tables[3][2] == (
        "| scratch | 21.8 M | 12 | 3 | 34 | an abacus | SNR 6.13 dB, STOI 0.765 |"
    )
    splits["test"]["ceiling"]["pesq"] = None
    assert "PESQ" not in task_tables("sound", {"splits": splits, "models": {}})  # never measured


def test_a_budget_counts_the_steps_before_the_last_training():
    before = {"steps_taken": 70, "minutes": 5.4, "started_from": {"steps_taken": 8, "minutes": 1.0}}
    facts = FACTS | {"val_snr": 6.0, "val_stoi": 0.7, "started_from": before}
    text = task_tables("sound", {"splits": {}, "models": {"scratch": facts}})
    assert "| scratch | 21.8 M | 8 + 70 + 12 | 3 | 1 + 5 + 34 | an abacus |" in text


def test_where_in_frequency_errors_lie():
    own = {"foundation": {"snr_db": [40.06, 2.0], "share": [0.256, 0.744]}, "recordings": 7}
    own |= {"before": {"snr_db": [30.0, -1.0], "share": [0.1, 0.9]}}
    bands = {"edges_hz": [0, 1000, 8000], "splits": {"test-music": own}}
    text = task_tables("sound", {"splits": {}, "models": {}, "bands": bands})
    *_, title, table = text.split("\n\n")
    assert title.endswith("by frequency** (means over recordings. Held-out music: 7)")
    assert table.splitlines() == [
        "| split | answer | 0–1 kHz | 1–8 kHz | of the error above 1 kHz |",
        "| --- | --- | --- | --- | --- |",
        "| Held-out music | pretrained, before the last training | 30.0 | -1.0 | 90% |",
        "| Held-out music | pretrained | 40.1 | 2.0 | 74% |",
    ]


@pytest.mark.parametrize("recorded", [False, True])
def test_differences_are_recorded_or_come_from_the_single_scores(recorded):
    def scored(*psnr):
        rows = [{"object": f"o{k}", "class": "a", "psnr": value} for k, value in enumerate(psnr)]
        return SCORES | {"rows": rows}

    splits = {"test": {"foundation": scored(3.0, 5.0, 7.0, 9.0), "scratch": scored(2.0, 3.0, 8.0)}}
    view = {"splits": splits, "models": {"foundation": FACTS}}
    # 1, 2 and -1: their mean, and their deviation over √3.
    shown = "+0.67 ± 0.88 (2 of 3)"
    if recorded:
        view["paired"] = {"test": {"psnr": dict(mean=-0.5, stderr=None, better=2, objects=3)}}
        shown = "−0.50 (2 of 3)"
    assert f"| Held-out objects | {shown} | – | – |" in task_tables("view", view)
    assert summary_table({"view": view}).splitlines()[2:] == [
        f"| Held-out objects | PSNR (dB) ↑ | 14.82 ± 0.32 | 14.82 ± 0.32 | {shown} |",
    ]


def test_views_that_are_named_have_a_table_of_their_own():
    named = SCORES | {"named": 0.125, "named_class": 0.5}
    splits = {"test-models": {"foundation": named, "white": SCORES}}
    truth = {"test-models": {"named": 0.96, "named_class": 0.99, "objects": 79}}
    text = task_tables("view", {"splits": splits, "models": {}, "truth_named": truth})
    title, table = text.split("\n\n")[2:4]
    assert title.startswith("**Named**")
    split = "| Held-out models of other kinds"
    assert table.splitlines()[2:] == [
        f"{split} | **hypernetwork, pretrained (DINOv2)** | 12 % | 50 % | 79 |",
        f"{split} | the true views | 96 % | 99 % | 79 |",
    ]
