"""The words on the sound tab, and the tables that carry its numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hyperdemo.config import SoundFieldConfig
from hyperdemo.metrics import SoundScores
from hyperdemo.results.markdown import markdown_table
from hyperdemo.ui.texts import seconds_words

LABELS = {"foundation": "Pretrained (Whisper)", "scratch": "From scratch"}

INTRODUCTION = (
    "Here a Whisper encoder listens to a clip and writes a small network for every {stretch} of "
    "it: time in, amplitude out. What you hear is these networks at work. Two models compete: "
    "same architecture, same recordings, same number of steps. The encoder of one was pretrained "
    "(Whisper, on speech), that of the other started from random weights."
)

LISTENING = (
    "The three tracks run in step: switch while they play. Their loudness is untouched, nothing "
    "is normalised; only what goes beyond full scale is clipped."
)

PHASE = {
    "mel": "The log-mel spectrogram, all that these models hear, has no phase: they must guess it.",
    "raw": "These models hear the waveform itself.",
    "both": "A log-mel spectrogram has no phase, so the models hear the waveform as well.",
}

EXAMPLES = "Sounds to try"

_NAMES = {
    "french_unheard_voice": "French (held out)",
    "mandarin_unheard_language": "Mandarin (held out)",
}
"""Of examples whose files cannot be named in full."""

NETWORKS_NOTE = (
    "Each ZIP holds the whole clip as the weights of its networks, with a description of how to "
    "evaluate them (safetensors and JSON)."
)

SCORES_NOTE = (
    "At 16 kHz. STOI: how intelligible, up to 1. SI-SNR and PSNR: sample by sample. LSD: how far "
    "the spectra are apart."
)

DIFFERENCE_NOTE = "Red is too much, blue too little; white is as it was."

OWN_RATE = "the clip's own rate"
RATES_HZ = (8_000, 16_000, 48_000)


def tracks(names: Sequence[str]) -> dict[str, str]:
    """Key and shown name of each track of the player: the original, then the models."""
    return {"original": "Original"} | {name: LABELS.get(name, name) for name in names}


def name_of(stem: str) -> str:
    """The name of an example, from that of its file."""
    if stem in _NAMES:
        return _NAMES[stem]
    words = stem.replace("-", " ").replace("_", " ").strip()
    return words[:1].upper() + words[1:]


def introduction(field: SoundFieldConfig) -> str:
    """What this tab does, as Markdown."""
    return INTRODUCTION.format(stretch=f"{1000 * field.stretch_s:.0f} ms")


def rate_note(field: SoundFieldConfig) -> str:
    """Which sampling rates mean what."""
    return (
        "A network can be evaluated at any time, so at any sampling rate. The models hear 16 kHz "
        f"and write tones up to {field.max_freq_hz / 1000:g} kHz: what stands above these in a "
        "spectrogram is mostly noise, and softer than it should be, and above 8 kHz nothing is new "
        "information."
    )


def clip_words(
    duration_s: float, rate_hz: int, channels: int, *, cut: bool, quieter_db: float = 0.0
) -> str:
    """What was taken of a file, as Markdown.

    Args:
        duration_s: seconds that are used.
        rate_hz: of the file.
        channels: in the file.
        cut: the file went on.
        quieter_db: by how much it was made quieter than the file.
    """
    mono = {1: "mono", 2: "stereo, mixed to mono"}
    kind = mono.get(channels, f"{channels} channels, mixed to mono")
    words = f"{duration_s:.1f} s at {rate_hz:,} Hz, {kind}. The models hear it at 16,000 Hz."
    if quieter_db >= 0.1:
        words += f" It goes beyond full scale, so it is made {quieter_db:.1f} dB quieter."
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
        n_written: numbers generated for the clip; its keys are the columns.
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
            "generated numbers": [f"{n_written[n]:,}" for n in names],
            "shared by all clips": [f"{n_shared[n]:,}" for n in names],
            "file": [_size(n_bytes[n]) for n in names],
            "write the networks": [seconds_words(seconds.get(f"{n}.encode")) for n in names],
            "evaluate them": [seconds_words(seconds.get(f"{n}.decode")) for n in names],
            "speed against real time": [speed(name) for name in names],
        },
    )


def _table(names: Sequence[str], rows: Mapping[str, Sequence[str]]) -> str:
    """Markdown with a column per model."""
    header = ["", *(LABELS.get(name, name) for name in names)]
    cells = [[words, *row] for words, row in rows.items()]
    return markdown_table(header, cells, align="l" + "r" * len(names))


def _cell(value: float | None, form: str) -> str:
    return "–" if value is None else form.format(value)


def _size(n_bytes: int) -> str:
    return f"{n_bytes / 1e6:.1f} MB" if n_bytes >= 1e6 else f"{n_bytes / 1e3:.0f} kB"
