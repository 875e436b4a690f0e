"""Score sound checkpoints on prompts that no training heard: `python -m train.sound.evaluate`.

Every answer says whole prompts again at 16 kHz, a model through `SoundPipeline`, so that what is
measured is what a visitor hears. Of each split (`test`: held-out prompts of voices heard in
training; `unseen`: a voice and a language that training never heard) `--limit` prompts are taken,
spread evenly over its sorted names. Results go to the key "sound" of `weights/results.json` and
leave the rest of it alone.

    python -m train.sound.evaluate --models foundation --answers foundation --out a.json
    python -m train.sound.evaluate --models scratch --answers scratch --out b.json
    python -m train.sound.evaluate --merge a.json b.json
"""

from __future__ import annotations

import argparse
import importlib.util
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from tqdm import tqdm

from hyperdemo.checkpoints import LoadedModel, load_checkpoint
from hyperdemo.config import SAMPLE_RATE_HZ, ModelConfig, SoundRequest
from hyperdemo.events import Heard
from hyperdemo.inr import sound_of_stretches
from hyperdemo.metrics import score_sound
from hyperdemo.pipeline.sound import SoundPipeline
from hyperdemo.preprocess.sound import PreparedSound
from hyperdemo.results.recorded import read_recorded
from train.results_file import update
from train.sound.baselines import MAX_WINDOWS, NearestWindow, fit_sound, silence
from train.sound.data import SoundSet, load_speech
from train.sound.splits import read_speech_split
from train.subsets import spread

METRICS = {
    "psnr": "psnr_db", "si_snr": "si_snr_db", "lsd": "lsd_db", "stoi": "stoi", "pesq": "pesq",
}  # fmt: skip
"""Names in the results, and in `SoundScores`."""
WITH_ERROR = ("stoi", "si_snr")
PAIRED = ("stoi", "si_snr", "lsd", "pesq")
LOWER_IS_BETTER = ("lsd",)
SPLITS = ("test", "unseen")

Signal = Float[np.ndarray, " n"]
Answer = Callable[[Signal], Signal]
"""From a sound at 16 kHz to its resynthesis, or to that of its beginning."""


def model_answer(loaded: LoadedModel) -> Answer:
    """A model's resynthesis by way of the pipeline."""
    pipeline = SoundPipeline({loaded.name: loaded}, device=torch.device("cpu"))

    def answer(heard: Signal) -> Signal:
        prepared = PreparedSound(heard, heard, SAMPLE_RATE_HZ, 1, False)
        events = pipeline.listen(prepared, SoundRequest(SAMPLE_RATE_HZ))
        parts = [e.samples[loaded.name] for e in events if isinstance(e, Heard)]
        return np.concatenate(parts)

    return answer


def ceiling_answer(config: ModelConfig, *, steps: int) -> Answer:
    """INRs of the same shape fitted to the stretches of the first window of a sound."""
    field, window = config.field, config.backbone.window

    def answer(heard: Signal) -> Signal:
        first = torch.from_numpy(heard[:window])
        padded = torch.nn.functional.pad(first, (0, window - len(first)))
        stretches = padded.unfold(0, field.stretch, field.stretch - field.overlap)
        params = fit_sound(field, stretches, steps=steps)
        joined = sound_of_stretches(field, params, n_stretches=config.n_stretches)
        return joined[0, : len(first)].numpy()

    return answer


def score(answer: Answer, heard: Signal, *, with_pesq: bool) -> dict[str, float | None]:
    """All metrics of one sound, to four digits, and the seconds that were compared."""
    said = answer(heard)
    scores = score_sound(said, heard[: len(said)], rate_hz=SAMPLE_RATE_HZ, with_pesq=with_pesq)
    row = {"seconds": len(said) / SAMPLE_RATE_HZ}
    row |= {name: getattr(scores, field) for name, field in METRICS.items()}
    return {name: None if value is None else round(value, 4) for name, value in row.items()}


def evaluate(
    sounds: SoundSet, answer: Answer, *, with_pesq: bool, words: str = ""
) -> dict[str, Any]:
    """Score an answer on every sound of a set: a summary with its rows."""
    started = time.monotonic()
    rows = [
        {"prompt": name} | score(answer, sounds.sound(k).numpy(), with_pesq=with_pesq)
        for k, name in enumerate(tqdm(sounds.ids, desc=words, unit="prompt"))
    ]
    seconds = (time.monotonic() - started) / len(rows)
    return summarise(rows) | {"seconds_per_prompt": round(seconds, 3), "rows": rows}


