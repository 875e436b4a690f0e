"""Train one hypernetwork: `python -m train.run --config view-cpu --init foundation`.

A run lives in `runs/<name>`: `state.pt` (to resume exactly), `metrics.jsonl`, `run.json`
(configuration, seed, git hash, hardware). The same command continues a run that was killed.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from hyperdemo.checkpoints import LoadedModel, load_checkpoint
from hyperdemo.config import ADAPTS, INITS
from hyperdemo.model import HyperModel
from hyperdemo.pipeline import choose_device
from train.config import TrainConfig, load_config
from train.provenance import provenance, resumed
from train.sound.task import SoundTask
from train.state import TrainState
from train.view.task import ViewTask

TASKS = {"view": ViewTask, "sound": SoundTask}
Task = ViewTask | SoundTask
EARLIER = ("git", "steps_taken", "minutes", "training", "started_from")
"""What a run's facts keep of the checkpoint that it starts from."""


def train(
    config: TrainConfig,
    task: Task,
    *,
    out: Path,
    device: torch.device,
    facts: Mapping[str, Any] | None = None,
    stop_at: int | None = None,
) -> TrainState:
    """Run or continue a training until its budget is spent.

    Args:
        task: gives the loss of each step and the scores on the way.
        out: folder of the run.
        facts: what `run_facts` gives, for `run.json`.
        stop_at: end early after this step, as a kill would; the schedule is not shortened.

    Raises:
        ValueError: `out` holds a run with another configuration.
        FloatingPointError: the loss is no longer finite.
    """
    out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(config.seed)
    if config.start:
        model = start_of(config).model.requires_grad_(True)
    else:
        model = HyperModel(config.model, pretrained=config.backbone_file)
    if config.precision == "bf16" and device.type == "cpu":
        _plain_attention(model)
    state = TrainState(config, model, device=device)
    if (out / "state.pt").is_file():
        state.load(out / "state.pt")
    if facts is not None:
        # Not before the state is loaded: a refused run leaves the facts of the one that is there.
        path = out / "run.json"
        if state.step and path.is_file():
            facts = resumed(json.loads(path.read_text()), facts)
        path.write_text(json.dumps(facts, indent=1) + "\n")
    if config.precision == "bf16":
        torch.set_float32_matmul_precision("high")
    if config.compile:
        state.model.encode = torch.compile(state.model.encode)
    log = MetricsLog(out / "metrics.jsonl", since=state.step)
    saved = time.monotonic()
    last = min(config.steps, stop_at or config.steps)
    bar = tqdm(total=config.steps, initial=state.step, unit="step", disable=not sys.stderr.isatty())
    while state.step < last:
        started = time.monotonic()
        row = _one_step(state, task)
        state.seconds += time.monotonic() - started
        bar.update()
        scored = state.step % config.eval_every == 0 or state.step == config.steps
        if scored:
            row |= task.score(state.average)
        if state.step % 10 == 0 or scored:
            log.write(row)
            bar.set_postfix({k: f"{v:.3f}" for k, v in row.items() if "snr" in k})
        if time.monotonic() - saved > 60 * config.save_minutes:
            state.save(out / "state.pt")
            saved = time.monotonic()
    state.save(out / "state.pt")
    return state


def start_of(config: TrainConfig) -> LoadedModel:
    """The checkpoint that a run starts from.

    Raises:
        ValueError: it is not there, is another model than the run's, or the run trains only a part.
    """
    path = Path(config.start)
    loaded = load_checkpoint(path.parent, path.name)
    if loaded.model.config != config.model or config.model.adapt != "full":
        raise ValueError(
            f"{path} is another model than this run trains; take its configuration, "
            "all of which is trained, or leave start empty"
        )
    return loaded


def _plain_attention(model: HyperModel) -> None:
    """Do without torch's fused attention, which is six times slower in bfloat16 on a CPU."""
    for module in model.modules():
        if hasattr(module, "fused_attn"):
            module.fused_attn = False


def _one_step(state: TrainState, task: Task) -> dict[str, float]:
    config, model = state.config, state.model
    model.train()
    scale = state.set_learning_rate()
    loss, shown = task.loss(model, generator=state.generator)
    state.optimizer.zero_grad()
    loss.backward()
    norm = torch.nn.utils.clip_grad_norm_(model.parameters(), config.clip)
    if not torch.isfinite(norm):
        raise FloatingPointError(
            f"the gradient is not finite at step {state.step}; lower the learning rate"
        )
    state.optimizer.step()
    state.step += 1
    state.update_average()
    return {
        "step": state.step,
        "seconds": round(state.seconds, 2),
        "loss": loss.item(),
        **{name: value.item() for name, value in shown.items()},
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


def parse_arguments(argv: Sequence[str]) -> tuple[TrainConfig, Path, torch.device]:
    parser = argparse.ArgumentParser(prog="python -m train.run", description=__doc__)
    parser.add_argument("--config", required=True, help="name in train/configs, or a .toml file")
    parser.add_argument("--init", choices=INITS)
    parser.add_argument("--adapt", choices=ADAPTS)
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="any value of the configuration, such as lr=1e-4 or model.n_groups=8",
    )
    parser.add_argument("--out", type=Path, help="folder of the run (runs/<config>-<init>-<adapt>)")
    parser.add_argument("--device", help="cpu or cuda (cuda if there is one)")
    args = parser.parse_args(argv)
    if unclear := [text for text in args.set if "=" not in text]:
        parser.error(f"--set expects KEY=VALUE, got {', '.join(unclear)}")
    overrides = dict(_assignment(text) for text in args.set)
    overrides |= {f"model.{name}": v for name in ("init", "adapt") if (v := getattr(args, name))}
    config = load_config(args.config, overrides=overrides)
    name = f"{Path(args.config).stem}-{config.model.init}-{config.model.adapt}"
    return config, args.out or Path("runs") / name, choose_device(args.device)


def _assignment(text: str) -> tuple[str, object]:
    key, _, value = text.partition("=")
    try:
        return key, json.loads(value)
    except json.JSONDecodeError:
        return key, value


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


def main(argv: Sequence[str] | None = None) -> None:
    argv = sys.argv[1:] if argv is None else argv
    config, out, device = parse_arguments(argv)
    if config.threads:
        torch.set_num_threads(config.threads)
    task = TASKS[config.model.task].load(config, device=device)
    facts = run_facts(config, task, device=device, command=" ".join(argv))
    state = train(config, task, out=out, device=device, facts=facts)
    print(f"{out}: {state.step} steps in {state.seconds / 60:.1f} minutes")


if __name__ == "__main__":
    main()
