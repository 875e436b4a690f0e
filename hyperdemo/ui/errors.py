"""What went wrong, in words: a visitor's mistake as it is, anything else without its insides.

Every request passes here, so here is also where it leaves its line in the log.
"""

from __future__ import annotations

import errno
import functools
import html
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import gradio as gr

_log = logging.getLogger(__name__)

UNEXPECTED = (
    "Something went wrong on the server; it is not the fault of your file. Try once more, or try "
    "another one. The server's log has the details."
)

NO_ROOM = "The server has no room for files; try again later."


def in_plain_words(callback: Callable) -> Callable:
    """Wrap a callback so that it raises nothing but `gr.Error`.

    A `ValueError` is the visitor's: its text is shown. Anything else is ours: it is logged with
    its traceback, and the visitor sees a message without details.
    """

    @functools.wraps(callback)
    def plain(*args, **kwargs):
        with _translated(callback.__name__):
            return callback(*args, **kwargs)

    return plain


def streamed_in_plain_words(callback: Callable[..., Iterator]) -> Callable[..., Iterator]:
    """The same for a callback that is a generator; closing it closes the callback's own."""

    @functools.wraps(callback)
    def streamed(*args, **kwargs) -> Iterator:
        with _translated(callback.__name__):
            yield from callback(*args, **kwargs)

    return streamed


@contextmanager
def _translated(name: str) -> Iterator[None]:
    began, outcome = time.perf_counter(), "done"
    try:
        yield
    except GeneratorExit:
        outcome = "left"  # the visitor has gone, or pressed Stop
        raise
    except gr.Error:
        outcome = "refused"
        raise
    except ValueError as error:
        outcome = "refused"
        raise gr.Error(as_sentence(str(error)), print_exception=False) from error
    except Exception as error:
        outcome = "failed"
        _log.exception("unexpected error in a callback")
        full = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
        raise gr.Error(NO_ROOM if full else UNEXPECTED, print_exception=False) from error
    finally:
        spent = round(time.perf_counter() - began, 3)
        fields = {"request": name, "outcome": outcome, "seconds": spent}
        _log.info("request", extra={"fields": fields})


def as_sentence(text: str) -> str:
    """Capital first, full stop last; escaped, since Gradio shows messages as HTML."""
    text = html.escape(text.strip(), quote=False)
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "!", "?")) else ".")
