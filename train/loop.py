"""The training loop of every task: steps, scores on the way, checkpoints, and what was run.

A run lives in a folder: `state.pt` (to resume exactly), `metrics.jsonl`, `run.json`
(configuration, seed, git hash, hardware).
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor
from tqdm import tqdm

from hyperdemo.checkpoints import LoadedModel, load_checkpoint
from hyperdemo.learn.optimizer import descend
from hyperdemo.model import HyperModel
from train.cluster.team import Loss, Team
from train.config import TrainConfig
from train.growth import grow, may_grow
from train.provenance import provenance, resumed
from train.state import TrainState
from train.transplant import keep_part

ALONE = Team()
Watch = Callable[[int, HyperModel], None]
"""Looks at a model at a step."""
EARLIER = ("git", "steps_taken", "minutes", "training", "started_from")
"""What a run's facts keep of the checkpoint that it starts from."""


@runtime_checkable
class Task(Protocol):
    """What a model is trained on."""

    @property
    def facts(self) -> Mapping[str, Any]:
        """What a result must say of its data."""

    def loss(
        self, model: HyperModel, *, generator: torch.Generator
    ) -> tuple[Float[Tensor, ""], dict[str, Float[Tensor, ""]]]:
        """Objective of a random batch, and what to log of it."""

    def score(self, model: HyperModel) -> dict[str, float]:
        """Quality on validation data, higher is better."""


@runtime_checkable
class Streamed(Protocol):
    """A task whose data move on with the steps."""

    def go_to(self, step: int) -> None:
        """Hold what belongs to a step."""


class Run:
    """A training under way, new or continued from its folder.

    Args:
        task: gives the loss of each step and the scores on the way.
        out: folder of the run.
        facts: what `run_facts` gives, for `run.json`.
        team: the workers that share the run, and which one this is; the first alone writes.
        watch: is shown the averaged weights before the first step and after each.

    Raises:
        ValueError: `out` holds a run with another configuration.
        RuntimeError: the workers see different states in `out`.
    """

    def __init__(
        self,
        config: TrainConfig,
        task: Task,
        *,
        out: Path,
        device: torch.device,
        facts: Mapping[str, Any] | None = None,
        team: Team = ALONE,
        watch: Watch | None = None,
    ):
        out.mkdir(parents=True, exist_ok=True)
        torch.manual_seed(config.seed)
        model = new_model(config)
        if config.precision == "bf16" and device.type == "cpu":
            _plain_attention(model)
        self.task, self.out, self.team = task, out, team
        self.state = TrainState(config, model, device=device)
        if (out / "state.pt").is_file():
            self.state.load(out / "state.pt")
        team.require_same(self.state.step, what="the step that they go on from")
        if facts is not None and team.leads:
            # Not before the state is loaded: a refused run leaves the facts of the one that is
            # there.
            path = out / "run.json"
            if self.state.step and path.is_file():
                facts = resumed(json.loads(path.read_text()), facts)
            path.write_text(json.dumps(facts, indent=1) + "\n")
        if config.precision == "bf16":
            torch.set_float32_matmul_precision("high")
        if config.compile:
            self.state.model.encode = torch.compile(self.state.model.encode)
        if isinstance(task, Streamed):
            task.go_to(self.state.step)
        self._loss = team.loss_of(task, self.state.model)
        self._log = MetricsLog(out / "metrics.jsonl", since=self.state.step) if team.leads else None
        self._saved = time.monotonic()
        self._watch = watch if team.leads else None
        if self._watch and self.state.step == 0:
            self._watch(0, self.state.average)

    def advance(self) -> dict[str, float]:
        """One step; it is scored, logged and saved where that is due. Returns what it logs.

        Raises:
            FloatingPointError: the loss is no longer finite.
        """
        state, config = self.state, self.state.config
        started = time.monotonic()
        row = _one_step(state, self._loss, self.team)
        state.seconds += time.monotonic() - started
        if self._watch:
            self._watch(state.step, state.average)
        if self._log is None:
            return row
        scored = state.step % config.eval_every == 0 or state.step == config.steps
        if scored:
            row |= self.task.score(state.average)
        if state.step % 10 == 0 or scored:
            self._log.write(row)
        if time.monotonic() - self._saved > 60 * config.save_minutes:
            self.save()
        return row

    def save(self) -> None:
        if self.team.leads:
            self.state.save(self.out / "state.pt")
        self._saved = time.monotonic()


