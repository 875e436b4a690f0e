"""The checkpoints as they are shipped, on clips that no training heard."""

from pathlib import Path

import numpy as np
import pytest

from hyperdemo.config import SoundRequest
from hyperdemo.events import Heard
from hyperdemo.media.audio import decode_audio
from hyperdemo.metrics import si_snr, stoi
from hyperdemo.pipeline import SoundPipeline
from hyperdemo.preprocess.sound import prepare_sound

ROOT = Path(__file__).resolve().parents[2]
CLIPS = ("english", "italian", "french_unheard_voice", "mandarin_unheard_language")


@pytest.fixture(scope="module")
def pipeline():
    return SoundPipeline.from_weights(ROOT / "weights", device="cpu")


@pytest.fixture(scope="module", params=CLIPS)
def clip(request, pipeline):
    """What went in, and what each model made of it."""
    prepared = prepare_sound(decode_audio(ROOT / "examples" / "sounds" / f"{request.param}.flac"))
    parts = [e for e in pipeline.listen(prepared, SoundRequest()) if isinstance(e, Heard)]
    names = pipeline.models
    return prepared.own, {n: np.concatenate([p.samples[n] for p in parts]) for n in names}


def test_speech_can_be_understood_and_is_near_the_clip(clip):
    original, said = clip
    for samples in said.values():
        assert stoi(samples, original, rate_hz=16_000) > 0.985
        assert si_snr(samples, original) > 17


def test_loudness_is_that_of_the_clip(clip):
    original, said = clip
    for samples in said.values():
        level = 20 * np.log10(np.std(samples) / np.std(original))
        assert abs(level) < 0.5


def test_the_pair_differs_in_its_start_and_in_nothing_else(pipeline):
    facts = [pipeline.models[name].facts for name in ("foundation", "scratch")]
    for key in ("steps_taken", "trainable_parameters", "train_prompts", "hardware"):
        assert facts[0][key] == facts[1][key]
    for one, other in (
        [own["training"] for own in facts], [own["started_from"]["training"] for own in facts],
    ):  # fmt: skip
        assert one["start"].replace("foundation", "scratch") == other["start"]
        assert one | {"start": ""} == other | {"start": ""}
    assert len({own["started_from"]["steps_taken"] for own in facts}) == 1
    one, other = (pipeline.models[n].model.config.to_dict() for n in ("foundation", "scratch"))
    assert one | {"init": "scratch"} == other and one["init"] == "foundation"
