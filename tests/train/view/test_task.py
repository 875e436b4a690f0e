import shutil

import pytest
import torch

from hyperdemo.learn.batches import draw_batch
from hyperdemo.model import to_pixels
from hyperdemo.render.rays import RayLoss, render_rays
from tests import tiny
from tests.train import scenes
from train.config import ViewData
from train.view.task import ViewTask
from train.view.validate import quick_psnr

CPU = torch.device("cpu")


def test_the_loss_is_that_of_a_batch_drawn_by_hand():
    views = scenes.views_of()
    data = ViewData(
        target_views=2, rays=16, samples=8, near_share=0.7, mirror=1.0, recolour=1.0,
        alpha_weight=0.3,
    )  # fmt: skip
    config = scenes.train_config(data=data, batch=3)
    model = tiny.model()
    loss, shown = scenes.task_of(config, views).loss(
        model, generator=torch.Generator().manual_seed(4)
    )
    generator = torch.Generator().manual_seed(4)
    batch = draw_batch(views, data, objects=3, generator=generator)
    seen = render_rays(
        tiny.FIELD, model.encode(to_pixels(batch.framed)), batch.origins,
        directions=batch.directions, samples=8, generator=generator,
    )  # fmt: skip
    expected, colour = RayLoss(0.3, 0.0)(seen, batch.rgba)
    torch.testing.assert_close(loss, expected)
    torch.testing.assert_close(shown["psnr"], -10 * torch.log10(colour))
    assert loss.requires_grad and not shown["psnr"].requires_grad


def test_the_score_is_of_the_validation_objects():
    views = scenes.views_of()
    others = scenes.views_of(scenes.BALLS[:1])
    task = ViewTask(scenes.train_config(), views, others, device=CPU)
    model = tiny.model()
    assert task.score(model) == {"val_psnr": pytest.approx(quick_psnr(model, others, device=CPU))}
    assert task.facts == {"train_objects": 3}


def test_variants_are_learned_from_and_are_no_objects_of_their_own(tmp_path):
    folder, splits = scenes.write_dataset(tmp_path)
    data = ViewData(views_dir=str(folder), splits_file=str(splits), variants=1)
    with pytest.raises(ValueError, match=r"no views of ball-0\+1 in .* --variants N"):
        ViewTask.load(scenes.train_config(data=data), device=CPU)
    for name in ("ball-0", "ball-1"):
        shutil.copytree(folder / name, folder / f"{name}+1")
    task = ViewTask.load(scenes.train_config(data=data), device=CPU)
    assert task.train_views.ids == ("ball-0", "ball-0+1", "ball-1", "ball-1+1")
    assert task.train_views.classes == ("a", "a", "b", "b")
    assert task.facts == {"train_objects": 2}
    assert task.val_views.ids == ("ball-2",)
    half = ViewTask.load(scenes.train_config(data=data, train_share=0.5), device=CPU)
    assert half.facts == {"train_objects": 1} and len(half.train_views) == 2
    assert set(half.train_views.ids) < set(task.train_views.ids)


def test_half_precision_changes_the_loss_by_its_rounding_only():
    """Angles in bfloat16 would be off by whole radians at the field's highest frequency."""
    losses, gradients = [], []
    for precision in ("fp32", "bf16"):
        model = tiny.model()
        config = scenes.train_config(model=model.config, precision=precision, batch=4)
        loss, _ = scenes.task_of(config, scenes.views_of()).loss(
            model, generator=torch.Generator().manual_seed(4)
        )
        loss.backward()
        losses.append(loss)
        gradients.append(model.heads.base[0].grad.flatten())
    assert losses[1].dtype == torch.float32
    torch.testing.assert_close(losses[1], losses[0], rtol=0.01, atol=0)
    assert torch.cosine_similarity(*gradients, dim=0) > 0.99
    assert not torch.equal(*losses)