def train(
    config: TrainConfig,
    task: Task,
    *,
    out: Path,
    device: torch.device,
    facts: Mapping[str, Any] | None = None,
    stop_at: int | None = None,
    stop_if: Callable[[], Any] | None = None,
    team: Team = ALONE,
    watch: Watch | None = None,
) -> TrainState:
    """Run or continue a training until its budget is spent; arguments as of `Run`.

    Args:
        stop_at: end early after this step, as a kill would; the schedule is not shortened.
        stop_if: is asked after each scored step; the run ends there where the answer is true.

    Raises:
        ValueError: `out` holds a run with another configuration.
        FloatingPointError: the loss is no longer finite.
    """
    run = Run(config, task, out=out, device=device, facts=facts, team=team, watch=watch)
    state = run.state
    last = min(config.steps, stop_at or config.steps)
    bar = tqdm(total=config.steps, initial=state.step, unit="step", disable=not sys.stderr.isatty())
    while state.step < last:
        row = run.advance()
        bar.update()
        if stop_if and any(k.startswith("val_") for k in row) and stop_if():
            break
        bar.set_postfix({k: f"{v:.3f}" for k, v in row.items() if "snr" in k}, refresh=False)
    run.save()
    return state


def new_model(config: TrainConfig) -> HyperModel:
    """The model before its first step.

    Raises:
        ValueError: as of `start_of`, or pretrained weights that are not there or do not fit.
    """
    if config.start:
        model = start_of(config).model
        if model.config != config.model:
            model = grow(model, config.model)
        return model.requires_grad_(True)
    model = HyperModel(config.model, pretrained=config.pretrained)
    if config.pretrained_part != "all":
        generator = torch.Generator().manual_seed(config.seed)
        random = HyperModel(config.model).encoder
        keep_part(model.encoder, random, part=config.pretrained_part, generator=generator)
    return model


def start_of(config: TrainConfig) -> LoadedModel:
    """The checkpoint that a run starts from.

    Raises:
        ValueError: it is not there, is another model than the run's and cannot grow into that, or
            the run trains only a part.
    """
    path = Path(config.start)
    loaded = load_checkpoint(path.parent, path.name)
    own = loaded.model.config
    same = own == config.model or may_grow(own, config.model)
    if not same or config.model.adapt != "full":
        raise ValueError(
            f"{path} is another model than this run trains; take its configuration, with higher "
            "frequencies of sound at most, all of which is trained, or leave start empty"
        )
    return loaded


def _plain_attention(model: HyperModel) -> None:
    """Do without torch's fused attention, which is six times slower in bfloat16 on a CPU."""
    for module in model.modules():
        if hasattr(module, "fused_attn"):
            module.fused_attn = False


def _one_step(state: TrainState, objective: Loss, team: Team) -> dict[str, float]:
    config, model = state.config, state.model
    model.train()
    scale = state.set_learning_rate()
    team.seed(state.generator, seed=config.seed, step=state.step)
    loss, shown = objective(generator=state.generator)
    try:
        norm = descend(state.optimizer, loss, clip=config.clip)
    except FloatingPointError as error:
        raise FloatingPointError(f"step {state.step}: {error}") from error
    state.step += 1
    if team.leads:
        state.update_average()
    return {
        "step": state.step,
        "seconds": round(state.seconds, 2),
        **team.mean({"loss": loss, **shown}),
        "grad_norm": norm.item(),
        "lr_scale": scale,
    }


class MetricsLog:
    """JSON lines, without those of steps that a resumed run repeats."""

    def __init__(self, path: Path, *, since: int):
        self.path = path
        if path.is_file():
            # A kill may have cut the last line short; its step comes again.
            lines = [line for line in path.read_text().splitlines() if line.endswith("}")]
            kept = [f"{line}\n" for line in lines if json.loads(line)["step"] <= since]
            path.write_text("".join(kept))

    def write(self, row: dict[str, float]) -> None:
        with self.path.open("a") as file:
            file.write(json.dumps(row) + "\n")


def run_facts(
    config: TrainConfig, task: Task, *, device: torch.device, command: str
) -> dict[str, Any]:
    """What is needed to repeat a result: configuration, command (this module's arguments), code,
    hardware and data."""
    own = {"config": config.to_dict(), "command": f"python -m train.run {command}"}
    if config.start:
        before = start_of(config).facts
        own["started_from"] = {name: before[name] for name in EARLIER if name in before}
    return own | provenance(device) | task.facts
