"""What the sweeps ask: experiments, their arms, and the configuration of each.

An arm differs from the shipped configuration of its task in what it names and in nothing else;
all arms of a sweep have the same budget.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from train.config import TrainConfig, load_config

Changes = Mapping[str, Any]

SCRATCH: dict[str, Any] = {"model.init": "scratch"}
PRETRAINED, FROM_SCRATCH = "pretrained", "from scratch"


@dataclass(frozen=True)
class Arm:
    """One answer to an experiment's question.

    Attributes:
        label: what it is, beside its bar or in its row.
        changes: what differs from the sweep's configuration, with keys as `load_config` takes.
        series: arms of the same series share a colour, and a line where they have an x.
        x: where it stands on the experiment's axis, if that has numbers.
        seeds: one run each.
    """

    label: str
    changes: Changes = field(default_factory=dict)
    series: str = PRETRAINED
    x: float | None = None
    seeds: tuple[int, ...] = (0,)


@dataclass(frozen=True)
class Experiment:
    """A question and the arms that answer it.

    Attributes:
        title: a few words.
        question: in a sentence.
        arms: in the order in which they are shown.
        x_label: of the axis of numbers; "" for bars.
        x_from: a number in the rows of the results that arms without an x of their own stand at.
        reading: what the results mean, in two sentences that a student understands; written by
            whoever has seen them, "" until then.
    """

    title: str
    question: str
    arms: tuple[Arm, ...]
    x_label: str = ""
    x_from: str = ""
    reading: str = ""


@dataclass(frozen=True)
class Run:
    """One training of a sweep.

    Attributes:
        name: the configuration's name and what differs from it; the same for equal runs.
        changes: all of what differs.
        config: the whole.
    """

    name: str
    changes: Changes
    config: TrainConfig

    @property
    def command(self) -> str:
        """What trains it by itself."""
        base = self.name.split()[0]
        return f"python -m train.run --config {base} " + " ".join(
            f"--set {key}={value}" for key, value in self.changes.items()
        )


@dataclass(frozen=True)
class Sweep:
    """All experiments of a task.

    Attributes:
        base: configuration in `train/configs` that arms differ from.
        budget: what differs from it in every arm, to make the runs short.
        experiments: by short names.
    """

    base: str
    budget: Changes
    experiments: Mapping[str, Experiment]

    def run(self, arm: Arm, seed: int) -> Run:
        """The training of an arm from a seed; arms that differ in nothing share one."""
        changes = {"model.init": "foundation"} | dict(self.budget) | dict(arm.changes)
        changes["seed"] = seed
        changes = dict(sorted(changes.items()))
        name = " ".join([self.base, *(f"{key}={value}" for key, value in changes.items())])
        return Run(name, changes, load_config(self.base, overrides=changes))

    def runs(self, experiments: tuple[str, ...]) -> list[Run]:
        """The different runs of some experiments, in their order: every first seed first."""
        arms = [arm for name in experiments for arm in self.experiments[name].arms]
        rounds = range(max(len(arm.seeds) for arm in arms))
        wanted = [
            self.run(arm, arm.seeds[k]) for k in rounds for arm in arms if k < len(arm.seeds)
        ]
        return list({run.name: run for run in wanted}.values())


def _both(
    label: str,
    changes: Changes,
    *,
    x: float | None = None,
    seeds: tuple[int, ...] = (0,),
    scratch: Changes = SCRATCH,
) -> tuple[Arm, Arm]:
    return (
        Arm(label, changes, PRETRAINED, x, seeds),
        Arm(label, dict(changes) | dict(scratch), FROM_SCRATCH, x, seeds),
    )


_view_pair = functools.partial(_both, scratch=SCRATCH | {"lr_backbone": 3e-5})


_DINO: Changes = {
    "backbone_file": "data/backbones/vit_small_patch14_dinov2.safetensors",
    "model.backbone.vit.image_size": 112,
    "model.backbone.vit.depth": 4,
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


AUDIO = Sweep(
    base="audio-cpu",
    budget={"steps": 300, "eval_every": 100, "ema": 0.98},
    experiments={
        "main": Experiment(
            "Does pretraining help on sound?",
            "The same encoder, once with Whisper's weights and once with random ones, all else "
            "equal, from three seeds.",
            _both("log-mel and waveform", {}, seeds=(0, 1, 2)),
            reading=(
                "After these few steps both copy the waveform equally well (SI-SNR), yet from "
                "every seed the pretrained one is easier to understand (STOI) and sounds better "
                "(PESQ, LSD). The shipped pair, trained for nearly seven times as long, shows "
                "where this leads: there the pretrained one is ahead in every measure."
            ),
        ),
        "input": Experiment(
            "What must the encoder hear?",
            "Log-mel frames as Whisper knows them, patches of the waveform, or both.",
            (
                *_both("log-mel and waveform", {}),
                *_both("waveform alone", {"model.backbone.inputs": "raw"}),
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
            (*_both(_WHISPER, {}, seeds=(0, 1)), *_both(_VIT, _DINO, seeds=(0, 1))),
            reading=(
                "DINOv2 has never heard a sound, yet shown the spectrogram as a picture it does "
                "about as well as Whisper, and better than random weights of its own shape. "
                "What carries over is more general than knowledge of speech, which is what the "
                "paper claims."
            ),
        ),
        "adaptation": Experiment(
            "How much of the encoder must be trained?",
            "From nothing of it but the new parts to all of it; scratch trains all.",
            (
                Arm("frozen", {"model.adapt": "frozen"}, "frozen"),
                Arm("prompt tuning", {"model.adapt": "prompt"}, "prompt tuning"),
                Arm("LoRA, rank 8", {"model.adapt": "lora"}, "LoRA"),
                Arm("full fine-tuning", seeds=(0, 1, 2)),
                Arm("from scratch", SCRATCH, FROM_SCRATCH, seeds=(0, 1, 2)),
            ),
            x_label="trainable parameters",
            x_from="trainable_parameters",
            reading=(
                "Sixteen learned prompts in each block of an encoder that is otherwise left "
                "alone come level in STOI and SI-SNR with training everything from random "
                "weights, with a twentieth of the parameters to train. Changing nothing in the "
                "encoder falls behind, and training all of it from Whisper's weights is the "
                "easiest to understand."
            ),
        ),
        "data": Experiment(
            "How much speech is needed?",
            "A share of the training prompts, the same number of steps.",
            (
                *_both("1 %", {"train_share": 0.01}, x=1, seeds=(0, 1)),
                *_both("10 %", {"train_share": 0.1}, x=10),
                *_both("25 %", {"train_share": 0.25}, x=25),
                *_both("50 %", {"train_share": 0.5}, x=50),
                *_both("100 %", {}, x=100, seeds=(0, 1, 2)),
            ),
            x_label="share of the training prompts (%)",
            reading=(
                "At this budget the amount of speech hardly matters: 16 prompts, 40 seconds, do "
                "nearly as well as 1,615, and pretraining gains hardly more on few than on "
                "many. To write networks of 30 ms is so local a task that any little speech "
                "teaches it, so here the paper's claim about scarce data finds no support."
            ),
        ),
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
            x_label="numbers written for each 25 ms",
            x_from="written",
            reading=(
                "A wider network holds more, and the hypernetwork finds it no harder to write: "
                "128 units sound clearly better than 64, at a third more numbers and nearly "
                "twice the training time. Frequencies above 4 kHz buy little for speech; "
                "without those above 2 kHz it is harder to understand."
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
                "best too, at five times the weight that is shipped; whoever trains for ears "
                "rather than for decibels should start there."
            ),
        ),
    },
)


def _patterns(rank: int) -> Changes:
    return {"model.algorithm": "ipc", "model.n_groups": rank}


VIEW = Sweep(
    base="view-cpu",
    budget={"steps": 300, "eval_every": 100, "ema": 0.98},
    experiments={
        "main": Experiment(
            "Does pretraining help on pictures?",
            "The whole encoder, once with DINOv2's weights and once with random ones, each at its "
            "own best learning rate, all else equal, from three seeds.",
            _view_pair("full fine-tuning", {}, seeds=(0, 1, 2)),
            reading=(
                "After a tenth of the shipped budget the pretrained encoder is a decibel ahead of "
                "the random one from every seed, and seeds differ by less than a tenth of that. "
                "Most of it is shape: the one from scratch has hardly left the mean picture of "
                "its training set."
            ),
        ),
        "adaptation": Experiment(
            "How much of the encoder must be trained?",
            "From nothing of it but the new parts to all of it; scratch trains all.",
            (
                Arm("frozen", {"model.adapt": "frozen"}, "frozen"),
                Arm("prompt tuning", {"model.adapt": "prompt"}, "prompt tuning"),
                Arm("LoRA, rank 8", {"model.adapt": "lora"}, "LoRA"),
                Arm("full fine-tuning", seeds=(0, 1, 2)),
                _view_pair("from scratch", {}, seeds=(0, 1, 2))[1],
            ),
            x_label="trainable parameters",
            x_from="trainable_parameters",
            reading=(
                "An encoder that is left as DINOv2 made it already beats one that learns all of "
                "its 22 million weights from nothing, and with sixteen learned prompts a block it "
                "comes level with fine-tuning in full. These prompts, the weight tokens and the "
                "heads are a sixtieth of the parameters."
            ),
        ),
        "data": Experiment(
            "How many objects are needed?",
            "A share of the 492 training objects, the same number of steps.",
            (
                *_view_pair("10 %", {"train_share": 0.1}, x=10),
                *_view_pair("25 %", {"train_share": 0.25}, x=25),
                *_view_pair("50 %", {"train_share": 0.5}, x=50),
                *_view_pair("100 %", {}, x=100, seeds=(0, 1, 2)),
            ),
            x_label="share of the training objects (%)",
            reading=(
                "With a tenth of the objects the pretrained encoder loses a third of a decibel and "
                "the random one nothing, so the gap narrows, against what the paper found. After "
                "300 steps the one from scratch is held back by its steps, not by its data: it "
                "shows little more than a mean picture, for which 49 objects are enough."
            ),
        ),
        "blocks": Experiment(
            "How deep an encoder?",
            "The first 4, 8 or all 12 blocks of DINOv2-S, and random ones of the same shape.",
            (
                *_view_pair("4 blocks", {"model.backbone.depth": 4}, x=4),
                *_view_pair("8 blocks", {"model.backbone.depth": 8}, x=8),
                *_view_pair("12 blocks", {}, x=12, seeds=(0, 1, 2)),
            ),
            x_label="Transformer blocks",
            reading=(
                "All twelve blocks are worth almost a decibel over the first four, which are no "
                "better than twelve random ones. What helps to write a shape seems to be what "
                "DINOv2 computes late, not its early edges and colours."
            ),
        ),
        "algorithm": Experiment(
            "Write every layer, or one?",
            "Trans-INR writes masks over all layers; instance pattern composers write the second "
            "layer alone, as a product of low rank, and share the rest.",
            (
                *_view_pair("Trans-INR, 36 tokens", {}, seeds=(0, 1, 2)),
                *_view_pair("instance patterns, rank 32", _patterns(32)),
            ),
        ),
        "inr": Experiment(
            "How large an INR?",
            "Its width, its depth, the weight tokens a layer, and biases written or shared.",
            (
                Arm("64 wide", {"model.field.width": 64}, "width"),
                Arm("128 wide", series="width"),
                Arm("256 wide", {"model.field.width": 256}, "width"),
                Arm("4 layers", {"model.field.depth": 4}, "depth"),
                Arm("5 layers", series="depth"),
                Arm("6 layers", {"model.field.depth": 6}, "depth"),
                Arm("4 tokens a layer", {"model.n_groups": 4}, "tokens"),
                Arm("8 tokens a layer", series="tokens"),
                Arm("16 tokens a layer", {"model.n_groups": 16}, "tokens"),
                Arm("biases written", {"model.biases": "generated"}, "biases"),
                Arm("biases shared", series="biases"),
            ),
            x_label="parameters of the INR",
            x_from="inr_parameters",
        ),
    },
)

SWEEPS: Mapping[str, Sweep] = {"audio": AUDIO, "view": VIEW}
