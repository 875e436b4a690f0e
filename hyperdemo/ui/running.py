"""Start and Stop of a run, the same in both tabs."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import gradio as gr
from gradio.helpers import Examples

from hyperdemo.ui.object.texts import FAILED, WAITING, status_bar, waiting_bar

STOP, STOPPING, ENDING = "Stop", "Stopping …", "Ending …"
"""What the button that stops a run says: while the run goes on, once it was pressed, and once the
run's input was replaced."""

EVERY_S = 1.0
"""How often whoever waits is told of their place."""


def ending() -> gr.Button:
    """The button that stops a run, when what cancels the run is not that button."""
    return gr.Button(ENDING, interactive=False)


def watch(element: str) -> str:
    """Script that brings an element into view: on a phone what is to be watched is elsewhere."""
    return f"""() => {{
        document.getElementById("{element}").scrollIntoView({{block: "nearest"}});
        return [];
    }}"""


def wire_examples(
    shelves: Sequence[Examples],
    *,
    given: gr.components.Component,
    show: Callable,
    outputs: list,
    stop: gr.Button,
    running: Any,
    watched: str,
) -> list:
    """Wire examples so that a click shows what is kept of one.

    Args:
        shelves: of examples that are put into `given`.
        given: what a run's input is.
        show: takes it, and returns some of the outputs.
        outputs: all that it may change.
        stop: the button that stops a run.
        running: the event of a run, which a click cancels.
        watched: element that is brought into view.

    Returns:
        The events after which the page may want to press the button that starts a run.
    """
    private: dict[str, Any] = {"api_visibility": "private", "queue": False}
    shown = []
    for shelf in shelves:
        shelf.dataset.click(ending, None, stop, js=watch(watched), cancels=[running], **private)
        shown.append(
            shelf.load_input_event.success(
                show, [given], outputs, show_progress="hidden", **private
            )
        )  # fmt: skip
    return shown


def press_where_wanted(events: Sequence[Any], wanted: gr.Textbox, *, button: str) -> None:
    """After these events press a button, if `wanted` is not empty; then it is.

    Where the run before is still being cancelled there is no such button; the last of the events
    comes after that.
    """
    press = f"""(wanted) => {{
        const run = document.getElementById("{button}");
        if (!wanted || !run) return wanted;
        run.click();
        return "";
    }}"""
    for event in events:
        event.success(None, wanted, wanted, js=press, api_visibility="private", queue=False)


def wire_run(
    buttons: list[gr.Button],
    status: gr.HTML,
    *,
    callback: Callable,
    inputs: list,
    outputs: list,
    watched: str,
    api_name: str,
    compute: dict[str, Any],
    at_end: str = "",
) -> tuple[Any, Any]:
    """Wire the two buttons.

    The button that starts a run is on the page only while Gradio knows of none: what Gradio does
    to cancel a run takes up to a second, and a run that began meanwhile would be cancelled with it
    or could not be stopped any more.

    Args:
        buttons: the one that starts a run and the one that stops it.
        status: where is said how far a run is.
        callback: the run; says itself if it fails.
        inputs, outputs: of the callback.
        watched: element that is brought into view.
        api_name: of the run.
        compute: `concurrency_id` and `concurrency_limit`.
        at_end: script to be run where a run ends early.

    Returns:
        The event to be cancelled where the input is replaced, with the button being `ending()`, and
        the event that follows when the next run may begin.
    """
    run, stop = buttons
    idle = [run, stop, status]
    clock = gr.Timer(EVERY_S, active=False)
    private: dict[str, Any] = {"api_visibility": "private", "queue": False}
    run.click(None, None, [*idle, clock], js=_begin(watched), **private)
    clock.tick(_teller(api_name), None, [status, clock], show_progress="hidden", **private)
    running = run.click(
        callback, inputs, outputs, api_name=api_name, api_visibility="private",
        show_progress="minimal", show_progress_on=[status], scroll_to_output=False, **compute,
    )  # fmt: skip
    # By way of the server, for a run can be cancelled only once the server has answered to it.
    stop.click(
        lambda: gr.Button(STOPPING, interactive=False), None, stop, cancels=[running], **private
    )
    running.failure(None, None, idle, js=_failed(at_end), **private)
    freed = running.then(None, [stop, status], idle, js=_freed(at_end), **private)
    return running, freed


def _teller(api_name: str) -> Callable:
    """The status of a run that waits, and that nobody need ask again where it does not."""

    # Gradio gives the request to a function by its annotation, which a `partial` would hide.
    def tell(request: gr.Request) -> tuple[Any, Any]:
        place = request.request.app.get_blocks()._queue.place_of(request.session_hash, api_name)
        if place is None:
            return gr.skip(), gr.Timer(active=False)
        return waiting_bar(place.ahead, place.seconds), gr.skip()

    return tell


_SHOWN = """const shown = (visible, more) => ({visible, ...more, __type__: "update"});
        const same = {__type__: "update"};"""


def _begin(watched: str) -> str:
    """At once, before the server has seen the click."""
    return f"""() => {{
        ({watch(watched)})();
        {_SHOWN}
        const stop = shown(true, {{value: {json.dumps(STOP)}, interactive: true}});
        const clock = {{active: true, __type__: "update"}};
        return [shown(false), stop, {json.dumps(status_bar(0.0, WAITING))}, clock];
    }}"""


def _failed(at_end: str) -> str:
    """After an error, also of what never began, as where the queue is full. To Gradio a run that is
    being cancelled fails too, before or after it is over; but it shows no message then."""
    return f"""() => {{
        {_SHOWN}
        if (!document.querySelector(".toast-body.error")) return [same, same, same];
        {at_end};
        return [shown(true), shown(false), {json.dumps(status_bar(0.0, FAILED))}];
    }}"""


def _freed(at_end: str) -> str:
    """After a run that came to its end, or whose cancelling did."""
    return f"""(stop, status) => {{
        {_SHOWN}
        const stopped = stop === {json.dumps(STOPPING)} && !status.includes('value="100"');
        if (stopped) {{ {at_end}; }}
        const bar = {json.dumps(status_bar(0.0, "stopped"))};
        return [shown(true), shown(false), stopped ? bar : same];
    }}"""
