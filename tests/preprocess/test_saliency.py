"""The saliency network as it ships, against answers of the original graph in onnxruntime 1.32."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import skimage.data
import torch
from PIL import Image
from safetensors import SafetensorError

from hyperdemo.preprocess.saliency import WEIGHTS, load_saliency, pack, saliency_map, unpack

FOLDER = Path(__file__).parent / "photographs"


@pytest.mark.parametrize("name", ["chelsea.png", "motorcycle_left.png"])
def test_four_bits_a_weight_find_what_the_original_finds(name):
    rgb = np.asarray(Image.open(Path(skimage.data.__file__).parent / name))
    expected = np.asarray(Image.open(FOLDER / f"{Path(name).stem}-map.png")) / 255.0
    found = cv2.resize(saliency_map(rgb), expected.shape[::-1], interpolation=cv2.INTER_AREA)
    assert np.corrcoef(found.ravel(), expected.ravel())[0, 1] > 0.97
    assert np.abs(found - expected).mean() < 0.06


def test_rounded_weights_are_within_half_a_step():
    weights = torch.randn(64, 96, generator=torch.Generator().manual_seed(0))
    packed, scale = pack(weights)
    assert packed.dtype == torch.uint8 and packed.numel() == weights.numel() // 2
    error = (unpack(packed, scale).reshape(weights.shape) - weights).reshape(-1, 32)
    clipped = weights.reshape(-1, 32).abs() > 7 * scale[:, None]
    assert (error.abs() <= 0.501 * scale[:, None].float())[~clipped].all()
    assert error.square().mean().sqrt() < 0.1


def test_without_the_weights_there_is_no_map(tmp_path):
    assert load_saliency(tmp_path / "none.safetensors") is None


def test_the_folder_of_the_checkpoints_comes_first(tmp_path, monkeypatch):
    monkeypatch.setenv("HYPERDEMO_WEIGHTS", str(tmp_path))
    shipped = load_saliency()
    assert shipped is load_saliency(WEIGHTS)
    (tmp_path / WEIGHTS.name).write_bytes(b"")
    with pytest.raises(SafetensorError):
        load_saliency()