def summarise(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Mean over prompts of each metric and the standard errors of two means.

    Where a metric has no meaning for a prompt it is left out of the mean, and `left_out` counts
    it; where it has none for any prompt, the mean is None.
    """
    values = {name: [row[name] for row in rows if row[name] is not None] for name in METRICS}
    return {
        **{name: round(float(np.mean(v)), 4) if v else None for name, v in values.items()},
        **{f"{name}_stderr": standard_error(values[name]) for name in WITH_ERROR},
        "prompts": len(rows),
        "seconds": round(sum(row["seconds"] for row in rows), 1),
        "left_out": {n: len(rows) - len(v) for n, v in values.items() if len(v) < len(rows)},
    }


def standard_error(values: Sequence[float]) -> float | None:
    """Of the mean: σ / √n with σ of n - 1 degrees of freedom; None for fewer than two values."""
    if len(values) < 2:
        return None
    return round(float(np.std(values, ddof=1) / np.sqrt(len(values))), 4)


def compare(
    first: Sequence[Mapping[str, Any]], second: Sequence[Mapping[str, Any]]
) -> dict[str, dict[str, Any]]:
    """Differences first - second, prompt by prompt.

    Returns:
        Of each metric its mean and the error of that, on how many of the prompts that both rows
        have a value of (`prompts`) the first one is `better`; no metric that has none.
    """
    theirs = {row["prompt"]: row for row in second}
    pairs = [(row, theirs[row["prompt"]]) for row in first if row["prompt"] in theirs]
    found = {}
    for name in PAIRED:
        both = [(a[name], b[name]) for a, b in pairs if None not in (a[name], b[name])]
        apart = np.array([a - b for a, b in both])
        if len(apart):
            gain = -apart if name in LOWER_IS_BETTER else apart
            found[name] = {
                "mean": round(float(apart.mean()), 4),
                "stderr": standard_error(apart),
                "better": int((gain > 0).sum()),
                "prompts": len(apart),
            }
    return found


def add(results: dict[str, Any], found: Mapping[str, Any]) -> None:
    """Put scored answers beside those that are there, and compare the two models anew.

    Args:
        results: all results, of which only "sound" is changed.
        found: `splits` and `models`, as that key has them.
    """
    recorded = results.setdefault("sound", {})
    for key in ("splits", "models", "paired"):
        recorded.setdefault(key, {})
    recorded["models"] |= found["models"]
    for split, scored in found["splits"].items():
        answers = recorded["splits"].setdefault(split, {})
        answers |= scored
        if {"foundation", "scratch"} <= set(answers):
            rows = (answers[name]["rows"] for name in ("foundation", "scratch"))
            recorded["paired"][split] = compare(*rows)


def write(out: Path, found: Mapping[str, Any]) -> None:
    """Add to a results file as it now is."""
    update(out, lambda results: add(results, found))


def parse_arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m train.sound.evaluate",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--weights", type=Path, default=Path("weights"))
    parser.add_argument("--models", nargs="+", default=["foundation", "scratch"])
    parser.add_argument("--speech", default="data/speech")
    parser.add_argument("--splits", default="train/speech_splits.json")
    parser.add_argument("--answers", nargs="*", help="only these, added to what is there")
    parser.add_argument("--limit", type=int, default=100, help="prompts a split")
    parser.add_argument("--train-windows", type=int, default=MAX_WINDOWS, help="for nearest")
    parser.add_argument("--ceiling-windows", type=int, default=8, help="a split")
    parser.add_argument("--ceiling-steps", type=int, default=100)
    parser.add_argument("--out", type=Path, help="results file (weights/results.json)")
    parser.add_argument("--merge", nargs="+", type=Path, help="only add these files' results")
    return parser.parse_args(argv)


def build_answers(args: argparse.Namespace, models: Mapping[str, LoadedModel]) -> dict[str, Answer]:
    """The answers that are asked for, by name."""
    config = next(iter(models.values())).model.config
    answers = {"silence": silence} | {n: model_answer(loaded) for n, loaded in models.items()}
    answers["ceiling"] = ceiling_answer(config, steps=args.ceiling_steps)
    if not args.answers or "nearest" in args.answers:
        train = load_speech(args.speech, read_speech_split(args.splits, "train"))
        window, overlap = config.backbone.window, config.field.overlap
        nearest = NearestWindow(train, window=window, overlap=overlap, limit=args.train_windows)
        answers["nearest"] = nearest.answer
    if unknown := sorted(set(args.answers or ()) - set(answers)):
        raise SystemExit(f"expected answers among {', '.join(answers)}, got {', '.join(unknown)}")
    return {n: answer for n, answer in answers.items() if not args.answers or n in args.answers}


def main(argv: Sequence[str] | None = None) -> None:
    args = parse_arguments(argv)
    out = args.out or args.weights / "results.json"
    if args.merge:
        for path in args.merge:
            write(out, read_recorded(path)["sound"])
        return
    models = {name: load_checkpoint(args.weights, f"sound-{name}") for name in args.models}
    answers = build_answers(args, models)
    facts = {name: dict(models[name].facts) for name in answers if name in models}
    with_pesq = importlib.util.find_spec("pesq") is not None
    for split in SPLITS:
        ids = read_speech_split(args.splits, split)
        kept = spread(ids, args.limit)
        for name, answer in answers.items():
            few = name == "ceiling"
            sounds = load_speech(args.speech, spread(kept, args.ceiling_windows) if few else kept)
            result = evaluate(sounds, answer, with_pesq=with_pesq, words=f"{split} {name}")
            result = {"of": len(ids)} | ({"steps": args.ceiling_steps} if few else {}) | result
            write(out, {"splits": {split: {name: result}}, "models": facts})
            print(split, name, {key: v for key, v in result.items() if key != "rows"})


if __name__ == "__main__":
    main()
