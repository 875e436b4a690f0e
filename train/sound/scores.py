"""How well a model that was just trained says sounds that it never heard."""

from __future__ import annotations

import importlib.util
from typing import Any

from hyperdemo.checkpoints import LoadedModel
from train.config import SoundData
from train.paired import short_rows
from train.sound.data import load_sounds, split_ids
from train.sound.evaluate import NOT_SPEECH, evaluate, model_answer, splits_of
from train.subsets import spread


def score_sound_model(
    loaded: LoadedModel, *, data_config: SoundData, limit: int
) -> dict[str, dict[str, Any]]:
    """Mean metrics on the held-out prompts, and on the held-out voice and language.

    Args:
        loaded: the model, in evaluation mode.
        data_config: where the speech and its splits are.
        limit: prompts of each split, spread evenly over its names.

    Returns:
        By split what `train.sound.evaluate.summarise` gives. PESQ is None without its package.
    """
    answer = model_answer(loaded)
    with_pesq = importlib.util.find_spec("pesq") is not None
    scores = {}
    for split in splits_of(data_config):
        sounds = load_sounds(data_config, spread(split_ids(data_config, split), limit))
        speech = split not in NOT_SPEECH
        found = evaluate(sounds, answer, with_pesq=with_pesq, speech=speech)
        scores[split] = found | {"rows": short_rows("sound", found["rows"])}
    return scores
