from train.report.tables import summary_table, task_tables

FACTS = {
    "parameters": 21_800_000, "trainable_parameters": 21_700_000, "steps_taken": 12,
    "minutes": 34.4, "hardware": "an abacus", "val_psnr": 15.678, "train_objects": 9,
    "inr_parameters": 1234, "command": "python -m train.run", "git": "abc",
    "training": {"batch": 3, "lr": 3e-4, "lr_backbone": 2e-5, "lr_heads": 0.0, "seed": 4},
}  # fmt: skip
SCORES = {"psnr": 14.816, "psnr_stderr": 0.321, "ssim": 0.6234, "perceptual": 0.5, "objects": 79}
VIEW = {
    "splits": {"test": {"foundation": SCORES, "ceiling": SCORES}, "unseen": {"white": SCORES}},
    "models": {"foundation": FACTS},
}
RESULTS = {"view": VIEW}
SOUND_FACTS = FACTS | {
    "val_snr": 6.128, "val_stoi": 0.7654, "train_prompts": 7,
    "model": {"backbone": {"window": 16_080}, "field": {"stretch": 480}},
}  # fmt: skip
HEARD = {
    "psnr": 40.0, "si_snr": 6.5, "si_snr_stderr": 0.2, "lsd": 9.1, "stoi": 0.812,
    "stoi_stderr": 0.0123, "pesq": 1.5, "prompts": 9, "of": 40, "seconds": 31.4,
}  # fmt: skip
SILENCE = HEARD | {"si_snr": None, "si_snr_stderr": None, "pesq": None, "stoi": 0.0}
WORSE = {"mean": -0.0315, "stderr": 0.004, "better": 2, "prompts": 9}
SOUND = {
    "splits": {
        "unseen": {"scratch": HEARD | {"pesq": None}},
        "test": {"foundation": HEARD, "silence": SILENCE, "ceiling": HEARD | {"steps": 100}},
    },
    "models": {"scratch": SOUND_FACTS},
    "paired": {"test": {"stoi": WORSE, "lsd": {"mean": 1.5, "stderr": None} | SCORES | WORSE}},
}


def test_a_table_says_what_was_measured():
    lines = task_tables("view", VIEW).splitlines()
    assert "| **hypernetwork, pretrained (DINOv2)** | 14.82 ± 0.32 | 0.623 | 0.500 | 79 |" in lines
    assert "| foundation | 21.8 M | 12 | 3 | 34 | an abacus | PSNR 15.68 dB |" in lines
    assert sum("14.82" in line for line in lines) == 3


def test_the_tables_of_sound_say_what_was_measured():
    text = task_tables("sound", SOUND)
    test, unseen, paired, budget = (part.splitlines() for part in text.split("\n\n**"))
    assert test[0] == "**Held-out prompts (voices heard in training)**"
    assert test[2] == (
        "| answer | STOI ↑ | SI-SNR (dB) ↑ | PESQ ↑ | LSD (dB) ↓ | PSNR (dB) ↑ | prompts |"
    )
    ours = "0.812 ± 0.012 | 6.50 ± 0.20 | 1.50 | 9.10 | 40.00 | 9 of 40, 31 s |"
    assert test[4:] == [
        "| silence | 0.000 ± 0.012 | – | – | 9.10 | 40.00 | 9 of 40, 31 s |",
        f"| **hypernetwork, pretrained (Whisper)** | {ours}",
        f"| ceiling: the same INRs fitted to a prompt's first second, 100 steps | {ours}",
    ]
    assert "PESQ" not in unseen[2]  # nobody measured it there
    assert paired[-1].startswith("| Held-out prompts (voices heard in training) | −0.032 ± 0.004")
    assert "(2 of 9)" in paired[-1]
    assert budget[-1] == (
        "| scratch | 21.8 M | 12 | 3 | 34 | an abacus | SNR 6.13 dB, STOI 0.765 |"
    )
    for part in (test, unseen, paired, budget):
        rows = [line for line in part if line.startswith("|")]
        assert len({line.count("|") for line in rows}) == 1


