"""What the sweep of the sound task asks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from train.experiments import SCRATCH, SHORT, THREE, Arm, Changes, Experiment, Pairs, Sweep

_PAIRS = Pairs(SCRATCH["sound"])
_DINO: Changes = {
    "backbone_file": "data/backbones/vit_small_patch14_dinov2.safetensors",
    "model.backbone.vit.image_size": 112,
    "model.backbone.vit.depth": 4,
}
_BASE: Changes = {
    "backbone_file": "data/backbones/whisper_base.safetensors",
    "model.backbone.name": "whisper_base",
    "model.backbone.dim": 512,
    "model.backbone.n_heads": 8,
    "model.backbone.n_blocks": 6,
}
_WHISPER = "Whisper tiny.en, 4 blocks"
_VIT = "DINOv2 ViT-S/14 on the spectrogram, 4 of 12 blocks"


def _window(seconds: float, *, batch: int) -> Changes:
    """Other windows with as many stretches a step as ever, 25 ms apart."""
    stretches = round(seconds / 0.025)
    return {
        "model.backbone.window": stretches * 400 + 80, "batch": batch, "data.stretches": stretches,
    }  # fmt: skip


def _highest(max_freq_hz: float, *, n_freqs: int) -> Changes:
    return {"model.field.n_freqs": n_freqs, "model.field.max_freq_hz": max_freq_hz}


_ON_PROMPTS: Mapping[str, Experiment] = {
    "input": Experiment(
        "What must the encoder hear?",
        "Log-mel frames as Whisper knows them, patches of the waveform, or both.",
        (
            *_PAIRS.both("log-mel and waveform", {}),
            *_PAIRS.both("waveform alone", {"model.backbone.inputs": "raw"}),
            Arm("log-mel alone", {"model.backbone.inputs": "mel"}),
        ),
        reading=(
            "The waveform itself must be heard: log-mel frames hold no phase, and from them "
            "alone the model stays near silence. Once it is there, the log-mel frames that "
            "Whisper grew up with are what makes its pretraining useful; with the waveform "
            "alone the pretrained encoder is no better than a random one."
        ),
    ),
    "backbone": Experiment(
        "Does it matter what the encoder was trained on?",
        "Whisper, which learned from speech, and DINOv2, which learned from photographs and is "
        "shown the spectrogram as a picture; each against random weights in its own shape.",
        (*_PAIRS.both(_WHISPER, {}, seeds=THREE), *_PAIRS.both(_VIT, _DINO, seeds=THREE)),
        reading=(
            "DINOv2 has never heard a sound, yet shown the spectrogram as a picture it does "
            "about as well as Whisper, and better than random weights of its own shape. "
            "What carries over is more general than knowledge of speech, which is what the "
            "paper claims."
        ),
    ),
    "adaptation": _PAIRS.adaptation(
        "Sixteen learned prompts in each block of an encoder that is otherwise left alone come "
        "level in STOI with training everything from random weights, and a third of a decibel "
        "behind in SI-SNR, with a twentieth of the parameters to train. Changing nothing in the "
        "encoder falls behind, and training all of it from Whisper's weights is the easiest to "
        "understand, from every seed."
    ),
    "parts": _PAIRS.parts("1-2", "3-4"),
    "window": Experiment(
        "How long a window?",
        "Windows of half a second, one and two, as much sound a step in each.",
        (
            Arm("0.5 s", _window(0.5, batch=8), x=0.5),
            Arm("1 s", x=1.0),
            Arm("2 s", _window(2.0, batch=2), x=2.0),
        ),
        x_label="seconds a window",
        reading=(
            "Half a second does as well as a second. Two seconds do worse: as much sound a "
            "step, but in two pieces instead of four or eight, and longer for attention to "
            "search."
        ),
    ),
    "inr": Experiment(
        "How large an INR?",
        "The width of each 30 ms network, and how high its frequencies reach.",
        (
            Arm("32 wide", {"model.field.width": 32}, "width"),
            Arm("64 wide, to 4 kHz", series="width"),
            Arm("128 wide", {"model.field.width": 128}, "width"),
            Arm("to 2 kHz", _highest(2000.0, n_freqs=60), "highest frequency"),
            Arm("64 wide, to 4 kHz", series="highest frequency"),
            Arm("to 8 kHz", _highest(8000.0, n_freqs=240), "highest frequency"),
        ),
        x_label="generated numbers per 25 ms",
        x_from="written",
        reading=(
            "A wider network holds more, and the hypernetwork finds it no harder to write: "
            "128 units sound clearly better than 64, at a third more numbers and nearly "
            "twice the training time. In so few steps frequencies above 4 kHz buy "
            "little; without those above 2 kHz speech is harder to understand."
        ),
    ),
    "loss": Experiment(
        "What should the loss compare?",
        "The waveform alone, or spectrograms at three resolutions beside it, by their weight.",
        (
            Arm("waveform alone", {"data.spectral_weight": 0.0}),
            Arm("STFT × 0.02"),
            Arm("STFT × 0.1", {"data.spectral_weight": 0.1}),
            Arm("STFT × 0.5", {"data.spectral_weight": 0.5}),
        ),
        reading=(
            "Comparing spectrograms trades the waveform for the sound: with more weight SI-SNR "
            "falls, and LSD gets better, as does STOI up to a weight of 0.1. There PESQ is "
            "best too, at twice the weight that the shipped pair has; whoever trains for ears "
            "rather than for decibels should start there."
        ),
    ),
}
"""What was asked of a smaller INR, of the studio prompts alone and in fewer steps."""

SOUND = Sweep(
    base="sound-sweep",
    budget={},
    experiments={
        "main": Experiment(
            "Does pretraining help on sound?",
            "Recipe and recordings of the shipped pair's first training, for a tenth of its steps, "
            "once with Whisper's weights and once with random ones, all else equal, from three "
            "seeds.",
            _PAIRS.both("log-mel and waveform", {}, seeds=THREE),
            reading=(
                "At a tenth of the shipped pair's first training, on the same recordings, the "
                "pretrained encoder is ahead from every seed and by every measure: a decibel of "
                "SI-SNR, 0.3 of PESQ, 0.02 of STOI, though three seeds are too few to exclude "
                "chance by STOI with all claims at once. On music, effects and babies' cries, for "
                "which Whisper was not made, it gains no less (1.1, 1.2 and 1.6 dB), and least on "
                "Mandarin (0.4 dB). After all of that training next to nothing was left of the "
                "difference, at most 0.2 dB; after the second, with frequencies up to 6 kHz, it "
                "is half a decibel. What pretraining buys here is time."
            ),
        ),
        "recordings": Experiment(
            "How many recordings are needed?",
            "A share of the training recordings of all kinds, the same number of steps.",
            _PAIRS.shares({1: THREE, 10: THREE, 100: THREE}),
            x_label="share of the training recordings (%)",
            reading=(
                "Four minutes of mixed recordings, 78 clips of 7,763, teach both arms in this time "
                "as much as seven and a half hours, and even 0.3 to 1 dB more: on speakers, a "
                "language, music and cries that they do not hold. To write networks of 30 ms is so "
                "local a task that a little sound teaches it. What pretraining gains is no larger "
                "on few recordings (0.9 dB of SI-SNR) than on all (1.0), so the paper's claim "
                "about scarce data finds no support here."
            ),
        ),
        "encoder": Experiment(
            "Does a larger encoder help?",
            "Whisper base, six blocks of width 512, beside tiny.en, four of width 384; each "
            "against random weights of its own shape.",
            (
                *_PAIRS.both(_WHISPER, {}, seeds=THREE),
                *_PAIRS.both("Whisper base, 6 blocks", _BASE, seeds=THREE),
            ),
        ),
        **{
            name: replace(experiment, base="sound-cpu", budget=SHORT)
            for name, experiment in _ON_PROMPTS.items()
        },
    },
)
