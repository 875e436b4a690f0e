"""The view task: from pictures of objects to their radiance fields."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from hyperdemo.learn.batches import draw_batch
from hyperdemo.learn.objective import ray_objective
from hyperdemo.learn.views import ViewSet
from hyperdemo.model import HyperModel, to_pixels
from train.config import TrainConfig, ViewData
from train.objects.variants import original_id, variant_id
from train.subsets import some_of
from train.view.batches import chances, pack_of
from train.view.data import load_split, load_views, split_objects
from train.view.validate import quick_psnr


class ViewTask:
    """A training loss and a validation score on rendered views.

    Args:
        config: of the run; its `data` is a `ViewData`.
        train_views: objects to learn from, all of them used.
        val_views: objects to score on.
        device: where the training views live and the model runs.
    """

    def __init__(
        self,
        config: TrainConfig,
        train_views: ViewSet,
        val_views: ViewSet,
        *,
        device: torch.device,
    ):
        assert isinstance(config.data, ViewData)
        self.config, self.data, self.device = config, config.data, device
        self.train_views = train_views.to(device)
        self.val_views = val_views
        weights = self.data.weights
        if config.train_share < 1:  # a small share may hold nothing of a pack
            packs = {pack_of(original_id(name)) for name in train_views.ids}
            weights = {pack: weight for pack, weight in weights.items() if pack in packs}
        by_pack = chances(train_views.ids, weights)
        self.chances = None if by_pack is None else by_pack.to(device)

    @classmethod
    def load(cls, config: TrainConfig, *, device: torch.device) -> ViewTask:
        """Read the data set of a configuration.

        Raises:
            ValueError: objects or splits that are not there.
        """
        data, size = config.data, config.model.backbone.image_size
        if data.format == "shards":
            from train.cluster.streaming import StreamedViewTask  # on packages for that alone

            return StreamedViewTask.load(config, device=device)
        ids, classes = split_objects(data, "train")
        kept = [
            variant_id(name, k)
            for name in some_of(ids, config.train_share)
            for k in range(data.variants + 1)
        ]
        train_views = load_views(data, kept, classes=classes, input_size=size)
        val_views = load_split(data, "val", input_size=size)
        return cls(config, train_views, val_views, device=device)

    @property
    def facts(self) -> dict[str, int]:
        """What a result must say of its data."""
        return {"train_objects": len({original_id(name) for name in self.train_views.ids})}

    def loss(
        self, model: HyperModel, *, generator: torch.Generator
    ) -> tuple[Float[Tensor, ""], dict[str, Float[Tensor, ""]]]:
        """Objective of a random batch, and its PSNR in dB."""
        data = self.data
        batch = draw_batch(
            self.train_views, data, objects=self.config.batch, generator=generator,
            chances=self.chances,
        )  # fmt: skip
        half = self.config.precision == "bf16"
        # Autocast affects matrix products only: angles of up to 2⁵π and sums along rays need the
        # digits of float32.
        with torch.autocast(self.device.type, torch.bfloat16, enabled=half):
            params = model.encode(to_pixels(batch.framed, device=self.device))
            loss, colour_mse = ray_objective(
                self.config.model.field, params, batch, data=data, generator=generator
            )
        return loss, {"psnr": -10 * torch.log10(colour_mse.detach())}

    def score(self, model: HyperModel) -> dict[str, float]:
        """Quality on the validation objects, higher is better."""
        return {"val_psnr": quick_psnr(model, self.val_views, device=self.device)}
