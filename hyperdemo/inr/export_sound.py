"""The generated networks of a whole sound as one file: safetensors, described in its metadata.

The metadata holds all that is needed to hear the networks without this package;
`examples/play_inr.py` does so with nothing but NumPy.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import safetensors.torch
from torch import Tensor

from hyperdemo.config import SAMPLE_RATE_HZ, SoundFieldConfig
from hyperdemo.inr.description import Exported, pack, read_description, read_field
from hyperdemo.inr.modulation import ModulatedInrs
from hyperdemo.inr.written import WrittenSound

FORMAT = "hyperdemo-sound-1"

_PARTS = ("base", "bias", "masks")

_RECIPE = (
    "network k of n spans stretch/training_rate_hz seconds from k·(stretch - overlap)/"
    "training_rate_hz on; at s seconds from the middle of its span x = "
    "[2·s·training_rate_hz/stretch, sin(2·pi·f·s), cos(2·pi·f·s)] with n_freqs frequencies f, "
    "linspace or logspace by spacing, from min_freq_hz to max_freq_hz; weight = base·mask, where "
    "column j of the g columns of masks[k] gates the outputs j·o/g … (j + 1)·o/g - 1 of o, then "
    "each column of weight is divided by its L2 norm (at least 1e-12), in the last layer only if "
    "unit_output; hidden layers: x = sqrt(2)·relu(x @ weight + bias); last: amplitude = "
    "scale·gains[k]·(x @ weight + bias), full scale at 1; for overlap/training_rate_hz seconds "
    "two networks overlap: t seconds into these the later one weighs "
    "(1 - cos(pi·t·training_rate_hz/overlap))/2, the earlier one 1 minus that; at any rate sample "
    "i stands at i/rate seconds, and ceil(n_samples·rate/rate_hz) samples are the clip"
)


def export_sound(written: WrittenSound, *, provenance: Mapping[str, str] | None = None) -> Exported:
    """Pack the networks of a sound with their configuration; base weights are stored once.

    The file's tensors are `gains` `[networks]` and for each layer `layers.0.base`
    `[inputs, outputs]`, `layers.0.bias` `[outputs]`, `layers.0.masks` `[networks, inputs, groups]`.

    Args:
        written: the networks of a whole clip.
        provenance: what the networks were made from, by which model; kept as it is.

    Raises:
        ValueError: weights that do not fit the configuration, or end before the clip does.
    """
    inrs = written.inrs
    tensors = {"gains": inrs.gains}
    for layer, parts in enumerate(zip(inrs.base, inrs.biases, inrs.masks, strict=True)):
        tensors |= {f"layers.{layer}.{name}": t for name, t in zip(_PARTS, parts, strict=True)}
    _check_tensors(tensors, written.config)
    _check_length(written)
    description = {
        "format": FORMAT,
        "field": dataclasses.asdict(written.config),
        "training_rate_hz": SAMPLE_RATE_HZ,
        "unit_output": inrs.unit_output,
        "n_samples": written.n_samples,
        "rate_hz": written.rate_hz,
        "recipe": _RECIPE,
        "provenance": dict(provenance or {}),
    }
    return pack(tensors, description)


def load_sound(data: bytes) -> WrittenSound:
    """Inverse of `export_sound`, in float32 on the CPU.

    Raises:
        ValueError: not such a file, or its weights do not fit its description.
    """
    description = read_description(data, file_format=FORMAT)
    config = read_field(description, SoundFieldConfig)
    if description.get("training_rate_hz") != SAMPLE_RATE_HZ:
        got = description.get("training_rate_hz")
        raise ValueError(f"a training_rate_hz of {SAMPLE_RATE_HZ} expected, got {got!r}")
    if not isinstance(unit_output := description.get("unit_output"), bool):
        raise ValueError(f"a unit_output of true or false expected, got {unit_output!r}")
    tensors = {name: t.float() for name, t in safetensors.torch.load(data).items()}
    _check_tensors(tensors, config)
    base, biases, masks = (
        tuple(tensors[f"layers.{layer}.{part}"] for layer in range(config.depth)) for part in _PARTS
    )
    written = WrittenSound(
        config,
        ModulatedInrs(base, biases, masks, tensors["gains"], unit_output),
        n_samples=_counted(description, "n_samples"),
        rate_hz=_counted(description, "rate_hz"),
    )
    _check_length(written)
    return written


def _check_tensors(tensors: Mapping[str, Tensor], config: SoundFieldConfig) -> None:
    # By what is there, not by what the description says: it may say a billion layers.
    names = {f"layers.{k}.{part}" for k in range(len(tensors) // len(_PARTS)) for part in _PARTS}
    if len(tensors) != len(_PARTS) * config.depth + 1 or names | {"gains"} != set(tensors):
        raise ValueError(
            f"gains, and base, bias and masks of {config.depth} layers expected, got "
            f"{sorted(tensors)}"
        )
    gains = tensors["gains"]
    if gains.ndim != 1:
        raise ValueError(f"gains [networks] expected, got {list(gains.shape)}")
    n = len(gains)
    for layer, (i, o) in enumerate(config.layer_shapes):
        base, bias, masks = (tuple(tensors[f"layers.{layer}.{part}"].shape) for part in _PARTS)
        fits = base == (i, o) and bias == (o,) and masks[:-1] == (n, i)
        if not fits or masks[-1] < 1 or o % masks[-1]:
            raise ValueError(
                f"layer {layer}: base [{i}, {o}], bias [{o}] and masks [{n}, {i}, a divisor of "
                f"{o}] expected, got {list(base)}, {list(bias)} and {list(masks)}"
            )


def _check_length(written: WrittenSound) -> None:
    end = written.plan.n_samples(rate_hz=written.rate_hz)
    if not 1 <= written.n_samples <= end:
        raise ValueError(
            f"1 to {end} samples expected, which {len(written.inrs)} networks span at "
            f"{written.rate_hz} Hz, got {written.n_samples}"
        )


def _counted(description: Mapping[str, Any], name: str) -> int:
    value = description.get(name)
    if type(value) is not int or value < 1:
        raise ValueError(f"a whole number above 0 for {name} expected, got {value!r}")
    return value
