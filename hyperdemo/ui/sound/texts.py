"""The words on the sound tab, and the tables that carry its numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hyperdemo.config import SoundFieldConfig
from hyperdemo.metrics import SoundScores

LABELS = {"foundation": "Pretrained (Whisper)", "scratch": "From scratch"}

INTRODUCTION = (
    "Here a Whisper encoder listens to a clip and writes a small network for every {stretch} of "
    "it: time in, amplitude out. What you hear is these networks at work. Two models compete: "
    "same architecture, same recordings, same number of steps. They differ in one thing: where "
    "the encoder began, with what Whisper had learnt from speech or with random numbers."
)

LISTENING = (
    "The three tracks run in step: switch while they play. Their loudness is untouched, nothing "
    "is normalised; only what goes beyond full scale is clipped."
)

PHASE = {
    "mel": "The log-mel spectrogram, all that these models hear, says nothing of phase: they must "
    "make it up.",
    "raw": "These models hear the waveform itself.",
    "both": "A log-mel spectrogram alone says nothing of phase, so the models hear the waveform "
    "as well.",
}

EXAMPLES = "Sounds to try"

RATE_NOTE = (
    "A network can be asked at any time, so at any rate. The models heard 16 kHz: nothing above "
    "8 kHz is new information."
)

NETWORKS_NOTE = (
    "Each ZIP holds the whole clip as the weights of its networks, with a description of how to "
    "evaluate them: safetensors and JSON, readable without this program."
)

SCORES_NOTE = (
    "At 16 kHz. STOI: how intelligible, up to 1. SI-SNR and PSNR: sample by sample. LSD: how far "
    "the spectra are apart."
)

DIFFERENCE_NOTE = "Red is too much, blue too little; white is as it was."

OWN_RATE = "the clip's own rate"
RATES_HZ = (8_000, 16_000, 48_000)

_METRICS = (
    ("STOI", "stoi", "{:.3f}", 1),
    ("SI-SNR (dB)", "si_snr", "{:.2f}", 1),
    ("PSNR (dB)", "psnr", "{:.2f}", 1),
    ("LSD (dB)", "lsd", "{:.2f}", -1),
    ("PESQ", "pesq", "{:.2f}", 1),
)


def tracks(names: Sequence[str]) -> dict[str, str]:
    """Key and shown name of each track of the player: the original, then the models."""
    return {"original": "Original"} | {name: LABELS.get(name, name) for name in names}


def name_of(stem: str) -> str:
    """The name of an example, from that of its file."""
    words = stem.replace("-", " ").replace("_", " ").strip()
    return words[:1].upper() + words[1:]


def introduction(field: SoundFieldConfig) -> str:
    """What this tab does, as Markdown."""
    return INTRODUCTION.format(stretch=f"{1000 * field.stretch_s:.0f} ms")


def clip_words(duration_s: float, rate_hz: int, channels: int, *, cut: bool) -> str:
    """What was taken of a file, as Markdown.

    Args:
        duration_s: seconds that are used.
        rate_hz: of the file.
        channels: in the file.
        cut: the file went on.
    """
    mono = {1: "mono", 2: "stereo, mixed to mono"}
    kind = mono.get(channels, f"{channels} channels, mixed to mono")
    words = f"{duration_s:.1f} s at {rate_hz:,} Hz, {kind}. The models hear it at 16,000 Hz."
    if cut:
        words = f"**The clip is longer: only its first {duration_s:.0f} s are used.** {words}"
    return words


def scores_table(scores: Mapping[str, SoundScores]) -> str:
    """Each model against the clip as the models heard it, as Markdown; – for what has no value."""
    rows = (
        ("STOI ↑", "stoi", "{:.3f}"),
        ("SI-SNR (dB) ↑", "si_snr_db", "{:.2f}"),
        ("PSNR (dB) ↑", "psnr_db", "{:.2f}"),
        ("LSD (dB) ↓", "lsd_db", "{:.2f}"),
    )
    return _table(
        list(scores),
        {
            words: [_cell(getattr(score, field), form) for score in scores.values()]
            for words, field, form in rows
        },
    )


def timings_table(
    seconds: Mapping[str, float],
    *,
    duration_s: float,
    n_written: Mapping[str, int],
    n_shared: Mapping[str, int],
    n_bytes: Mapping[str, int],
) -> str:
    """What each model has written and how long it took, as a Markdown table.

    Args:
        seconds: "foundation.encode", "foundation.decode", …
        duration_s: of the clip.
        n_written: numbers written for the clip; its keys are the columns.
        n_shared: numbers that are the same for every clip.
        n_bytes: size of the file of networks.
    """
    names = list(n_written)

    def speed(name: str) -> str:
        taken = seconds.get(f"{name}.encode", 0.0) + seconds.get(f"{name}.decode", 0.0)
        return f"{duration_s / taken:.1f} ×" if taken else "–"

    return _table(
        names,
        {
            "numbers written": [f"{n_written[n]:,}" for n in names],
            "shared by all clips": [f"{n_shared[n]:,}" for n in names],
            "file": [_size(n_bytes[n]) for n in names],
            "write the networks": [_cell(seconds.get(f"{n}.encode"), "{:.2f} s") for n in names],
            "evaluate them": [_cell(seconds.get(f"{n}.decode"), "{:.2f} s") for n in names],
            "speed against real time": [speed(name) for name in names],
        },
    )


def results_sentence(results: Mapping[str, Any] | None) -> str:
    """What pretraining buys on speech that no training heard, as measured; "" if unknown.

    Args:
        results: content of `weights/results.json`.
    """
    try:
        test = results["sound"]["splits"]["test"]
        arms = [test["foundation"], test["scratch"]]
        measured = [row for row in _METRICS if all(arm.get(row[1]) is not None for arm in arms)]
        numbers = [
            f"{words} {form.format(arms[0][key])} against {form.format(arms[1][key])}"
            for words, key, form, _ in measured
        ]
        ahead = {_ahead(arms, *row[1:]) for row in measured}
        n_prompts = arms[0].get("prompts")
    except (AttributeError, KeyError, TypeError, ValueError):
        return ""
    if not numbers:
        return ""
    where = f"{n_prompts} prompts of speech" if n_prompts else "speech"
    return (
        f"Measured on {where} that no training heard, pretrained against from scratch: "
        f"{', '.join(numbers)}. **{_verdict(ahead)}** LSD is better where it is lower, the others "
        "higher."
    )


def _ahead(arms: Sequence[Mapping[str, float]], key: str, form: str, better: int) -> int:
    """1 where the first is better, -1 the second; 0 within two standard errors, or as shown."""
    first, second = (float(form.format(arm[key])) for arm in arms)
    spread = max(float(arm.get(f"{key}_stderr") or 0.0) for arm in arms)
    if abs(first - second) <= 2 * spread:
        return 0
    return better if first > second else -better


def _verdict(ahead: set[int]) -> str:
    """In words, who is ahead on the metrics that tell the two apart."""
    match sorted(ahead - {0}):
        case [1]:
            return "Pretraining is ahead."
        case [-1]:
            return "Starting from scratch is ahead."
        case []:
            return "No clear difference."
    return "Neither is ahead on all counts."


def _table(names: Sequence[str], rows: Mapping[str, Sequence[str]]) -> str:
    """Markdown with a column a model."""
    heading = " | ".join(LABELS.get(name, name) for name in names)
    lines = [f"| | {heading} |", "|---" + "|--:" * len(names) + "|"]
    return "\n".join(lines + [f"| {words} | {' | '.join(row)} |" for words, row in rows.items()])


def _cell(value: float | None, form: str) -> str:
    return "–" if value is None else form.format(value)


def _size(n_bytes: int) -> str:
    return f"{n_bytes / 1e6:.1f} MB" if n_bytes >= 1e6 else f"{n_bytes / 1e3:.0f} kB"
