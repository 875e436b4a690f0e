"""What stands before Gradio's own routes: none but those that are used, limits, and headers."""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from starlette.datastructures import MutableHeaders
from starlette.responses import JSONResponse, PlainTextResponse

from hyperdemo.media.image import MAX_FILE_BYTES

MAX_JSON_BYTES = 4 * 2**20
MAX_UPLOAD_BYTES = MAX_FILE_BYTES + 2**20
"""Of all files of one request together."""
MIN_FREE_BYTES = 2**29
MAX_PLACES = 6
"""Events of one session that wait or run at a time."""

CLOSED = re.compile(
    r"(/gradio_api)?/(process_recording|monitoring|dev/|proxy=|file/|runs|run-history|deep_link|"
    r"custom_component|docs|redoc|token)"
)
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    # Any page may embed the demo, as Spaces and the documented snippet do. Gradio's own scripts are
    # inline, and it compiles those of custom components.
    "Content-Security-Policy": (
        "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; "
        "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; media-src 'self' data: "
        "blob:; font-src 'self' data:; connect-src 'self' data: blob:; worker-src 'self' blob:; "
        "object-src 'none'; base-uri 'self'; form-action 'self'"
    ),
}
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class Guard:
    """ASGI middleware that stands before `app`, which is Gradio's."""

    def __init__(self, app: Callable):
        self.app = app

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        path = scope["path"].removeprefix(scope.get("root_path", ""))
        if CLOSED.match(path):
            return await PlainTextResponse("Not Found", 404)(scope, receive, with_headers)
        if scope["method"] != "POST":
            return await self.app(scope, receive, with_headers)
        # The outline's editor sends its strokes to the second.
        uploads = path.rstrip("/").endswith(("/upload", "/component_server"))
        if uploads and shutil.disk_usage(tempfile.gettempdir()).free < MIN_FREE_BYTES:
            full = PlainTextResponse("The server has no room for files; try again later.", 507)
            return await full(scope, receive, with_headers)
        limit = MAX_UPLOAD_BYTES if uploads else MAX_JSON_BYTES
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        too_much = PlainTextResponse(f"Expected at most {limit // 2**20} MiB, got more.", 413)
        if declared.isdigit() and int(declared) > limit:
            return await too_much(scope, receive, with_headers)
        if not uploads:
            body = await _whole(receive, limit)
            if body is None:
                return await too_much(scope, receive, with_headers)
            if path.rstrip("/").endswith("/queue/join") and _places(scope, body) >= MAX_PLACES:
                words = f"You have {MAX_PLACES} requests waiting; let one of them end first."
                return await JSONResponse({"detail": words}, 429)(scope, receive, with_headers)
            return await self.app(scope, _again(body, receive), with_headers)
        await self.app(scope, _counted(receive, limit), with_headers)


def _places(scope: Message, body: bytes) -> int:
    """Events that wait or run for the session that a request belongs to."""
    try:
        session = json.loads(body)["session_hash"]
    except (ValueError, KeyError, TypeError):
        return 0
    events = scope["app"].get_blocks()._queue.event_ids_to_events
    return sum(event.session_hash == session for event in list(events.values()))


async def _whole(receive: Receive, limit: int) -> bytes | None:
    """A whole body; None of one that is longer."""
    parts, length = [], 0
    while True:
        message = await receive()
        part = message.get("body", b"")
        length += len(part)
        if length > limit:
            return None
        parts.append(part)
        if message["type"] == "http.disconnect" or not message.get("more_body"):
            return b"".join(parts)


def _again(body: bytes, receive: Receive) -> Receive:
    """The body once more, then whatever else comes."""
    given = False

    async def read() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return read


def _counted(receive: Receive, limit: int) -> Receive:
    """A body that ends, as if the caller had left, where it grows beyond a limit."""
    length = 0

    async def read() -> Message:
        nonlocal length
        message = await receive()
        length += len(message.get("body", b""))
        return {"type": "http.disconnect"} if length > limit else message

    return read
