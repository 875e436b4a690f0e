"""Score sound checkpoints on prompts that no training heard: `python -m train.sound.evaluate`.

Every answer says whole prompts again at 16 kHz, a model through `SoundPipeline`, so that what is
measured is what a visitor hears. Of each split (`test`: held-out prompts of voices heard in
training; `unseen`: a voice that training never heard; `test-…` where the models' splits have more)
`--limit` sounds are taken, spread evenly over its sorted names. Results go to the key "sound" of
`weights/results.json` and leave the rest of it alone.

    python -m train.sound.evaluate --models foundation --answers foundation --out a.json
    python -m train.sound.evaluate --models scratch --answers scratch --out b.json
    python -m train.sound.evaluate --merge a.json b.json
"""

from __future__ import annotations

import argparse
import importlib.util
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
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
from hyperdemo.metrics import score_sound, visqol
from hyperdemo.metrics.paired import paired_difference
from hyperdemo.pipeline import choose_device
from hyperdemo.pipeline.sound import SoundPipeline
from hyperdemo.preprocess.sound import PreparedSound
from hyperdemo.results.recorded import read_recorded
from train.config import SoundData
from train.results_file import update
from train.sound.baselines import MAX_WINDOWS, NearestWindow, fit_sound, silence
from train.sound.data import SoundSet, load_sounds, split_ids
from train.sound.splits import load_speech_splits
from train.subsets import spread

METRICS = {
    "psnr": "psnr_db", "si_snr": "si_snr_db", "lsd": "lsd_db", "stoi": "stoi", "pesq": "pesq",
}  # fmt: skip
"""Names in the results, and in `SoundScores`."""
VISQOL = "visqol"
"""Of what is no speech, in the results."""
MAX_TRAIN_SOUNDS = 500
"""Of LibriSpeech's 28,539 utterances, for the nearest window: two hours."""

WITH_ERROR = ("stoi", "si_snr")
PAIRED = ("stoi", "si_snr", "lsd", "pesq", VISQOL)
LOWER_IS_BETTER = ("lsd",)
SPLITS = ("test", "unseen")
NOT_SPEECH = ("test-music", "test-effects", "test-kind")
"""On these, measures of speech mean nothing."""
CPU = torch.device("cpu")

Signal = Float[np.ndarray, " n"]
Answer = Callable[[Signal], Signal]
"""From a sound at 16 kHz to its resynthesis, or to that of its beginning."""


def model_answer(loaded: LoadedModel) -> Answer:
    """A model's resynthesis by way of the pipeline, on the model's device."""
    device = next(loaded.model.parameters()).device
    pipeline = SoundPipeline({loaded.name: loaded}, device=device)

    def answer(heard: Signal) -> Signal:
        prepared = PreparedSound(heard, heard, SAMPLE_RATE_HZ, 1, False)
        events = pipeline.listen(prepared, SoundRequest(SAMPLE_RATE_HZ))
        parts = [e.samples[loaded.name] for e in events if isinstance(e, Heard)]
        return np.concatenate(parts)

    return answer


def ceiling_answer(config: ModelConfig, *, steps: int, device: torch.device = CPU) -> Answer:
    """INRs of the same shape fitted to the stretches of the first window of a sound."""
    field, window = config.field, config.backbone.window

    def answer(heard: Signal) -> Signal:
        first = torch.from_numpy(heard[:window]).to(device)
        padded = torch.nn.functional.pad(first, (0, window - len(first)))
        stretches = padded.unfold(0, field.stretch, field.stretch - field.overlap)
        params = fit_sound(field, stretches, steps=steps)
        joined = sound_of_stretches(field, params, n_stretches=config.n_stretches)
        return joined[0, : len(first)].cpu().numpy()

    return answer


def score(
    answer: Answer,
    heard: Signal,
    *,
    with_pesq: bool,
    with_visqol: bool = False,
    speech: bool = True,
) -> dict[str, float | None]:
    """All metrics of one sound, to four digits, and the seconds that were compared.

    STOI and PESQ are None of what is no speech, and nothing else has ViSQOL.
    """
    said = answer(heard)
    truth = heard[: len(said)]
    scores = score_sound(said, truth, rate_hz=SAMPLE_RATE_HZ, with_pesq=with_pesq and speech)
    row = {"seconds": len(said) / SAMPLE_RATE_HZ}
    row |= {name: getattr(scores, field) for name, field in METRICS.items()}
    if not speech:
        row["stoi"] = None
        if with_visqol:
            row[VISQOL] = visqol(said, truth, rate_hz=SAMPLE_RATE_HZ)
    return {name: None if value is None else round(value, 4) for name, value in row.items()}


def evaluate(
    sounds: SoundSet,
    answer: Answer,
    *,
    with_pesq: bool,
    with_visqol: bool = False,
    speech: bool = True,
    words: str = "",
) -> dict[str, Any]:
    """Score an answer on every sound of a set: a summary with its rows."""
    asked = {"with_pesq": with_pesq, "with_visqol": with_visqol, "speech": speech}
    started = time.monotonic()
    rows = [
        {"prompt": name} | score(answer, sounds.sound(k).numpy(), **asked)
        for k, name in enumerate(tqdm(sounds.ids, desc=words, unit="prompt"))
    ]
    seconds = (time.monotonic() - started) / len(rows)
    return summarise(rows) | {"seconds_per_prompt": round(seconds, 3), "rows": rows}


