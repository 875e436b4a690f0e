"""The page in other languages: `?lang=de`, or the first of the browser's languages that is here.

The page is written in English. A script in its head replaces what it says by the translations of a
catalogue, as `de.json`, of English messages; `translate.js` tells what a message is. After a change
of the page's words `tests/browser/test_language.py` names those that have no translation.
"""

from __future__ import annotations

import json
from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.routing import Route

LANGUAGES = {"en": "English", "de": "Deutsch", "es": "Español", "fr": "Français"}
"""What each language calls itself."""
_ASSETS = Path(__file__).parent


def catalogue(language: str) -> dict[str, str]:
    """English messages and their translations; into English, those few that need another word."""
    return json.loads((_ASSETS / f"{language}.json").read_text("utf-8"))


def language_head() -> str:
    """The script, for the head of the page, where it runs before Gradio does."""
    script = (_ASSETS / "translate.js").read_text("utf-8")
    return f"<script>const LANGUAGES = {json.dumps(LANGUAGES)};\n{script}</script>"


def language_route() -> Route:
    """`/language/de.json`: a catalogue."""

    async def answer(request: Request) -> Response:
        name = request.path_params["name"]
        if name not in LANGUAGES:
            return PlainTextResponse("Not Found", 404)
        return FileResponse(_ASSETS / f"{name}.json", headers={"Cache-Control": "max-age=3600"})

    return Route("/language/{name}.json", answer)
