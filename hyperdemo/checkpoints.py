"""The only reader and writer of `weights/`: safetensors with the configuration and facts inside.

A checkpoint `NAME` is `NAME.safetensors` (weights in half precision, the configuration in its
metadata), `NAME.json` (the same facts, readable: training, metrics, provenance) and `NAME.md`,
its model card.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from hyperdemo.config import INITS, TASKS, ModelConfig
from hyperdemo.model import HyperModel

# By task; the names are those of the first files.
FORMATS = {"view": "hyperdemo-view-1", "sound": "hyperdemo-audio-1"}

HUB_SPACE = ""
"""Space on the Hugging Face hub, as "user/name", that an installed package fetches `weights/` from.
`python -m hyperdemo.space` publishes one; HYPERDEMO_HUB names another."""


@dataclass(frozen=True)
class LoadedModel:
    """A checkpoint in memory, ready to encode.

    Attributes:
        name: name of the checkpoint, such as "view-foundation" or "sound-scratch".
        model: in evaluation mode, in float32, without gradients.
        facts: training budget, metrics, provenance.
    """

    name: str
    model: HyperModel
    facts: Mapping[str, Any]


def find_weights(directory: str | Path | None = None) -> Path:
    """The folder of checkpoints.

    It is the one given, the one that HYPERDEMO_WEIGHTS names, `weights/` beside the package in a
    checkout, or what was fetched from the hub, now or before.

    Raises:
        ValueError: none of them is there.
    """
    if named := directory or os.environ.get("HYPERDEMO_WEIGHTS"):
        return Path(named)
    beside = Path(__file__).resolve().parent.parent / "weights"
    if checkpoint_path(beside, "view-foundation").is_file():
        return beside
    space = os.environ.get("HYPERDEMO_HUB", HUB_SPACE)
    remedy = (
        "set HYPERDEMO_WEIGHTS to a folder with view-foundation.safetensors, as weights/ of a "
        "checkout is"
    )
    if not space:
        raise ValueError(f"there are no weights beside the package; {remedy}")
    from huggingface_hub import snapshot_download

    try:
        found = snapshot_download(space, repo_type="space", allow_patterns="weights/*")
    except Exception as error:  # the client's, or those of the HTTP library that it stands on
        said = str(error).strip().partition("\n")[0]
        raise ValueError(
            f"the weights could not be fetched from the hub's Space {space!r} ({said}); "
            f"connect to the network, or {remedy}"
        ) from error
    return Path(found) / "weights"


def save_checkpoint(
    model: HyperModel, directory: str | Path, *, name: str, facts: Mapping[str, Any]
) -> Path:
    """Write `NAME.safetensors` and `NAME.json`; returns the path of the weights.

    Weights are stored in float16: at its 11 bits the rounding is far below the training noise,
    and the file is half as long.

    Raises:
        ValueError: a weight is not finite in float16.
    """
    directory = Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    tensors = {key: t.detach().to("cpu", torch.float16) for key, t in model.state_dict().items()}
    broken = [key for key, t in tensors.items() if not torch.isfinite(t).all()]
    if broken:
        raise ValueError(f"weights that float16 cannot hold: {', '.join(broken)}")
    kind = FORMATS[model.config.task]
    description = {"format": kind, "model": model.config.to_dict(), **facts}
    path = directory / f"{name}.safetensors"
    metadata = {"format": kind, "description": json.dumps(description)}
    save_file({k: t.contiguous() for k, t in tensors.items()}, path, metadata=metadata)
    (directory / f"{name}.json").write_text(json.dumps(description, indent=1) + "\n")
    return path


def load_checkpoint(
    directory: str | Path, name: str, *, device: torch.device | str = "cpu"
) -> LoadedModel:
    """Read a checkpoint strictly: every weight must be there, finite, and no other.

    A task or an initialisation in the name, as in "view-foundation", must be the model's.

    Raises:
        ValueError: no such checkpoint, or one that is damaged, of another format, or of another
            model than its name says.
    """
    path = checkpoint_path(directory, name)
    if not path.is_file():
        found = ", ".join(sorted(p.stem for p in Path(directory).glob("*.safetensors")))
        raise ValueError(f"there is no checkpoint {path} (found here: {found or 'none'})")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {key: file.get_tensor(key).float() for key in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise ValueError(f"{path} is damaged ({error}); fetch it again") from error
    if metadata.get("format") not in FORMATS.values():
        known = " or ".join(map(repr, FORMATS.values()))
        raise ValueError(f"{path} has the format {metadata.get('format')!r}, not {known}")
    try:
        description = json.loads(metadata["description"])
        config = ModelConfig.from_dict(description["model"])
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"{path} does not describe its model ({error!r})") from error
    _check_meaning(path, name, config, kind=metadata["format"])
    if broken := [key for key, t in tensors.items() if not torch.isfinite(t).all()]:
        raise ValueError(
            f"{path} holds weights that are not finite ({', '.join(broken)}); fetch it again"
        )
    try:
        with torch.device("meta"):  # takes no memory, however wide the configuration says it is
            HyperModel(config).load_state_dict(tensors, strict=True, assign=True)
    except RuntimeError as error:
        first = str(error).splitlines()[:2][-1].strip()
        raise ValueError(
            f"{path} does not fit its own configuration ({first}); fetch it again"
        ) from error
    model = HyperModel(config)
    model.load_state_dict(tensors, strict=True)
    facts = {k: v for k, v in description.items() if k not in ("format", "model")}
    return LoadedModel(name, model.requires_grad_(False).eval().to(device), facts)


def _check_meaning(path: Path, name: str, config: ModelConfig, *, kind: str) -> None:
    if kind != FORMATS[config.task]:
        raise ValueError(
            f"{path} has the format {kind!r}, but describes a model of the {config.task} task; "
            "fetch it again"
        )
    parts = name.split("-")
    for known, found in ((TASKS, config.task), (INITS, config.init)):
        for said in set(parts) & set(known) - {found}:
            raise ValueError(
                f"{path} holds {found!r} where its name says {said!r}: give it the name "
                f"{config.task}-{config.init}.safetensors, and put the right file in its place"
            )


def fingerprint(model: HyperModel) -> str:
    """Tells one training's model from another's, wherever it lives: SHA-256 of its weight tokens.

    They are learned in every variant, and rounded here as in the file: a model has the fingerprint
    of its checkpoint.
    """
    tokens = model.heads.weight_tokens().detach().to("cpu", torch.float16)
    return hashlib.sha256(tokens.numpy().tobytes()).hexdigest()


def has_sound(directory: str | Path) -> bool:
    """Whether a folder has models for sound."""
    return checkpoint_path(directory, "sound-foundation").is_file()


def checkpoint_path(directory: str | Path, name: str) -> Path:
    """The file of a checkpoint, or where it should be; "audio-x" is an old name of "sound-x"."""
    path = Path(directory) / f"{name}.safetensors"
    old = path.parent / f"audio-{name.removeprefix('sound-')}.safetensors"
    return old if name.startswith("sound-") and not path.is_file() and old.is_file() else path
