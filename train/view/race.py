"""Makes the data of the page's race out of rendered objects: small pictures and encoded tokens.

    python -m train.objects.render_views --models data/models
    python -m train.view.race --models data/models

Into weights/race: objects of four kinds that are in the public domain (CC0), and what DINOv2 and a
random ViT give at the same random weight tokens for pictures of them before random backdrops. Both
encoders stay as they are.

The backdrops are what makes the race. With the same objects over white, where a silhouette says
much, the pretrained arm ends 0.7 to 1.1 dB ahead (seeds 0 to 5); with them 1.1 to 2.2, and after
the first hundred steps it is 1.1 to 2.1 ahead already.
"""

import argparse
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from torch import Tensor

from hyperdemo.config import BackboneConfig, FieldConfig, ModelConfig
from hyperdemo.hypernet import build_heads
from hyperdemo.learn.race_data import RaceData, save_race
from hyperdemo.learn.views import ViewSet
from hyperdemo.model import HyperModel, to_pixels
from hyperdemo.preprocess.frame import frame_alpha
from train.config import TrainConfig, ViewData
from train.objects.collection import Model, read_table
from train.view.data import load_views

FREE = "CC0 1.0"
PACKS = ("kaykit", "kenney", "quaternius", "tinytreats")
KINDS = {
    "car": (
        "vehicle",
        r"(ambulance|delivery|firetruck|garbage|hatchback|police|race|sedan|suv|taxi|truck|van|"
        r"vehicle|cop|normalcar|sportscar|kart|tractor)\b",
    ),
    "chair": ("chair", r"(?!workbench|stall|benchcushion)"),
    "tree": ("plant", r"tree(?!.*(cut|log|trunk|stump))"),
    "person": ("person", r"(character|female|male|smooth|mike|astronaut)\b"),
}
"""Category, and how the names begin."""
PER_KIND, VIEWS, INPUTS, SIDE, SEED = 40, 8, 2, 64, 0
CONFIG = ModelConfig(
    backbone=BackboneConfig(image_size=98),
    field=FieldConfig(width=64, depth=4, n_freqs=6, max_log2_freq=3.0),
    n_groups=4,
    adapt="frozen",
)


def kind_of(model: Model) -> str | None:
    """Its class in the race; None for what is not in it."""
    if model.licence != FREE or model.object_id.partition(".")[0] not in PACKS:
        return None
    name = model.name.replace(" ", "-")
    return next(
        (
            kind
            for kind, (category, begins) in KINDS.items()
            if model.category == category and re.match(begins, name)
        ),
        None,
    )


