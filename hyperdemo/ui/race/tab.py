"""The tab of the race: what it is, its controls, and how it stands."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr

from hyperdemo.learn.race import STEPS, Race, laps
from hyperdemo.learn.race_data import RaceData, load_race
from hyperdemo.results.learning import Recorded
from hyperdemo.ui.errors import streamed_in_plain_words
from hyperdemo.ui.object.texts import status_bar
from hyperdemo.ui.race.aside import aside
from hyperdemo.ui.race.figures import curves, gallery, verdict
from hyperdemo.ui.race.recorded import recorded_learning
from hyperdemo.ui.running import STOP, wire_run

SECONDS, EVERY = 150.0, 25
MAX_SEED = 9999
FEWEST = 10

INTRODUCTION = (
    "**Two hypernetworks learn before your eyes**, on this server's CPU. One has an encoder that "
    "was pretrained on millions of pictures (DINOv2), the other the same encoder with random "
    "weights. All else is equal. Nobody cuts the object out for them here: each has to tell it "
    "from its backdrop. Vote first: which will be ahead, and by how much?"
)
SMALL_PRINT = (
    "What learns are the heads and base weights alone, from nothing. Both encoders, and the {m} "
    "weight tokens beside the picture, stay as they are, so what they give for each picture is "
    "known beforehand: the paper's frozen variant, without tuning the tokens. The written "
    "networks are small ({n:,} weights). The {total} objects, of the kinds {kinds}, are seen from "
    "a few sides at {size} pixels; a quarter of them, drawn by the seed, nobody learns from. "
    "Kinds and backdrops were chosen because the two encoders differ on them: with the same "
    "objects cut out, as on the other tabs, the pretrained one ends 0.7 to 1.1 dB ahead. Neither "
    "is as good as the models of the other tabs, which trained in full, and for hours."
)


def find_race(weights: str | Path) -> RaceData | None:
    """The data of the race beside the checkpoints; None where there is none."""
    folder = Path(weights) / "race"
    return load_race(folder) if folder.is_dir() else None


def race_tab(tab: gr.Tab, data: RaceData, *, recorded: Recorded | None = None) -> None:
    """Fill the tab that is open with components, and wire them."""
    views = data.views
    gr.Markdown(INTRODUCTION, elem_classes="introduction")
    most = len(views) - len(views) // 4
    with gr.Row(elem_classes="stage", elem_id="race-page"):
        with gr.Column(scale=4, min_width=280):
            objects = gr.Slider(FEWEST, most, most, step=1, label="Objects to learn from")
            pace = gr.Slider(
                0.1, 4.0, 1.0, step=0.1, label="Learning rate", info="1 is what training uses here"
            )
            seed = gr.Number(0, precision=0, minimum=0, maximum=MAX_SEED, label="Seed")
            with gr.Row(equal_height=True):
                run = gr.Button("Start", variant="primary", elem_id="race-run", min_width=100)
                stop = gr.Button(
                    STOP, variant="stop", visible=False, elem_id="race-stop", min_width=80
                )
            status = gr.HTML("", elem_id="race-status", padding=False)
        with gr.Column(scale=7, min_width=320):
            stands = gr.Markdown("", elem_id="race-verdict")
            figure = gr.Plot(
                curves([], last=STEPS), show_label=False, container=False, elem_id="race-curves"
            )
            pictures = gr.HTML("", elem_id="race-pictures", padding=False)
    gr.Markdown(small_print(data), elem_classes="note")

    if recorded is not None:
        recorded_learning(recorded, tab)

    @streamed_in_plain_words
    def compete(n_objects: float, pace: float, seed: float) -> Iterator[list[Any]]:
        yield from stream_race(
            data, n_objects=int(n_objects), pace=float(pace), seed=int(seed or 0)
        )

    wire_run(
        [run, stop], status, callback=compete, inputs=[objects, pace, seed],
        outputs=[status, stands, figure, pictures], watched="race-curves", api_name="race",
        compute={"concurrency_id": "race", "concurrency_limit": 1},
    )  # fmt: skip


def small_print(data: RaceData) -> str:
    """What the race is, exactly, as Markdown."""
    config, kinds = data.config, sorted(set(data.views.classes))
    return SMALL_PRINT.format(
        m=sum(config.groups), n=config.field.n_parameters, total=len(data.views),
        kinds=", ".join(kinds[:-1]) + f" and {kinds[-1]}" if kinds[1:] else kinds[0],
        size=data.views.size,
    )  # fmt: skip


def stream_race(
    data: RaceData,
    *,
    n_objects: int,
    pace: float,
    seed: int,
    last: int = STEPS,
) -> Iterator[list[Any]]:
    """Status, words, figure and pictures, as the race goes on.

    Raises:
        ValueError: a number that the page does not offer, or rates that were too high.
    """
    if not (FEWEST <= n_objects and 0 < pace <= 10 and 0 <= seed <= MAX_SEED):
        raise ValueError(
            f"Expected at least {FEWEST} objects, a learning rate from 0.1 to 10 and a seed up to "
            f"{MAX_SEED}."
        )
    race = Race(data, seed=seed, n_objects=n_objects, pace=pace, last=last)
    inputs, truth = (pictures.numpy() for pictures in race.inputs_and_truth())
    so_far = []
    try:
        for lap in aside(lambda: laps(race, every=EVERY, seconds=SECONDS)):
            so_far.append(lap)
            done = 1.0 if lap.over else lap.step / last
            yield [
                status_bar(done, f"step {lap.step:,} of {last:,}"),
                verdict(lap),
                curves(so_far, last=last),
                gallery(lap, inputs, truth),
            ]
    except FloatingPointError as error:
        raise ValueError("One of the two diverged. Choose a lower learning rate.") from error
