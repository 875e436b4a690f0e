import json
import wave
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import safetensors.torch
import torch

from hyperdemo.config import SoundFieldConfig
from hyperdemo.inr import ModulatedInrs, WrittenSound, synthesise
from hyperdemo.inr.export_sound import export_sound, load_sound

SMALL = SoundFieldConfig(stretch=480, overlap=80, width=8, depth=3, n_freqs=6, scale=0.3)
N_SAMPLES, RATE_HZ = 4777, 44_100


def written(config=SMALL, *, networks=5, unit_output=False, n_samples=N_SAMPLES, rate_hz=RATE_HZ):
    """Networks in which nothing is neutral: no ones, no zeros."""
    generator = torch.Generator().manual_seed(7)

    def normal(*shape):
        return torch.randn(shape, generator=generator)

    inrs = ModulatedInrs(
        base=tuple(normal(i, o) for i, o in config.layer_shapes),
        biases=tuple(0.3 * normal(o) for _, o in config.layer_shapes),
        masks=tuple(normal(networks, i, min(4, o)) for i, o in config.layer_shapes),
        gains=0.3 + 0.1 * torch.arange(networks),
        unit_output=unit_output,
    )
    return WrittenSound(config, inrs, n_samples, rate_hz)


def amplitudes_by_recipe(data, path, *, rate_hz):
    """A second reading of the recipe, time by time; nothing of hyperdemo's, all in float64."""
    path.write_bytes(data)
    with safetensors.safe_open(path, "numpy") as file:
        about = json.loads(file.metadata()["description"])
        tensors = {name: file.get_tensor(name).astype(np.float64) for name in file.keys()}  # noqa: SIM118
    config = about["field"]
    hop = Fraction(config["stretch"] - config["overlap"], about["training_rate_hz"])
    span, shared = (Fraction(config[k], about["training_rate_hz"]) for k in ("stretch", "overlap"))
    f = np.linspace(config["min_freq_hz"], config["max_freq_hz"], config["n_freqs"])

    def network(k, s):
        angles = 2 * np.pi * f * s
        x = np.concatenate([[s / float(span / 2)], np.sin(angles), np.cos(angles)])
        for layer in range(config["depth"]):
            base, bias, masks = (tensors[f"layers.{layer}.{p}"] for p in ("base", "bias", "masks"))
            per_group = base.shape[1] // masks.shape[2]
            columns = [base[:, j] * masks[k, :, j // per_group] for j in range(base.shape[1])]
            if layer + 1 < config["depth"] or about["unit_output"]:
                columns = [column / np.sqrt((column**2).sum()) for column in columns]
            x = np.array([x @ column for column in columns]) + bias
            if layer + 1 < config["depth"]:
                x = np.sqrt(2) * np.maximum(x, 0)
        return config["scale"] * tensors["gains"][k] * x[0]

    out = []
    for i in range(-(-about["n_samples"] * rate_hz // about["rate_hz"])):
        t, total = Fraction(i, rate_hz), 0.0
        for k in range(len(tensors["gains"])):
            into = t - k * hop
            if not 0 <= into < span:
                continue
            weight = 1.0
            if k > 0 and into < shared:
                weight = 0.5 - 0.5 * np.cos(np.pi * float(into / shared))
            if k + 1 < len(tensors["gains"]) and into > hop:
                weight = 0.5 + 0.5 * np.cos(np.pi * float((into - hop) / shared))
            total += weight * network(k, float(into - span / 2))
        out.append(total)
    return np.array(out)


def same(found, expected):
    assert vars(found) | {"inrs": None} == vars(expected) | {"inrs": None}
    torch.testing.assert_close(vars(found.inrs), vars(expected.inrs), rtol=0, atol=0)


@pytest.mark.parametrize("unit_output", [False, True])
def test_comes_back_as_it_was(unit_output):
    sound = written(unit_output=unit_output)
    same(load_sound(export_sound(sound).safetensors), sound)


def test_parameters_with_gradients_and_transposed_masks_are_taken():
    sound = written()
    inrs = replace(
        sound.inrs,
        base=tuple(torch.nn.Parameter(base) for base in sound.inrs.base),
        masks=tuple(m.transpose(1, 2).contiguous().transpose(1, 2) for m in sound.inrs.masks),
    )
    same(load_sound(export_sound(replace(sound, inrs=inrs)).safetensors), sound)


def test_the_same_networks_make_the_same_bytes():
    files = {export_sound(written()).safetensors for _ in range(12)}
    assert len(files) == 1
    assert export_sound(written(networks=6)).safetensors not in files


def test_file_describes_itself_and_holds_base_weights_once(tmp_path):
    config = SoundFieldConfig()
    sound = written(config, networks=40, n_samples=16_000, rate_hz=16_000)
    exported = export_sound(sound, provenance={"model": "sound-scratch"})
    assert len(exported.safetensors) < 4 * (sound.inrs.n_written + sound.inrs.n_shared) + 4096
    path = tmp_path / "inr.safetensors"
    path.write_bytes(exported.safetensors)
    with safetensors.safe_open(path, "numpy") as file:
        metadata = file.metadata()
        assert file.get_tensor("layers.0.base").shape == (config.encoded_dim, config.width)
        assert file.get_tensor("layers.2.masks").shape == (40, config.width, 1)
        assert file.get_tensor("gains").shape == (40,)
    description = json.loads(metadata["description"])
    assert metadata["format"] == description["format"] == "hyperdemo-sound-1"
    assert description == exported.description
    assert description["field"]["stretch"] == 480 and description["training_rate_hz"] == 16_000
    assert (description["n_samples"], description["rate_hz"]) == (16_000, 16_000)
    assert description["provenance"] == {"model": "sound-scratch"}


@pytest.mark.parametrize("unit_output", [False, True])
@pytest.mark.parametrize("rate_hz", [8_000, 11_025])
def test_the_recipe_says_all_that_is_needed(unit_output, rate_hz, tmp_path):
    sound = written(unit_output=unit_output)
    data = export_sound(sound).safetensors
    expected = amplitudes_by_recipe(data, tmp_path / "inr.safetensors", rate_hz=rate_hz)
    found = synthesise(sound, rate_hz=rate_hz).numpy()
    assert found.std() > 0.02
    np.testing.assert_allclose(found, expected, atol=2e-5)


@pytest.fixture
def play(run_example):
    """Returns the example's samples and their rate."""

    def played(sound, *options):
        path = run_example("play_inr.py", export_sound(sound).safetensors, "out.wav", *options)
        with wave.open(str(path), "rb") as file:
            assert (file.getnchannels(), file.getsampwidth()) == (1, 2)
            pcm = np.frombuffer(file.readframes(file.getnframes()), "<i2")
            return pcm / 32768, file.getframerate()

    return played


@pytest.mark.parametrize(
    ("rate_hz", "changes"),
    [
        (16_000, {}),
        (44_100, {}),
        (8_000, {}),
        (16_000, {"spacing": "log"}),
        (11_025, {"overlap": 240}),
        (11_025, {"overlap": 0}),
    ],
)
def test_numpy_alone_plays_the_same_sound(rate_hz, changes, play):
    sound = written(replace(SMALL, **changes), networks=8, unit_output=bool(changes))
    played, played_hz = play(sound, "--rate", str(rate_hz))
    exact = synthesise(sound, rate_hz=rate_hz).numpy()
    assert played_hz == rate_hz and played.shape == exact.shape
    assert exact.std() > 0.02 and np.abs(exact).max() < 1
    assert np.abs(played - exact).max() < 0.6 / 32768 + 2e-5


def test_the_example_plays_at_the_rate_of_the_clip_and_clips_at_full_scale(play):
    sound = written()
    loud = replace(sound, inrs=sound.inrs.louder(torch.full((5,), 20.0)))
    played, played_hz = play(loud)
    exact = synthesise(loud, rate_hz=RATE_HZ).numpy()
    assert played_hz == RATE_HZ and len(played) == N_SAMPLES and np.abs(exact).max() > 1.2
    assert np.abs(played - exact.clip(-1, 32767 / 32768)).max() < 0.6 / 32768 + 4e-4


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"config": replace(SMALL, depth=4)}, "of 4 layers expected, got"),
        ({"config": replace(SMALL, width=16)}, r"layer 0: base \[13, 16\].*got \[13, 8\]"),
        # (4 · 400 + 480) / 16 kHz, at 44.1 kHz
        ({"n_samples": 0}, "1 to 5733 samples expected.*got 0"),
        ({"n_samples": 5734}, "1 to 5733 samples expected.*got 5734"),
        ({"inrs": written().inrs[:0]}, "at least one window"),
    ],
)
def test_refuses_networks_that_do_not_fit(changes, message):
    assert export_sound(written(n_samples=5733))
    with pytest.raises(ValueError, match=message):
        export_sound(replace(written(), **changes))


