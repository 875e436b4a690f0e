"""The queue of a running server, whose jobs end when the test says so."""

import threading
import time

import gradio as gr
import httpx
import pytest
from starlette.middleware import Middleware

from hyperdemo.ui import turns
from hyperdemo.ui.guard import Guard
from hyperdemo.ui.turns import Place, take_fair_turns
from hyperdemo.ui.visitors import signed

ROOM = 4


class Served:
    """A page with one event that computes and one that is quick.

    Attributes:
        began: what was computed, in this order.
        free: until it is set, what computes does not end.
    """

    def __init__(self):
        self.began, self.free, self.threads = [], threading.Event(), []

        def compute(word):
            self.began.append(word)
            self.free.wait(120)
            return word

        with gr.Blocks() as self.demo:
            box, button = gr.Textbox(), gr.Button()
            button.click(compute, box, box, concurrency_id="compute")
            button.click(lambda word: word, box, box, concurrency_id="quick", api_name="quick")
        take_fair_turns(self.demo, max_waiting=ROOM, default_limit=1)
        guard = {"middleware": [Middleware(Guard)]}
        self.demo.launch(prevent_thread_lock=True, quiet=True, app_kwargs=guard)
        self.http = httpx.Client(base_url=self.demo.local_url, timeout=120)

    def join(self, session, word, *, fn_index=0):
        body = {"data": [word], "fn_index": fn_index, "session_hash": session}
        return self.http.post("/gradio_api/queue/join", json=body).status_code

    def listen(self, session):
        address = f"/gradio_api/queue/data?session_hash={session}"
        self.threads.append(threading.Thread(target=self.http.get, args=[address]))
        self.threads[-1].start()

    def close(self):
        self.free.set()
        for thread in self.threads:
            thread.join()
        self.demo.close()


@pytest.fixture
def served():
    served = Served()
    yield served
    served.close()


def until(condition, *, seconds=60.0):
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.02)
    return condition()


def test_one_visitor_does_not_hold_the_queue(served):
    for k in range(ROOM):
        assert served.join("greedy", f"greedy {k}") == 200
        assert until(lambda: served.began)
    served.listen("greedy")
    assert served.join("other", "other") == 200
    served.listen("other")
    served.free.set()
    assert until(lambda: len(served.began) == ROOM + 1)
    assert served.began == ["greedy 0", "other", "greedy 1", "greedy 2", "greedy 3"]


def test_what_computes_takes_no_room_from_what_is_quick(served):
    assert served.join("a", "first") == 200
    assert until(lambda: served.began)
    served.listen("a")
    assert [served.join("a", "more") for _ in range(ROOM + 1)] == [200] * ROOM + [503]
    assert served.join("b", "quick", fn_index=1) == 200
    assert "quick" in served.http.get("/gradio_api/queue/data?session_hash=b").text


def test_one_address_does_not_take_all_places(served, monkeypatch):
    monkeypatch.setattr(turns, "MAX_SHARE", 0.5)
    assert served.join("first", "first") == 200
    assert until(lambda: served.began)
    assert [served.join(f"s{k}", "more") for k in range(ROOM)] == [200, 200, 503, 503]
    caller = signed({"headers": [], "client": ("10.0.0.9", 1)}, assistant=True)["headers"]
    served.http.headers.update({name.decode(): value.decode() for name, value in caller})
    assert served.join("elsewhere", "other") == 200


def test_jobs_that_nobody_waits_for_are_dropped(served, monkeypatch):
    assert served.join("gone", "gone 0") == 200
    assert until(lambda: served.began)
    for k in range(1, ROOM):
        assert served.join("gone", f"gone {k}") == 200
    assert served.join("here", "here") == 200
    served.listen("here")
    queue = served.demo._queue
    assert until(lambda: queue._listening["here"])
    monkeypatch.setattr(turns, "GRACE_S", 0.0)
    assert until(lambda: len(queue) == 1)
    served.free.set()
    assert until(lambda: "here" in served.began)
    assert served.began == ["gone 0", "here"]


def test_who_waits_is_told_their_place_and_how_long_it_takes(served):
    queue = served.demo._queue
    assert queue.place_of("greedy", "compute") is None
    for word in ("first", "second", "third"):
        assert served.join("greedy", word) == 200
        assert until(lambda: served.began)
    assert served.join("other", "other") == 200
    # The greedy one is served already, so the other's turn comes before what it asked for earlier.
    assert queue.place_of("other", "compute") == Place(0, None)
    assert queue.place_of("greedy", "compute") == Place(1, None)
    assert queue.place_of("other", "quick") is queue.place_of("nobody", "compute") is None
    fns = {fn.api_name: fn for fn in served.demo.fns.values()}
    for seconds in (3.0, 5.0):
        queue.process_time_per_fn[fns["compute"]].add(seconds)
    queue.process_time_per_fn[fns["quick"]].add(100.0)  # of another kind
    assert queue.place_of("other", "compute") == Place(0, 4.0)
    assert queue.place_of("greedy", "compute") == Place(1, 8.0)
    for session in ("greedy", "other"):
        served.listen(session)
    served.free.set()
    assert until(lambda: len(served.began) == 4)
    assert served.began == ["first", "other", "second", "third"]
    assert until(lambda: queue.place_of("greedy", "compute") is None)


def test_memory_is_given_back_after_a_job_and_not_while_nothing_runs(served, monkeypatch):
    trimmed = threading.Event()
    monkeypatch.setattr(turns, "trim_memory", trimmed.set)
    monkeypatch.setattr(turns, "TRIM_S", 0.0)
    assert not trimmed.wait(2.5)
    served.listen("a")
    served.join("a", "first")
    assert trimmed.wait(60)
