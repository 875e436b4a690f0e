"""What Ray runs: one process that is the page, and replicas of the models.

The page holds visitors' sessions, so there is one of it. What is computed is asked of replicas,
each with both pairs of models on a device of its own; there are as many as visitors need. A replica
encodes as one batch what requests ask that arrive together. Where one is lost in mid-answer another
goes on, and where all are, the page's own CPU.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from hyperdemo.config.require import require
from hyperdemo.serve.page import Page
from hyperdemo.serve.replica import Replica

if TYPE_CHECKING:
    from ray.serve import Application

CONNECTIONS = 10_000
"""Each open page holds two, on which nothing is said for most of the time."""


@dataclass(frozen=True)
class Serving:
    """How the app is served.

    Attributes:
        weights: folder of the checkpoints, on every machine; "" as `find_weights` has it.
        examples: folder of the page's examples; "" for the one beside the package.
        device: of the replicas, "cpu" or "cuda"; "" for the GPU if there is one.
        min_replicas, max_replicas: between which Ray scales.
        upscale_delay_s, downscale_delay_s: how long there must have been more, or fewer, requests
            before there are more or fewer replicas; Ray's own defaults.
        look_back_s: over which requests are averaged for that; Ray's own default too.
        requests: that one replica answers at once, whose encoding may be one batch; Ray scales for
            half as many.
        cpus, gpus: of a replica; the page has a CPU's core as well.
        page_cpus: of the page.
        batch_wait_s: how long the first request of a batch waits for others.
        warm: answer first requests as replicas and the page start, so that no visitor waits.
    """

    weights: str = ""
    examples: str = ""
    device: str = ""
    min_replicas: int = 1
    max_replicas: int = 1
    upscale_delay_s: float | int = 30.0
    downscale_delay_s: float | int = 600.0
    look_back_s: float | int = 30.0
    requests: int = 4
    cpus: float | int = 1.0
    gpus: float | int = 0.0
    page_cpus: float | int = 1.0
    batch_wait_s: float | int = 0.01
    warm: bool = True

    def __post_init__(self) -> None:
        require(
            1 <= self.min_replicas <= self.max_replicas,
            f"1 ≤ min_replicas ≤ max_replicas expected, got {self.min_replicas} and "
            f"{self.max_replicas}",
        )
        require(self.requests >= 1, f"requests must be at least 1, got {self.requests}")
        delays = ("upscale_delay_s", "downscale_delay_s", "batch_wait_s")
        for name in ("cpus", "gpus", "page_cpus", *delays):
            value = getattr(self, name)
            require(value >= 0, f"{name} must not be negative, got {value}")
        require(self.look_back_s > 0, f"look_back_s must be positive, got {self.look_back_s}")

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Serving:
        """Of what a Serve configuration holds under `args`.

        Raises:
            ValueError: a name or a value that there is not.
        """
        known = {field.name for field in fields(cls)}
        require(
            set(values) <= known,
            f"args must be among {', '.join(sorted(known))}, got {', '.join(sorted(values))}",
        )
        return cls(**values)


def application(args: Mapping[str, Any]) -> Application:
    """What Ray Serve runs; a configuration file names it as `hyperdemo.serve:application`.

    Args:
        args: those attributes of `Serving` that are not as there.
    """
    from ray import serve

    serving = Serving.from_dict(args)
    replicas = serve.deployment(
        Replica,
        autoscaling_config={
            "min_replicas": serving.min_replicas,
            "max_replicas": serving.max_replicas,
            "target_ongoing_requests": max(1, serving.requests // 2),
            "upscale_delay_s": serving.upscale_delay_s,
            "downscale_delay_s": serving.downscale_delay_s,
            "look_back_period_s": serving.look_back_s,
        },
        max_ongoing_requests=serving.requests,
        ray_actor_options={"num_cpus": serving.cpus, "num_gpus": serving.gpus},
    )
    page = serve.deployment(
        serve.ingress()(Page),
        num_replicas=1,
        max_ongoing_requests=CONNECTIONS,
        ray_actor_options={"num_cpus": serving.page_cpus},
    )
    weights = serving.weights or None
    handle = replicas.bind(
        weights, device=serving.device or None, requests=serving.requests,
        batch_wait_s=serving.batch_wait_s, warm=serving.warm,
    )  # fmt: skip
    return page.bind(
        handle, weights=weights, examples=serving.examples or None, warm=serving.warm,
        n_at_once=serving.max_replicas * serving.requests,
    )  # fmt: skip
