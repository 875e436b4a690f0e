"""The experiments of the view task's sweep."""

from __future__ import annotations

from train.config import HUB
from train.experiments import (
    FROM_SCRATCH,
    SCRATCH,
    SHORT,
    THREE,
    Arm,
    Changes,
    Experiment,
    Pairs,
    Sweep,
)

_PAIRS = Pairs(SCRATCH["view"])
_pair = _PAIRS.both


def _patterns(rank: int) -> Changes:
    return {"model.algorithm": "ipc", "model.n_groups": rank}


def _by_name(name: str, **backbone: int) -> Changes:
    """A backbone of timm's with its own weights; 112 pixels are whole patches of 14 and of 16."""
    own = {"name": name, "image_size": 112, **backbone}
    return {"backbone_file": HUB, **{f"model.backbone.{key}": value for key, value in own.items()}}


_BACKBONES = {
    "DINOv2 S": {},
    "DINOv2 B": _by_name("vit_base_patch14_dinov2.lvd142m"),
    "DINO S": _by_name("vit_small_patch16_224.dino"),
    "CLIP B": _by_name("vit_base_patch16_clip_224.openai"),
    "MAE B": _by_name("vit_base_patch16_224.mae"),
    "DeiT S": _by_name("deit_small_patch16_224.fb_in1k"),
    "ConvNeXt T": _by_name("convnext_tiny.fb_in22k", n_blocks=4),
}
_UNLABELLED: Changes = {"data.targets": "input"}
_FEW: Changes = {"train_share": 0.1}

VIEW = Sweep(
    base="view-sweep",
    budget={},
    experiments={
        "main": Experiment(
            "Does pretraining help on pictures?",
            "The whole encoder, once with DINOv2's weights and once with random ones, each at its "
            "own best learning rate, all else equal, from three seeds.",
            _pair("full fine-tuning", {}, seeds=THREE),
            reading=(
                "From every seed the pretrained encoder is more than a decibel ahead on new "
                "objects of the kinds that it was trained on, and seeds differ by a fifth of that. "
                "On classes that no training saw half of it is left. What differs is shape: the "
                "model from scratch still draws little more than the bulk of an object, in its "
                "colours."
            ),
        ),
        "adaptation": _PAIRS.adaptation(),
        "data": Experiment(
            "How many objects are needed?",
            "A share of the training objects, the same number of steps.",
            _PAIRS.shares({1: THREE, 10: THREE, 25: THREE, 50: (0,), 100: THREE}),
            x_label="share of the training objects (%)",
        ),
        "parts": _PAIRS.parts("1-4", "5-8", "9-12"),
        "labels": Experiment(
            "What is left without labels?",
            "Pictures alone, with no other view and no camera; then few objects with all views.",
            (
                *_pair("all views", {}, seeds=THREE),
                *_pair("the input picture alone", _UNLABELLED, seeds=THREE),
                *_pair("all views of a tenth of the objects", _FEW, seeds=THREE),
                *_pair(
                    "pictures of all objects, then all views of a tenth",
                    _FEW,
                    seeds=THREE,
                    before=_UNLABELLED,
                ),
            ),
        ),
        "backbones": Experiment(
            "Which pretraining?",
            "Backbones of timm by name, each with its own weights, against a random ViT.",
            (
                *(Arm(label, changes, seeds=THREE) for label, changes in _BACKBONES.items()),
                Arm("random ViT S", SCRATCH["view"], FROM_SCRATCH, seeds=THREE),
            ),
        ),
        "blocks": Experiment(
            "How deep an encoder?",
            "The first 4, 8 or all 12 blocks of DINOv2-S, against as many random ones.",
            (
                *_pair("4 blocks", {"model.backbone.depth": 4}, x=4, seeds=THREE),
                *_pair("8 blocks", {"model.backbone.depth": 8}, x=8),
                *_pair("12 blocks", {}, x=12, seeds=THREE),
            ),
            x_label="Transformer blocks",
        ),
        "algorithm": Experiment(
            "Generate every layer, or only one?",
            "Trans-INR generates masks for all layers; instance pattern composers generate the "
            "second layer alone, as a low-rank product, and share the rest.",
            (
                *_pair("Trans-INR, 36 tokens", {}, seeds=THREE),
                *_pair("instance patterns, rank 32", _patterns(32)),
            ),
            base="view-cpu",
            budget=SHORT,
            reading=(
                "Generating one layer does nearly as well as generating all five, and pretraining "
                "is worth nearly as much either way. As long as the shapes are this rough, a "
                "single layer holds all that the model says of an object."
            ),
        ),
        "inr": Experiment(
            "How large an INR?",
            "Its width, its depth, the weight tokens per layer, and biases generated or shared.",
            (
                Arm("64 wide", {"model.field.width": 64}, "width"),
                Arm("128 wide", series="width"),
                Arm("256 wide", {"model.field.width": 256}, "width"),
                Arm("4 layers", {"model.field.depth": 4}, "depth"),
                Arm("5 layers", series="depth"),
                Arm("6 layers", {"model.field.depth": 6}, "depth"),
                Arm("4 tokens per layer", {"model.n_groups": 4}, "tokens"),
                Arm("8 tokens per layer", series="tokens"),
                Arm("16 tokens per layer", {"model.n_groups": 16}, "tokens"),
                Arm("biases generated", {"model.biases": "generated"}, "biases"),
                Arm("biases shared", series="biases"),
            ),
            x_label="parameters of the INR",
            x_from="inr_parameters",
            base="view-cpu",
            budget=SHORT,
            reading=(
                "From 17 thousand parameters to 215 thousand, with biases generated or shared, the"
                " results are equal within the spread of the seeds. At this budget the "
                "hypernetwork is the limit, and not the network that it generates."
            ),
        ),
        "recipe": Experiment(
            "What does each part of the recipe buy?",
            "The training as it is, and with one part of it left out or changed, pretrained.",
            (
                Arm("as it is"),
                Arm("four times the rays", {"data.rays": 192}),
                Arm("no error of the opacity", {"data.alpha_weight": 0.0}),
                Arm("rays anywhere, not near the object", {"data.near_share": 0.0}),
                Arm("as many rays, all from one view", {"data.target_views": 1, "data.rays": 192}),
                Arm("no mirrored objects", {"data.mirror": 0.0}),
                Arm("no exchanged colours", {"data.recolour": 0.0}),
                Arm("AdamW alone, not Muon", {"lr_heads": 0.0}),
                Arm("products in bfloat16", {"precision": "bf16"}),
                Arm("absolute errors too", {"data.absolute_weight": 0.3}),
            ),
            base="view-cpu",
            budget=SHORT,
            reading=(
                "Muon and rays from several views are worth somewhat more than the spread of the "
                "seeds; four times the rays, mirroring, exchanged colours and the error of the "
                "opacity make no difference in so few steps, and neither do products in bfloat16, "
                "which take a third of the time. Rays near the object cost more than they bring: "
                "drawn anywhere, they score higher by every measure. So do absolute errors beside "
                "the squared ones, which ask for a shape instead of a mean of shapes."
            ),
        ),
    },
)
