"""The two questions as parts of the page, and the event by which their answers are counted.

Each is a `gr.HTML` whose script draws lots in the browser and tells the server no more than whether
an answer was right. `abx.js` takes its sounds from the player, `pair.js` its pictures from the
viewer, and `tally.js` is what both share.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gradio as gr

from hyperdemo.ui.errors import in_plain_words
from hyperdemo.ui.guess.tally import Count, Tally
from hyperdemo.ui.guess.texts import all_words, own_words
from hyperdemo.ui.style import SHARED_JS

PRETRAINED = "foundation"
"""Key of the model whose encoder was pretrained."""
MAX_OWN = 10_000
"""Answers of one visitor that the page tells of."""

NAMES_BACK = """document.querySelector("#guess-object [data-part=guess]")
    ?.dispatchEvent(new Event("no-more"))"""
"""Script for where a run ends early: nothing will come that names are hidden for."""

_ASSETS = Path(__file__).parent


def hearing_question(labels: Mapping[str, str]) -> gr.HTML:
    """The blind test on the sound tab: is X the original, or what a model made of it?

    Args:
        labels: key and shown name of each model.
    """
    return _question("abx", labels, [f"sound-{key}" for key in labels], elem_id="guess-sound")


def pair_question(labels: Mapping[str, str]) -> gr.HTML:
    """The question on the object tab: which of the two models was pretrained?

    Args:
        labels: key and shown name of both models.

    Raises:
        ValueError: not two models, or neither is the pretrained one.
    """
    if len(labels) != 2 or PRETRAINED not in labels:
        raise ValueError(f"two models expected, one of them {PRETRAINED!r}, got {list(labels)}")
    return _question("pair", labels, ["object"], elem_id="guess-object")


def answered(
    tally: Tally,
    labels: Mapping[str, str],
    said: Mapping[str, Any],
    *,
    session: str,
    teacher: bool,
) -> dict[str, Any]:
    """Count what a page says; returns the value that its question is given in return.

    Args:
        tally: of all visitors.
        labels: as for the questions.
        said: `question`, `right` (True, False, or None to ask how it stands), `mine` (right ones
            and answers of this visitor) and, from a teacher, `reset`.
        session: by which visitors are told apart for a minute.
        teacher: may begin anew.

    Raises:
        ValueError: what no page says.
    """
    question, right, mine = (said.get(name) for name in ("question", "right", "mine"))
    if not isinstance(question, str) or right not in (True, False, None):
        raise ValueError("a question, and whether its answer is right, expected")
    own = Count(*mine) if _is_own(mine) else Count()
    if said.get("reset"):
        if not teacher:
            raise ValueError("only a page whose address says ?teacher=1 may begin anew")
        tally.reset(question)
    counted = right is None or tally.add(question, right=right, session=session)
    words = all_words(tally.read(question), counted=counted)
    return _value(labels) | {"question": question, "mine": own_words(own), "all": words}


def _is_own(mine: Any) -> bool:
    numbers = isinstance(mine, list) and len(mine) == 2 and all(type(one) is int for one in mine)
    return numbers and 0 <= mine[0] <= mine[1] <= MAX_OWN


def _value(labels: Mapping[str, str]) -> dict[str, Any]:
    models = [{"key": key, "label": label} for key, label in labels.items()]
    return {"models": models, "question": "", "mine": "", "all": ""}


def _question(
    name: str, labels: Mapping[str, str], questions: list[str], *, elem_id: str
) -> gr.HTML:
    tally = Tally(questions)
    script = f"const PRETRAINED = {json.dumps(PRETRAINED)};"
    shown = gr.HTML(
        _value(labels), html_template=asset(f"{name}.html"), css_template=asset("guess.css"),
        js_on_load="\n".join([script, SHARED_JS, asset("tally.js"), asset(f"{name}.js")]),
        apply_default_css=False, elem_id=elem_id,
    )  # fmt: skip

    @in_plain_words
    def guess(event: gr.EventData, request: gr.Request) -> dict[str, Any]:
        said = event._data if isinstance(event._data, dict) else {}
        teacher = request.query_params.get("teacher") == "1"
        session = request.session_hash or ""
        return answered(tally, labels, said, session=session, teacher=teacher)

    shown.submit(
        guess, None, shown, api_visibility="private", queue=False, show_progress="hidden"
    )  # fmt: skip
    return shown


def asset(name: str) -> str:
    """One of the files that the questions consist of."""
    return (_ASSETS / name).read_text(encoding="utf-8")
