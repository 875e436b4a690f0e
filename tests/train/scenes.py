"""Data sets of coloured balls, whose pictures are exact from anywhere."""

import json

import numpy as np
import torch

from hyperdemo.learn.views import ViewSet, turns_to_front
from hyperdemo.preprocess import frame_input
from hyperdemo.render.cameras import camera_rays, look_at_origin, pixel_grid
from tests import tiny
from tests.tiny import Ball
from train.config import TrainConfig, ViewData
from train.objects.sheets import save_sheet, save_transforms
from train.view.task import ViewTask

FOV_DEG = 40.0
DATA = ViewData(target_views=2, rays=16, samples=8)
BALLS = (
    dict(density=60.0, radius=0.4, rgb=(0.9, 0.2, 0.1), azimuth_deg=70.0, height=0.2, away=0.45),
    dict(density=60.0, radius=0.5, rgb=(0.1, 0.3, 0.8), azimuth_deg=250.0, height=-0.1, away=0.3),
    dict(density=60.0, radius=0.3, rgb=(0.2, 0.7, 0.3), azimuth_deg=10.0, height=0.3, away=0.5),
)


def angles(n_views, shift=0.0):
    """Azimuth and elevation in degrees: irregular, so that no wrong turn goes unseen."""
    azimuth = shift + 13.0 + np.arange(n_views) * 360.0 / n_views + 9.0 * np.sin(np.arange(n_views))
    return np.stack([azimuth % 360, 5.0 + 40.0 * (np.arange(n_views) % 3) / 2], axis=-1)


def photograph(ball, pose, size):
    """Straight-alpha uint8 RGBA of a ball, each pixel its centre's ray."""
    rays = camera_rays(
        torch.from_numpy(pose).double(), pixel_grid(size).double(), fov_deg=FOV_DEG, size=size
    )
    _, alpha = ball.see(*(part.numpy() for part in rays))
    rgba = np.concatenate([np.broadcast_to(ball.rgb, (size * size, 3)), alpha[:, None]], axis=-1)
    rgba[alpha == 0] = 0
    return np.rint(255 * rgba).astype(np.uint8).reshape(size, size, 4)


def pose_from(obj, source, view, *, n_views):
    """Camera of a view of `views_of` in the world of the object's source view."""
    directions = angles(n_views, 31.0 * obj)
    azimuth, elevation = directions[view] - [directions[source, 0], 0.0]
    return look_at_origin(float(azimuth), float(elevation))


def on_white(rgba):
    """Straight alpha over white, in [0, 1]."""
    rgba = np.asarray(rgba) / 255.0
    return rgba[..., :3] * rgba[..., 3:] + 1 - rgba[..., 3:]


def views_of(balls=BALLS, *, n_views=6, size=32, input_size=28):
    """A ViewSet in which object k's cameras are shifted by 31·k degrees."""
    rgba, poses = [], []
    for k, ball in enumerate(balls):
        cameras = [look_at_origin(float(a), float(e)) for a, e in angles(n_views, 31.0 * k)]
        poses.append(cameras)
        rgba.append([photograph(Ball(**ball), pose, size) for pose in cameras])
    rgba, poses = np.array(rgba), torch.from_numpy(np.array(poses))
    framed = [[frame_input(view, size=input_size) for view in views] for views in rgba]
    return ViewSet(
        tuple(f"ball-{k}" for k in range(len(balls))),
        tuple("ab"[k % 2] for k in range(len(balls))),
        torch.from_numpy(rgba),
        torch.from_numpy(np.array(framed)),
        poses,
        turns_to_front(poses),
        FOV_DEG,
    )


def write_dataset(folder, balls=BALLS, *, n_views=8):
    """The same balls as `train.objects.render_views` leaves them: folder and splits."""
    ids = [f"ball-{k}" for k in range(len(balls))]
    for k, ball in enumerate(balls):
        directions = angles(n_views, 31.0 * k)
        poses = np.stack([look_at_origin(float(a), float(e)) for a, e in directions])
        (folder / "views" / ids[k]).mkdir(parents=True)
        sheet = np.stack([photograph(Ball(**ball), pose, 128) for pose in poses])
        save_sheet(folder / "views" / ids[k] / "sheet.webp", sheet)
        path = folder / "views" / ids[k] / "transforms.json"
        save_transforms(path, poses, directions, fov_deg=FOV_DEG)
    splits = {"train": ids[:2], "val": ids[2:], "test": ids[2:], "unseen": ids[:1]}
    splits["classes"] = {name: "ab"[k % 2] for k, name in enumerate(ids)}
    (folder / "splits.json").write_text(json.dumps(splits))
    return folder / "views", folder / "splits.json"


def train_config(**changes):
    """A run of a few milliseconds a step; nothing is evaluated or saved on the way."""
    small = dict(
        model=tiny.model_config(init="scratch"), data=DATA, steps=6, warmup=2, batch=2, lr=1e-3,
        lr_backbone=1e-3, ema=0.9, eval_every=1000, save_minutes=60.0,
    )  # fmt: skip
    return TrainConfig(**small | changes)


def log_of(out):
    """The metrics of each step of a run."""
    return [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]


def task_of(config, views):
    """The same objects to learn from and to score on."""
    return ViewTask(config, views, views, device=torch.device("cpu"))
