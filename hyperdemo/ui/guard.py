"""What stands before Gradio's own routes: none but those that are used, limits, and headers."""

from __future__ import annotations

import ipaddress
import json
import os
import re
import shutil
import socket
import tempfile
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from starlette.datastructures import Headers, MutableHeaders, QueryParams
from starlette.formparsers import MultiPartException
from starlette.responses import JSONResponse, PlainTextResponse

from hyperdemo.media.image import MAX_FILE_BYTES
from hyperdemo.ui.errors import NO_ROOM
from hyperdemo.ui.parts import Parts
from hyperdemo.ui.visitors import Ledger, address, assistant_of, signed

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
        self.app, self.ledger = app, Ledger()

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        if not os.environ.get("SPACE_ID"):
            # Anybody can claim a host, and Gradio would believe it; on a Space the proxy sets it.
            kept = [pair for pair in scope["headers"] if pair[0] != b"x-forwarded-host"]
            scope = {**scope, "headers": kept}
            host = Headers(scope=scope).get("host", "")
            if not _is_own(host):
                words = "This server has another name; HYPERDEMO_HOSTS lists those it answers to."
                return await PlainTextResponse(words, 421)(scope, receive, send)

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        path = scope["path"].removeprefix(scope.get("root_path", ""))
        scope = signed(scope, assistant=path.startswith("/gradio_api/mcp"))
        if CLOSED.match(path):
            return await PlainTextResponse("Not Found", 404)(scope, receive, with_headers)
        if scope["method"] != "POST":
            with _listening(scope, path):
                return await self.app(scope, receive, with_headers)
        # The outline's editor sends its strokes to the second.
        form = Headers(scope=scope).get("content-type", "").startswith("multipart/form-data")
        uploads = form and path.rstrip("/").endswith(("/upload", "/component_server"))
        if uploads and shutil.disk_usage(tempfile.gettempdir()).free < MIN_FREE_BYTES:
            return await PlainTextResponse(NO_ROOM, 507)(scope, receive, with_headers)
        limit = MAX_UPLOAD_BYTES if uploads else MAX_JSON_BYTES
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        too_much = PlainTextResponse(f"Expected at most {limit // 2**20} MiB, got more.", 413)
        length = int(declared) if declared.isdigit() else 0
        if length > limit:
            return await too_much(scope, receive, with_headers)
        visitor = address(scope)
        if length > (room := self.ledger.room(visitor)) or room <= 0:
            words = "Too much was sent to this server in the last hours; try again later."
            return await PlainTextResponse(words, 429)(scope, receive, with_headers)
        if not uploads:
            body = await _whole(receive, limit)
            if body is None:
                return await too_much(scope, receive, with_headers)
            self.ledger.note(visitor, len(body))
            if path.rstrip("/").endswith("/queue/join") and _places(scope, body) >= MAX_PLACES:
                words = f"You have {MAX_PLACES} requests waiting; let one of them end first."
                return await JSONResponse({"detail": words}, 429)(scope, receive, with_headers)
            return await self.app(scope, _again(body, receive), with_headers)
        try:
            parts = Parts(Headers(scope=scope).get("content-type", ""), max_bytes=limit)
        except MultiPartException as error:  # of a form without parts; others Gradio answers
            return await PlainTextResponse(error.message, 400)(scope, receive, with_headers)
        self.ledger.note(visitor, length)  # now: others of the same visitor's may come meanwhile
        try:
            await self.app(scope, _counted(receive, parts), with_headers)
        finally:
            self.ledger.note(visitor, parts.n_bytes - length)


def _listening(scope: Message, path: str) -> AbstractContextManager[None]:
    """Tell the queue that somebody waits for what it has to say to a session, or of a job."""
    queue = scope["app"].get_blocks()._queue
    job = re.fullmatch(r"/gradio_api/call/(?:v2/)?[^/]+/([^/]+)", path)
    session = QueryParams(scope.get("query_string", b"")).get("session_hash")
    name = job[1] if job else session if path == "/gradio_api/queue/data" else None
    return queue.listening(name) if name else nullcontext()


def _places(scope: Message, body: bytes) -> int:
    """Events that wait or run for the session, or the assistant, that a request belongs to."""
    try:
        session = json.loads(body)["session_hash"]
    except (ValueError, KeyError, TypeError):
        return 0
    asking = assistant_of(Headers(scope=scope)) or session
    events = list(scope["app"].get_blocks()._queue.event_ids_to_events.values())
    owners = (assistant_of(event.request.headers) or event.session_hash for event in events)
    return sum(owner == asking for owner in owners)


def _is_own(host: str) -> bool:
    """Whether a Host header names this machine: a name that others own may lead a browser here.

    An address does, and so do the machine's own name and those that HYPERDEMO_HOSTS lists.
    """
    name = re.sub(r":\d+$", "", host).lower()
    named, own = os.environ.get("HYPERDEMO_HOSTS", "").lower().split(","), socket.gethostname()
    if "*" in named or name in ("", "localhost", own.lower(), f"{own.lower()}.local", *named):
        return True
    if name.endswith(".gradio.live"):  # Gradio's own, where the page is shared by it
        return True
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True


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


def _counted(receive: Receive, parts: Parts) -> Receive:
    """A form that fails where it holds too much or is cut short.

    It does so by the one exception at which Gradio removes what it has written of the form so far.
    """

    async def read() -> Message:
        message = await receive()
        if message["type"] == "http.request":
            parts.take(message)
        elif not parts.ended:
            raise MultiPartException("Expected a whole form, but it was cut short.")
        return message

    return read
