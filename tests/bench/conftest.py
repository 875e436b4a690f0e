import numpy as np
import pytest
import soundfile
import torch
from PIL import Image

from hyperdemo.checkpoints import save_checkpoint
from tests import tiny


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Both pairs of tiny models, and one picture and one sound as examples."""
    folder = tmp_path_factory.mktemp("bench")
    for seed, init in enumerate(("foundation", "scratch")):
        model = tiny.model(seed, init=init)
        with torch.no_grad():
            model.heads.biases[-1][0] = -4.0  # thin air is quick to march through
        save_checkpoint(model, folder, name=f"view-{init}", facts={})
        sound = tiny.sound_model(seed, init=init)
        save_checkpoint(sound, folder, name=f"sound-{init}", facts={})
    pixels = np.zeros((60, 80, 4), np.uint8)
    pixels[20:40, 20:60] = (200, 90, 40, 255)
    picture, clip = folder / "objects" / "box" / "input.webp", folder / "sounds" / "noise.wav"
    for path in (picture, clip):
        path.parent.mkdir(parents=True)
    Image.fromarray(pixels).save(picture, lossless=True)
    noise = 0.1 * np.random.default_rng(0).standard_normal(16_000)
    soundfile.write(clip, noise.clip(-1, 1), 16_000)
    return folder