def packed(**changes):
    """The file with some of its tensors or its description changed."""
    exported = export_sound(written())
    tensors = safetensors.torch.load(exported.safetensors)
    description = dict(exported.description)
    for name, value in changes.items():
        if isinstance(value, torch.Tensor):
            tensors[name.replace("__", ".")] = value
        else:
            description[name] = value
    metadata = {"format": description["format"], "description": json.dumps(description)}
    return safetensors.torch.save(tensors, metadata=metadata)


def test_a_file_packed_anew_is_read():
    same(load_sound(packed()), written())


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff" * 64,
        safetensors.torch.save({"gains": torch.zeros(3)}),
        packed(format="hyperdemo-inr-1"),
        packed()[:-8],
    ],
    ids=["empty", "noise", "foreign", "of-a-view", "cut-short"],
)
def test_refuses_what_is_no_export(data):
    with pytest.raises(ValueError, match="exported by hyperdemo expected"):
        load_sound(data)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"field": {"waves": 3}}, "not understood.*waves"),
        ({"field": {"width": 2}}, "width must be at least 4, got 2"),
        ({"field": {"depth": 10**12}}, "depth must be from 2 to 64, got 1000000000000"),
        ({"training_rate_hz": 8000}, "training_rate_hz of 16000 expected, got 8000"),
        ({"unit_output": None}, "unit_output of true or false expected, got None"),
        ({"n_samples": 0}, "above 0 for n_samples expected, got 0"),
        ({"n_samples": 5734}, "1 to 5733 samples expected"),
        ({"rate_hz": True}, "above 0 for rate_hz expected, got True"),
        ({"rate_hz": 44100.5}, "above 0 for rate_hz expected, got 44100.5"),
        ({"extra": torch.zeros(1)}, "of 3 layers expected, got.*extra"),
        ({"gains": torch.zeros(4)}, r"layer 0: .*masks \[4, 13, a divisor of 8\].*\[5, 13, 4\]"),
        ({"gains": torch.zeros(5, 1)}, r"gains \[networks\] expected, got \[5, 1\]"),
        ({"layers__1__masks": torch.zeros(5, 8, 3)}, "layer 1: .*a divisor of 8"),
        ({"layers__1__masks": torch.zeros(5, 8, 0)}, "layer 1: .*a divisor of 8"),
        ({"layers__1__masks": torch.zeros(())}, r"layer 1: .*and \[\]"),
        ({"layers__2__bias": torch.zeros(2)}, r"layer 2: .*bias \[1\].*\[2\]"),
    ],
)
def test_refuses_weights_that_do_not_fit_their_description(changes, message):
    with pytest.raises(ValueError, match=message):
        load_sound(packed(**changes))
