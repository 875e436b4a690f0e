import errno
import logging

import gradio as gr
import pytest

from hyperdemo.ui.errors import NO_ROOM, UNEXPECTED, in_plain_words, streamed_in_plain_words


def failing(error):
    def callback():
        raise error

    return in_plain_words(callback)


def test_a_mistake_of_a_visitor_is_shown_and_one_of_ours_is_logged(caplog):
    assert in_plain_words(lambda x: x + 1)(2) == 3
    with pytest.raises(gr.Error) as caught:
        failing(ValueError("expected a picture, got <nothing>"))()
    assert caught.value.message == "Expected a picture, got &lt;nothing&gt;."
    with caplog.at_level(logging.ERROR), pytest.raises(gr.Error) as caught:
        failing(KeyError("secret"))()
    assert caught.value.message == UNEXPECTED
    assert "secret" in caplog.text
    with pytest.raises(gr.Error) as caught:
        failing(OSError(errno.ENOSPC, "No space left on device", "/tmp/secret"))()
    assert caught.value.message == NO_ROOM


def test_a_generator_is_translated_too_and_can_be_closed():
    closed = []

    @streamed_in_plain_words
    def callback(fail):
        try:
            yield 1
            if fail:
                raise ValueError("too far")
            yield 2
        finally:
            closed.append(fail)

    assert next(broken := callback(True)) == 1
    with pytest.raises(gr.Error, match="Too far"):
        next(broken)
    stopped = callback(False)
    next(stopped)
    stopped.close()
    assert closed == [True, False]