def test_what_only_some_have_is_shown_where_there_is_any():
    text = task_tables("sound", SOUND | {"paired": {}})
    for absent in ("Study", "Quality", "one by one"):
        assert absent not in text


def test_studies():
    inputs = {"ears": {"val_snr": 9.5, "val_stoi": 0.7, "val_spectral": 1.2, "steps": 9,
                       "minutes": 2.04}}  # fmt: skip
    fields = {"small": {"snr_db": 30.04, "worst_db": 20.0, "parameters": 1234,
                        "parameters_a_second": 2_500_000}}  # fmt: skip
    shown = task_tables("sound", SOUND | {"studies": {"inputs": inputs, "fields": fields}})
    assert "| ears | 9.50 | 0.700 | 1.20 | 9 | 2.0 |" in shown
    assert "| small | 30.0 | 20.0 | 1,234 | 2.50 M |" in shown


def test_rates():
    coded = HEARD | {"label": "Opus, 24 kbit/s asked", "kbit_s": 24.561}
    generated = HEARD | {"label": "8 bits a number", "kbit_s": 81.05}
    copy = SILENCE | {"label": "PCM, 16 bits a sample", "kbit_s": 256.0, "stoi": 1.0}
    rates = {"prompts": 40, "seconds": 93.7, "reading": "Read this.",
             "curves": {"INR": [generated], "Opus": [coded], "PCM": [copy]}}  # fmt: skip
    shown = task_tables("sound", SOUND | {"rates": rates}).split("\n\n**")[-1].splitlines()
    assert shown[0] == "Quality against bitrate** (40 held-out prompts, 94 s)"
    assert shown[2:] == [
        "| codec | setting | kbit/s | STOI ↑ | SI-SNR (dB) ↑ | PESQ ↑ | LSD (dB) ↓ |",
        "| --- | --- | --- | --- | --- | --- | --- |",
        "| INR | 8 bits a number | 81.0 | 0.812 ± 0.012 | 6.50 ± 0.20 | 1.50 | 9.10 |",
        "| Opus | 24 kbit/s asked | 24.6 | 0.812 ± 0.012 | 6.50 ± 0.20 | 1.50 | 9.10 |",
        "| PCM | 16 bits a sample | 256.0 | 1.000 ± 0.012 | – | – | 9.10 |",
        "",
        "Read this.",
    ]
    unread = task_tables("sound", SOUND | {"rates": rates | {"reading": ""}})
    assert unread.endswith("– | – | 9.10 |")


def test_differences_come_from_the_single_scores_where_none_are_recorded():
    def scored(*psnr):
        rows = [{"object": f"o{k}", "class": "a", "psnr": value, "ssim": 0.5, "perceptual": 0.1}
                for k, value in enumerate(psnr)]  # fmt: skip
        return SCORES | {"rows": rows}

    splits = {"test": {"foundation": scored(3.0, 5.0, 7.0, 9.0), "scratch": scored(2.0, 3.0, 8.0)}}
    view = VIEW | {"splits": splits}
    # 1, 2 and -1: their mean, and their deviation over √3.
    assert "| Held-out objects | +0.67 ± 0.88 (2 of 3) |" in task_tables("view", view)
    told = {"mean": 0.5, "stderr": 0.25, "better": 2, "objects": 3}
    recorded = view | {"paired": {"test": {"psnr": told}}}
    assert "| Held-out objects | +0.50 ± 0.25 (2 of 3) | " in task_tables("view", recorded)
    summary = summary_table({"view": recorded, "sound": SOUND}).splitlines()
    assert summary[2] == (
        "| Held-out objects | PSNR (dB) ↑ | 14.82 ± 0.32 | 14.82 ± 0.32 | +0.50 ± 0.25 (2 of 3) |"
    )
    assert len(summary) == 4  # nothing to compare on the other splits
