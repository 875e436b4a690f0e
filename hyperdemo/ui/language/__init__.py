"""The page in other languages: `?lang=de`, or the first of the browser's languages that is here.

The page is written in English. A script in its head replaces what it says by the translations of a
catalogue, as `de.json`, of English messages; `translate.js` tells what a message is. After a change
of the page's words `tests/browser/test_language.py` names those that have no translation.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.routing import Route

LANGUAGES = {"en": "English", "de": "Deutsch", "es": "Español", "fr": "Français"}
"""What each language calls itself."""
_ASSETS = Path(__file__).parent
_HEAD = b"<head>"

Message = MutableMapping[str, Any]


def catalogue(language: str) -> dict[str, str]:
    """English messages and their translations; into English, those few that need another word."""
    return json.loads((_ASSETS / f"{language}.json").read_text("utf-8"))


def script() -> str:
    """What translates the page, as an element of its head."""
    code = (_ASSETS / "translate.js").read_text("utf-8")
    return f"<script>{{ const LANGUAGES = {json.dumps(LANGUAGES)};\n{code} }}</script>"


class Translated:
    """ASGI middleware that puts the script before all others in the head of a page.

    Gradio's own place for scripts comes after it has chosen the language of its own words.
    """

    def __init__(self, app: Callable):
        self.app, self.head = app, _HEAD + script().encode()

    async def __call__(
        self, scope: Message, receive: Callable, send: Callable[[Message], Awaitable[None]]
    ) -> None:
        to_come = False

        async def insert(message: Message) -> None:
            nonlocal to_come
            if message["type"] == "http.response.start":
                kind = Headers(raw=message["headers"]).get("content-type", "")
                if to_come := kind.startswith("text/html"):
                    del MutableHeaders(scope=message)["content-length"]
            elif to_come and _HEAD in message.get("body", b""):
                message, to_come = {**message, "body": self._with(message["body"])}, False
            await send(message)

        await self.app(scope, receive, insert if scope["type"] == "http" else send)

    def _with(self, body: bytes) -> bytes:
        return body.replace(_HEAD, self.head, 1)


def language_route() -> Route:
    """`/language/de.json`: a catalogue."""

    async def answer(request: Request) -> Response:
        name = request.path_params["name"]
        if name not in LANGUAGES:
            return PlainTextResponse("Not Found", 404)
        return FileResponse(_ASSETS / f"{name}.json", headers={"Cache-Control": "no-cache"})

    return Route("/language/{name}.json", answer)
