"""The converted saliency network, unrounded, against the original graph in onnxruntime 1.32."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import skimage.data
import torch
from PIL import Image

from hyperdemo.preprocess import saliency
from train.sources.dinov2 import ONNX_PATH
from train.sources.saliency import to_saliency


@pytest.mark.skipif(not ONNX_PATH.is_file(), reason=f"no {ONNX_PATH}: see train.sources.fetch")
def test_the_converted_network_answers_as_the_graph(monkeypatch):
    net = saliency.SaliencyNet().eval()
    missing, unexpected = net.load_state_dict(to_saliency(ONNX_PATH), strict=False)
    assert not unexpected and all(name.endswith("num_batches_tracked") for name in missing)
    monkeypatch.setattr(saliency, "load_saliency", lambda: net)
    rgb = np.asarray(Image.open(Path(skimage.data.__file__).parent / "chelsea.png"))
    with torch.inference_mode():
        found = saliency.saliency_map(rgb)
    folder = Path(__file__).parents[2] / "preprocess" / "photographs"
    expected = np.asarray(Image.open(folder / "chelsea-map.png")) / 255.0
    found = cv2.resize(found, expected.shape[::-1], interpolation=cv2.INTER_AREA)
    # Eight bits of the stored answer, and a map that was enlarged and made small again.
    np.testing.assert_allclose(found, expected, atol=0.06)
    assert np.abs(found - expected).mean() < 0.005