def choose(models: Sequence[Model], *, per_kind: int = PER_KIND) -> dict[str, str]:
    """Ids and classes, the same number of each kind, spread over the table."""
    by_kind: dict[str, list[str]] = {kind: [] for kind in KINDS}
    for model in models:
        if kind := kind_of(model):
            by_kind[kind].append(model.object_id)
    return {
        ids[k * len(ids) // min(per_kind, len(ids))]: kind
        for kind, ids in by_kind.items()
        for k in range(min(per_kind, len(ids)))
    }


def shrunk(rgba: UInt8[Tensor, "n v h h 4"], *, size: int) -> UInt8[Tensor, "n v s s 4"]:
    """Averages over areas, of colour times opacity."""
    x = rgba.flatten(0, 1).permute(0, 3, 1, 2).float() / 255
    x = F.interpolate(torch.cat([x[:, :3] * x[:, 3:], x[:, 3:]], 1), size=size, mode="area")
    x = torch.cat([x[:, :3] / x[:, 3:].clamp_min(1e-6), x[:, 3:]], 1)
    out = (255 * x).round().to(torch.uint8).permute(0, 2, 3, 1)
    out[out[..., 3] == 0] = 0  # nothing to store where nothing is
    return out.unflatten(0, rgba.shape[:2])


def backdrops(n: int, *, size: int, generator: torch.Generator) -> Float[Tensor, "n s s 3"]:
    """Cloudy walls in [0, 1], out of focus: noise whose amplitude falls with frequency squared."""
    freqs = torch.fft.fftfreq(size)
    radius = torch.hypot(freqs[:, None], freqs).clamp_min(1 / size)
    noise = torch.randn(n, 3, size, size, generator=generator)
    clouds = torch.fft.ifft2(torch.fft.fft2(noise) / radius**2).real
    clouds = clouds - clouds.mean((2, 3), keepdim=True)
    clouds = clouds / clouds.std((2, 3), keepdim=True)
    colour = torch.rand(n, 3, 1, 1, generator=generator)
    contrast = 0.05 + 0.1 * torch.rand(n, 1, 1, 1, generator=generator)
    walls = colour + contrast * clouds
    grey = walls.mean(1, keepdim=True)
    return ((walls + grey) / 2).clamp(0, 1).permute(0, 2, 3, 1)


def before_backdrops(
    views: ViewSet, *, inputs: int, generator: torch.Generator
) -> UInt8[Tensor, "n k s s 3"]:
    """The first views of each object, framed as inputs, each before a backdrop of its own."""
    framed = views.framed[:, :inputs].float()
    size = framed.shape[2]
    alphas = [frame_alpha(rgba, size=size) for rgba in views.rgba[:, :inputs].flatten(0, 1).numpy()]
    seen = torch.from_numpy(np.stack(alphas)).unflatten(0, framed.shape[:2]).unsqueeze(-1)
    walls = backdrops(len(alphas), size=size, generator=generator).unflatten(0, framed.shape[:2])
    behind = 255 * (walls - 1) * (1 - seen)  # instead of the white that is there
    return (framed + behind).clamp(0, 255).round().to(torch.uint8)


@torch.no_grad()
def encoded(
    model: HyperModel, framed: UInt8[Tensor, "n k s s 3"], *, batch: int = 32
) -> Float[Tensor, "n k m d"]:
    """The encoder's outputs at the model's weight tokens."""
    parts = []
    for some in framed.flatten(0, 1).split(batch):
        tokens = model.heads.weight_tokens().expand(len(some), -1, -1)
        parts.append(model.encoder(to_pixels(some), tokens))
    return torch.cat(parts).unflatten(0, framed.shape[:2])


def frozen(config: ModelConfig, *, backbone_file: str | None) -> HyperModel:
    """A model with a random encoder, or with one out of a file; weight tokens are always alike."""
    torch.manual_seed(SEED)
    model = HyperModel(config, pretrained=backbone_file or False).eval()
    torch.manual_seed(SEED + 1)
    model.heads = build_heads(model.encoder.dim, config)
    return model


def make_race(views: ViewSet, *, backbone_file: str, config: ModelConfig = CONFIG) -> RaceData:
    """Encode the first views of each object by both encoders, beside the same weight tokens."""
    generator = torch.Generator().manual_seed(SEED)
    inputs = before_backdrops(views, inputs=INPUTS, generator=generator)
    tokens = {
        arm: encoded(frozen(config, backbone_file=file), inputs)
        for arm, file in (("pretrained", backbone_file), ("random", None))
    }
    small = ViewSet(
        views.ids, views.classes, shrunk(views.rgba, size=SIDE), views.framed, views.poses,
        views.turns, views.fov_deg,
    )  # fmt: skip
    return RaceData(config, small, inputs[:, 0], tokens)


def every_few(views: ViewSet, *, n_views: int = VIEWS) -> ViewSet:
    """Some of the views, spread round each object."""
    kept = torch.arange(n_views) * views.rgba.shape[1] // n_views
    parts = (t[:, kept] for t in (views.rgba, views.framed, views.poses, views.turns))
    return ViewSet(views.ids, views.classes, *parts, views.fov_deg)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", type=Path, default=Path("data/models"))
    parser.add_argument("--views", default="data/views")
    parser.add_argument("--backbone", default=TrainConfig.backbone_file)
    parser.add_argument("--out", type=Path, default=Path("weights/race"))
    args = parser.parse_args()
    known = [m for m in read_table(args.models) if (Path(args.views) / m.object_id).is_dir()]
    classes = choose(known)
    size = CONFIG.backbone.image_size
    views = load_views(
        ViewData(views_dir=args.views), list(classes), classes=classes, input_size=size
    )
    save_race(make_race(every_few(views), backbone_file=args.backbone), args.out)
    print(f"{dict(Counter(classes.values()))} in {args.out}")


if __name__ == "__main__":
    main()
