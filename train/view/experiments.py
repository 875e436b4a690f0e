"""What the sweep of the view task asks."""

from __future__ import annotations

from train.experiments import BUDGET, SCRATCH, Arm, Changes, Experiment, Pairs, Sweep

_PAIRS = Pairs(SCRATCH["view"])
_pair = _PAIRS.both


def _patterns(rank: int) -> Changes:
    return {"model.algorithm": "ipc", "model.n_groups": rank}


VIEW = Sweep(
    base="view-cpu",
    budget=BUDGET,
    experiments={
        "main": Experiment(
            "Does pretraining help on pictures?",
            "The whole encoder, once with DINOv2's weights and once with random ones, each at its "
            "own best learning rate, all else equal, from three seeds.",
            _pair("full fine-tuning", {}, seeds=(0, 1, 2)),
            reading=(
                "After a tenth of the shipped budget the pretrained encoder is a decibel ahead of "
                "the random one from every seed, and seeds differ by less than a tenth of that. "
                "Most of it is shape: the one from scratch has hardly left the mean picture of "
                "its training set."
            ),
        ),
        "adaptation": _PAIRS.adaptation(
            "An encoder that is left as DINOv2 made it already beats one that learns all of "
            "its 22 million weights from nothing, and with sixteen learned prompts a block it "
            "comes level with fine-tuning in full. These prompts, the weight tokens and the "
            "heads are a sixtieth of the parameters."
        ),
        "data": Experiment(
            "How many objects are needed?",
            "A share of the 492 training objects, the same number of steps.",
            _PAIRS.shares({10: (0,), 25: (0,), 50: (0,), 100: (0, 1, 2)}),
            x_label="share of the training objects (%)",
            reading=(
                "A quarter of the objects is as good as all; with a tenth the pretrained encoder "
                "loses a third of a decibel and the random one nothing, so the gap narrows, "
                "against what the paper found. After 300 steps the one from scratch is held back "
                "by its steps, not by its data: it shows little more than a mean picture, for "
                "which 49 objects are enough."
            ),
        ),
        "blocks": Experiment(
            "How deep an encoder?",
            "The first 4, 8 or all 12 blocks of DINOv2-S, and random ones of the same shape.",
            (
                *_pair("4 blocks", {"model.backbone.depth": 4}, x=4),
                *_pair("8 blocks", {"model.backbone.depth": 8}, x=8),
                *_pair("12 blocks", {}, x=12, seeds=(0, 1, 2)),
            ),
            x_label="Transformer blocks",
            reading=(
                "Eight pretrained blocks are as good as twelve, and four no better than random "
                "ones, of which no number helps. What helps to write a shape seems to be what "
                "DINOv2 computes in its middle, not its early edges and colours."
            ),
        ),
        "algorithm": Experiment(
            "Write every layer, or one?",
            "Trans-INR writes masks over all layers; instance pattern composers write the second "
            "layer alone, as a product of low rank, and share the rest.",
            (
                *_pair("Trans-INR, 36 tokens", {}, seeds=(0, 1, 2)),
                *_pair("instance patterns, rank 32", _patterns(32)),
            ),
            reading=(
                "Writing one layer does nearly as well as writing all five, and pretraining is "
                "worth nearly as much either way. As long as the shapes are this rough, what must "
                "be said of an object fits in a single layer."
            ),
        ),
        "inr": Experiment(
            "How large an INR?",
            "Its width, its depth, the weight tokens a layer, and biases written or shared.",
            (
                Arm("64 wide", {"model.field.width": 64}, "width"),
                Arm("128 wide", series="width"),
                Arm("256 wide", {"model.field.width": 256}, "width"),
                Arm("4 layers", {"model.field.depth": 4}, "depth"),
                Arm("5 layers", series="depth"),
                Arm("6 layers", {"model.field.depth": 6}, "depth"),
                Arm("4 tokens a layer", {"model.n_groups": 4}, "tokens"),
                Arm("8 tokens a layer", series="tokens"),
                Arm("16 tokens a layer", {"model.n_groups": 16}, "tokens"),
                Arm("biases written", {"model.biases": "generated"}, "biases"),
                Arm("biases shared", series="biases"),
            ),
            x_label="parameters of the INR",
            x_from="inr_parameters",
            reading=(
                "From 17 thousand numbers to 215 thousand, with biases written or shared, the "
                "answers are equally good, within what seeds differ by. At this budget the "
                "hypernetwork is the limit, and not the network that it writes."
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
            reading=(
                "Muon and rays from several views are worth somewhat more than seeds differ by; "
                "four times the rays, mirroring, exchanged colours and the error of the opacity "
                "show nothing in so few steps, and neither do products in bfloat16, which take a "
                "third of the time. Rays near the object cost more than they bring: drawn "
                "anywhere, they score higher by every measure. So do absolute errors beside the "
                "squared ones, which ask for a shape instead of a mean of shapes."
            ),
        ),
    },
)
