"""Start and Stop of a run, the same in both tabs."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import gradio as gr

from hyperdemo.ui.object.texts import FAILED, WAITING, status_bar


def watch(element: str) -> str:
    """Script that brings an element into view: on a phone what is to be watched is elsewhere."""
    return f"""() => {{
        document.getElementById("{element}").scrollIntoView({{block: "nearest"}});
    }}"""


def wire_run(
    buttons: list[gr.Button],
    status: gr.HTML,
    *,
    callback: Callable,
    inputs: list,
    outputs: list,
    stopped: Callable,
    watched: str,
    api_name: str,
    compute: dict[str, Any],
    at_end: str = "",
) -> Any:
    """Wire the two buttons; returns the event that a Stop cancels.

    The buttons change with the clicks and with the last update of a run, never in between: an
    update may arrive after a Stop, or when the next run has begun.

    Args:
        buttons: the one that starts a run and the one that stops it.
        status: where is said how far a run is.
        callback: the run; its last update gives the buttons back, also where it fails.
        inputs, outputs: of the callback.
        stopped: gives what the buttons and the status are after a Stop.
        watched: element that is brought into view.
        api_name: of the run.
        compute: `concurrency_id` and `concurrency_limit`.
        at_end: script to be run where a run ends early.
    """
    run, stop = buttons
    idle = [run, stop, status]
    private: dict[str, Any] = {"api_visibility": "private", "queue": False}
    run.click(None, None, idle, js=_begin(watched), **private)
    running = run.click(
        callback, inputs, outputs, api_name=api_name, api_visibility="private",
        show_progress="minimal", show_progress_on=[status], scroll_to_output=False,
        # By default a click is dropped while the run before it still counts as going on, which it
        # does for about a second after a Stop.
        trigger_mode="multiple",
        **compute,
    )  # fmt: skip
    running.failure(None, None, idle, js=_not_begun(at_end), **private)
    stop.click(
        stopped, None, idle, js=f"() => {{ {at_end}; return []; }}", cancels=[running], **private
    )
    return running


_SHOWN = """const shown = (visible) => ({visible, __type__: "update"});"""


def _begin(watched: str) -> str:
    """At once, before the server has seen the click."""
    return f"""() => {{
        ({watch(watched)})();
        {_SHOWN}
        return [shown(false), shown(true), {json.dumps(status_bar(0.0, WAITING))}];
    }}"""


def _not_begun(at_end: str) -> str:
    """What fails while it runs says so itself; this is for what never began, as where the queue is
    full. To Gradio a run that was stopped has failed too, and it says so when the next may have
    begun; but it shows no message then."""
    return f"""() => {{
        {_SHOWN}
        const failed = document.querySelector(".toast-body.error");
        if (!failed) return Array(3).fill({{__type__: "update"}});
        {at_end};
        return [shown(true), shown(false), {json.dumps(status_bar(0.0, FAILED))}];
    }}"""