def summarise(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Mean over prompts of each metric and the standard errors of two means.

    Where a metric has no meaning for a prompt it is left out of the mean, and `left_out` counts
    it; where it has none for any prompt, the mean is None.
    """
    names = (*METRICS, *([VISQOL] if any(VISQOL in row for row in rows) else []))
    values = {name: [row[name] for row in rows if row.get(name) is not None] for name in names}
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
    """Differences first - second, prompt by prompt, as `hyperdemo.metrics.paired` tells them.

    Returns:
        By metric, over the prompts that both rows have a value of; no metric that has none.
    """
    theirs = {row["prompt"]: row for row in second}
    pairs = [(row, theirs[row["prompt"]]) for row in first if row["prompt"] in theirs]
    found = {}
    for name in PAIRED:
        both = [(a.get(name), b.get(name)) for a, b in pairs]
        both = [pair for pair in both if None not in pair]
        if both:
            apart = paired_difference(*zip(*both, strict=True), higher=name not in LOWER_IS_BETTER)
            found[name] = {
                "mean": round(apart.mean, 4),
                "stderr": None if apart.stderr is None else round(apart.stderr, 4),
                "better": apart.better,
                "prompts": apart.n,
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
    parser.add_argument("--speech", help="folder of the speech (that of the models' training)")
    parser.add_argument("--splits", help="splits file (that of the models' training)")
    parser.add_argument("--answers", nargs="+", help="only these, added to what is there")
    parser.add_argument("--on", nargs="+", metavar="SPLIT", help="only these of the splits")
    parser.add_argument("--limit", type=int, default=100, help="prompts a split")
    parser.add_argument("--train-windows", type=int, default=MAX_WINDOWS, help="for nearest")
    parser.add_argument("--ceiling-windows", type=int, default=8, help="a split")
    parser.add_argument("--ceiling-steps", type=int, default=100)
    parser.add_argument("--out", type=Path, help="results file (weights/results.json)")
    parser.add_argument("--merge", nargs="+", type=Path, help="only add these files' results")
    parser.add_argument("--device", help="cpu or cuda (cuda if there is one)")
    return parser.parse_args(argv)


def trained_on(models: Mapping[str, LoadedModel]) -> SoundData:
    """The data of the models' training; the default where it is not recorded.

    Raises:
        ValueError: they trained on different data sets or splits.
    """
    found = [
        SoundData(**loaded.facts.get("training", {}).get("data", {})) for loaded in models.values()
    ]
    if len(kinds := {(data.format, data.splits_file) for data in found}) != 1:
        raise ValueError(f"models that share their splits expected, got {sorted(kinds)}")
    return found[0]


def splits_of(data: SoundData) -> tuple[str, ...]:
    """What models are scored on: LibriSpeech's test has unseen voices alone."""
    if data.format == "librispeech":
        return SPLITS[:1]
    known = load_speech_splits(Path(data.splits_file))
    return (*SPLITS, *(name for name in known if name.startswith("test-")))


def build_answers(
    args: argparse.Namespace, models: Mapping[str, LoadedModel], data: SoundData
) -> dict[str, Answer]:
    """The answers that are asked for, by name."""
    config = next(iter(models.values())).model.config
    answers = {"silence": silence} | {n: model_answer(loaded) for n, loaded in models.items()}
    answers["ceiling"] = ceiling_answer(config, steps=args.ceiling_steps, device=args.device)
    if not args.answers or "nearest" in args.answers:
        ids = split_ids(data, "train")
        if data.format == "librispeech":
            ids = spread(ids, MAX_TRAIN_SOUNDS)
        window, overlap = config.backbone.window, config.field.overlap
        nearest = NearestWindow(
            load_sounds(data, ids), window=window, overlap=overlap, limit=args.train_windows
        )
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
    args.device = choose_device(args.device)
    models = {
        name: load_checkpoint(args.weights, f"sound-{name}", device=args.device)
        for name in args.models
    }
    changes = {"speech_dir": args.speech, "splits_file": args.splits}
    data = replace(trained_on(models), **{key: value for key, value in changes.items() if value})
    splits = splits_of(data)
    if unknown := sorted(set(args.on or ()) - set(splits)):
        raise SystemExit(f"expected splits among {', '.join(splits)}, got {', '.join(unknown)}")
    answers = build_answers(args, models, data)
    facts = {name: dict(models[name].facts) for name in answers if name in models}
    with_pesq, with_visqol = (bool(importlib.util.find_spec(name)) for name in ("pesq", VISQOL))
    for split in args.on or splits:
        ids = split_ids(data, split)
        kept = spread(ids, args.limit)
        for name, answer in answers.items():
            few = name == "ceiling"
            sounds = load_sounds(data, spread(kept, args.ceiling_windows) if few else kept)
            result = evaluate(
                sounds,
                answer,
                with_pesq=with_pesq,
                with_visqol=with_visqol,
                speech=split not in NOT_SPEECH,
                words=f"{split} {name}",
            )
            result = {"of": len(ids)} | ({"steps": args.ceiling_steps} if few else {}) | result
            write(out, {"splits": {split: {name: result}}, "models": facts})
            print(split, name, {key: v for key, v in result.items() if key != "rows"})


if __name__ == "__main__":
    main()
