"""What the one who runs the server sees: health, and a log that holds nothing of the visitors'."""

import json
import logging
import threading

import gradio as gr
import httpx
import pytest
from gradio_client import Client

from hyperdemo.ui.errors import in_plain_words, streamed_in_plain_words
from hyperdemo.ui.turns import take_fair_turns
from hyperdemo.ui.watched import health_route, start_log
from tests.ui.test_abandoned import until


def test_health_tells_what_runs_and_waits(pipeline, sound_pipeline):
    go = threading.Event()

    def work() -> str:
        go.wait(60)
        return "done"

    with gr.Blocks() as demo:
        gr.api(work, concurrency_limit=1)
    take_fair_turns(demo, max_waiting=10, default_limit=1)
    options = {"app_kwargs": {"routes": [health_route(pipeline, sound_pipeline)]}}
    _, url, _ = demo.launch(prevent_thread_lock=True, quiet=True, **options)
    try:
        said = httpx.get(f"{url}health")
        assert said.status_code == 200 and said.json() == {
            "ready": True,
            "device": pipeline.device_name,
            "models": ["view-foundation", "view-scratch", "sound-foundation", "sound-scratch"],
            "running": 0,
            "waiting": 0,
        }
        client = Client(url, verbose=False)
        jobs = [client.submit(api_name="/work") for _ in range(3)]

        def busy():
            said = httpx.get(f"{url}health").json()
            return (said["running"], said["waiting"]) == (1, 2)

        assert until(busy)
        go.set()
        assert [job.result() for job in jobs] == ["done"] * 3
        for name in ("ending", "stopped"):
            setattr(demo._queue, name, True)
            assert httpx.get(f"{url}health").status_code == 503
            setattr(demo._queue, name, False)
    finally:
        go.set()
        demo.close()


def test_each_request_leaves_one_line_with_nothing_of_the_visitor_in_it(monkeypatch, capsys):
    log = logging.getLogger("hyperdemo")
    for name in ("handlers", "propagate", "level"):
        monkeypatch.setattr(log, name, getattr(log, name))
    start_log()

    def photo_to_object(error=None):
        yield 1
        if error is not None:
            raise error
        yield 2

    run = streamed_in_plain_words(photo_to_object)
    list(run())
    gone = run()
    next(gone)
    gone.close()
    for error in (ValueError("no picture at 'holiday.png'"), OSError("holiday.png: no space")):
        with pytest.raises(gr.Error):
            list(run(error))
    assert in_plain_words(len)("holiday") == 7
    *lines, last = map(json.loads, capsys.readouterr().err.splitlines())
    requests = [line for line in lines if line["message"] == "request"]
    assert [one["outcome"] for one in requests] == ["done", "left", "refused", "failed"]
    assert {one["request"] for one in requests} == {"photo_to_object"} and last["request"] == "len"
    assert all(one["seconds"] >= 0 and one["level"] == "info" for one in requests)
    (failure,) = [line for line in lines if line not in requests]
    assert failure["level"] == "error" and failure["error"] == "OSError"
    assert "photo_to_object" in failure["at"][-1]
    assert "holiday" not in json.dumps([*lines, last])
