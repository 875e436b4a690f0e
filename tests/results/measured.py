"""A `results.json` in small, with numbers that are easy to reckon with by hand."""

from typing import Any


def run(seed: int, stoi: float, **facts: Any) -> dict[str, Any]:
    """A row of a sweep, 0.1 lower on unseen data."""
    row = {"seed": seed, "steps": 300, "hardware": "2 CPU cores", "trainable_parameters": 8e6}
    test = {"stoi": stoi, "si_snr": 100 * stoi, "pesq": None, "prompts": 40}
    unseen = {"stoi": stoi - 0.1, "prompts": 30}
    return row | {"metrics": {"test": test, "unseen": unseen}} | facts


def arm(label: str, series: str, *runs: str, x: float | None = None) -> dict[str, Any]:
    return {"label": label, "series": series, "x": x, "runs": list(runs)}


def experiment(title: str, *arms: dict[str, Any], **words: str) -> dict[str, Any]:
    question = {"question": f"{title}, but why?", "reading": "", "x_label": ""}
    return {"title": title, "arms": list(arms)} | question | words


RUNS = {
    "a0": run(0, 0.80), "a1": run(1, 0.84), "a2": run(2, 0.88),
    "b0": run(0, 0.70), "b1": run(1, 0.74), "d0": run(0, 0.80),
    "small": run(0, 0.60, trainable_parameters=1e5),
    "lora": run(0, 0.90, trainable_parameters=3e5),
}  # fmt: skip

MAIN = experiment(
    "Does it help?",
    arm("both", "pretrained", "a0", "a1", "a2"),
    arm("both", "from scratch", "b0", "b1", "not yet"),
    arm("waveform alone", "pretrained", "a0"),
    arm("log-mel alone", "pretrained", "not yet"),
    reading="It helps.",
)
DATA = experiment(
    "How much?",
    arm("10 %", "pretrained", "a1", x=10), arm("1 %", "pretrained", "d0", x=1),
    arm("100 %", "pretrained", "a0", "a1", "a2", x=100), arm("1 %", "from scratch", "b0", x=1),
    x_label="share (%)",
)  # fmt: skip
ADAPT = experiment(
    "How many?",
    arm("frozen", "frozen", "small"), arm("LoRA", "LoRA", "lora"),
    arm("all", "pretrained", "a0"), arm("from scratch", "from scratch", "b0"),
    x_label="trainable parameters", x_from="trainable_parameters",
)  # fmt: skip
NOTHING = experiment("Later?", arm("later", "pretrained", "not yet"))

RATES = {
    "split": "test", "prompts": 20, "window_s": 1.0, "reading": "Opus is smaller.",
    "curves": {
        "INR": [{"label": "8 bits", "kbit_s": 120.0, "stoi": 0.9, "lsd": 3.0},
                {"label": "4 bits", "kbit_s": 60.0, "stoi": 0.7}],
        "Opus": [{"label": "6 kbit/s", "kbit_s": 6.0, "stoi": 0.8}],
    },
}  # fmt: skip


def answer(**values: Any) -> dict[str, Any]:
    return {"prompts": 100, "of": 406} | values


def audio() -> dict[str, Any]:
    test = {
        "silence": answer(stoi=0.0, si_snr=None),
        "foundation": answer(stoi=0.98, stoi_stderr=0.01, lsd=5.0),
        "scratch": answer(stoi=0.90, stoi_stderr=0.02, lsd=6.0),
        "ceiling": answer(stoi=1.0) | {"prompts": 8},
    }
    curves = {
        "foundation": [[100, 8.0, 0.7], [200, 11.0, 0.9]],
        "scratch": [[100, 9.0, 0.6], [200, 10.0, 0.8]],
    }
    return {
        "splits": {"test": test, "unseen": {"foundation": answer(stoi=0.95)}},
        "models": {
            name: {"val_curve": curve, "steps_taken": 2000, "minutes": 48.7, "hardware": "a CPU"}
            for name, curve in curves.items()
        },
        "paired": {"test": {"stoi": {"mean": 0.08, "stderr": 0.01, "better": 94, "prompts": 100}}},
        "rates": RATES,
    }


def view() -> dict[str, Any]:
    def scored(*psnr: float) -> dict[str, Any]:
        rows = [{"object": f"thing {k}", "psnr": value} for k, value in enumerate(psnr)]
        return {"psnr": sum(psnr) / len(psnr), "objects": len(psnr), "rows": rows}

    test = {"foundation": scored(16.0, 15.0, 18.0), "scratch": scored(14.0, 16.0, 15.0)}
    return {"splits": {"test": test}, "models": {}}


def results() -> dict[str, Any]:
    experiments = {"main": MAIN, "data": DATA, "adapt": ADAPT, "nothing": NOTHING}
    sweeps = {"sound": {"runs": RUNS, "experiments": experiments}}
    return {"view": view(), "sound": audio(), "sweeps": sweeps}
