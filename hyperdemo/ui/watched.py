"""What whoever runs the server may see: `/health`, and a log without anything of the visitors'."""

from __future__ import annotations

import json
import logging
import sys
import traceback
from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from hyperdemo.pipeline.pair import ModelPair


def health_route(*pipelines: ModelPair) -> Route:
    """`/health` of the app that serves these models; 503 while it takes no requests."""
    models = [loaded.name for pipeline in pipelines for loaded in pipeline.models.values()]

    async def health(request: Request) -> JSONResponse:
        queue = request.app.get_blocks()._queue
        ready = not (queue.stopped or queue.ending)
        said = {
            "ready": ready,
            "device": pipelines[0].device_name,
            "models": models,
            "running": sum(job is not None for job in queue.active_jobs),
            "waiting": len(queue),
        }
        return JSONResponse(said, status_code=200 if ready else 503)

    return Route("/health", health)


class JsonLines(logging.Formatter):
    """One JSON object a line: time, level, message, and a record's `fields`.

    Of an exception the type and the places are told; its text may quote a visitor's file or name.
    """

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "message": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info and record.exc_info[0] is not None:
            frames = traceback.extract_tb(record.exc_info[2])
            line["error"] = record.exc_info[0].__name__
            line["at"] = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]
        return json.dumps(line)


def start_log() -> None:
    """Write this package's log, one line a request, to stderr; that of libraries stays as it is."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    log = logging.getLogger("hyperdemo")
    log.handlers, log.propagate = [handler], False
    log.setLevel(logging.INFO)
