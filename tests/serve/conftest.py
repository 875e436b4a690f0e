import pytest

from hyperdemo.checkpoints import save_checkpoint
from hyperdemo.pipeline import SoundPipeline
from tests import tiny
from tests.pipeline.conftest import NAMES


@pytest.fixture(scope="session")
def weights(tmp_path_factory):
    """Tiny models of both tasks."""
    folder = tmp_path_factory.mktemp("weights")
    for seed, name in enumerate(NAMES):
        save_checkpoint(tiny.model(seed, init=name), folder, name=f"view-{name}", facts={})
        save_checkpoint(tiny.sound_model(seed, init=name), folder, name=f"sound-{name}", facts={})
    return folder


@pytest.fixture(scope="session")
def sounds(weights):
    return SoundPipeline.from_weights(weights, device="cpu")
