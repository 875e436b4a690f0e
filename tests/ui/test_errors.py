import logging

import gradio as gr
import pytest

from hyperdemo.ui.errors import UNEXPECTED, in_plain_words, streamed_in_plain_words


def raising(error):
    @in_plain_words
    def callback():
        raise error

    return callback


def test_a_visitors_mistake_is_told_in_its_own_words():
    with pytest.raises(gr.Error) as caught:
        raising(ValueError("expected a picture, got <nothing>"))()
    assert caught.value.message == "Expected a picture, got &lt;nothing&gt;."


def test_our_own_mistakes_stay_in_the_log(caplog):
    with caplog.at_level(logging.ERROR), pytest.raises(gr.Error) as caught:
        raising(KeyError("secret"))()
    assert caught.value.message == UNEXPECTED
    assert "secret" in caplog.text


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

    assert next(failing := callback(True)) == 1
    with pytest.raises(gr.Error, match="Too far"):
        next(failing)
    stopped = callback(False)
    next(stopped)
    stopped.close()
    assert closed == [True, False]


def test_results_pass_through():
    assert in_plain_words(lambda x: x + 1)(2) == 3
