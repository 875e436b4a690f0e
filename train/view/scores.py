"""Scores of a sweep's models on held-out objects."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hyperdemo.backbones import build_vit
from hyperdemo.checkpoints import LoadedModel
from hyperdemo.config import BackboneConfig
from train.config import ViewData
from train.paired import short_rows
from train.subsets import spread
from train.view.answers import model_answer
from train.view.data import held_out, load_split
from train.view.evaluate import SCORER_FILE, SCORER_SIZE, evaluate_split, summarise

YARDSTICKS = ("white", "mean", "nearest", "ceiling")


def score_view_model(
    loaded: LoadedModel, *, data_config: ViewData, limit: int
) -> dict[str, dict[str, Any]]:
    """Mean metrics on the held-out objects, and on the held-out classes.

    Args:
        loaded: the model, in evaluation mode, on any device.
        data_config: where the views and their splits are.
        limit: objects of each split, spread evenly over it.

    Returns:
        By split what `train.view.evaluate.summarise` gives.
    """
    size = loaded.model.config.backbone.image_size
    scorer = BackboneConfig(image_size=SCORER_SIZE)
    encoder = build_vit(scorer, pretrained=SCORER_FILE).eval()
    encoder.to(next(loaded.model.parameters()).device)
    answers = {"model": model_answer(loaded)}
    scores = {}
    for split in held_out(data_config):
        views = load_split(data_config, split, input_size=size)
        [(_, found)] = evaluate_split(views, answers, encoder, few={"model": limit})
        scores[split] = found | {"rows": short_rows("view", found["rows"])}
    return scores


def view_yardsticks(
    results: Mapping[str, Any], *, splits_file: str, limit: int
) -> dict[str, dict[str, dict[str, Any]]]:
    """Scores of answers without a hypernetwork on the objects that a sweep's runs are scored on.

    Args:
        results: content of `weights/results.json`.
        splits_file: of the sweep's runs; results on other splits give nothing.
        limit: as of `score_view_model`.

    Returns:
        By answer and split, what `train.view.evaluate.summarise` gives. An answer that was not
        scored on all of these objects, as the ceiling, is averaged over all that it was scored on.
    """
    recorded = results.get("view", {})
    if recorded.get("splits_file") != splits_file:
        return {}
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for split, answers in recorded.get("splits", {}).items():
        order = max((answer["rows"] for answer in answers.values()), key=len, default=[])
        chosen = {row["object"] for row in spread(order, limit)}
        for name in YARDSTICKS:
            rows = answers.get(name, {}).get("rows", [])
            same = [row for row in rows if row["object"] in chosen]
            kept = same if len(same) == len(chosen) else rows
            if kept:
                found.setdefault(name, {})[split] = summarise(kept)
    return found
