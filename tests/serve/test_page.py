"""What the page does as replicas answer or are lost, and how it is started."""

import dataclasses
import shutil
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from starlette.testclient import TestClient

from hyperdemo.config import SoundRequest
from hyperdemo.events import Heard
from hyperdemo.pipeline import ViewPipeline
from hyperdemo.scratch import PREFIX
from tests.pipeline.conftest import photo

ray = pytest.importorskip("ray", reason="needs Ray: pip install -r requirements-ray.txt")

from hyperdemo.serve import Serving  # noqa: E402
from hyperdemo.serve.__main__ import main, parse_arguments  # noqa: E402
from hyperdemo.serve.page import ServedSound, ServedView, asked, page_app  # noqa: E402
from tests.serve.crowd import clip, heard  # noqa: E402


def lost(events):
    """An answer that breaks off after its first sound."""
    for event in events:
        yield event
        if isinstance(event, Heard):
            raise ray.exceptions.ActorDiedError()


class Answer:
    """What Serve's handle returns: it can be iterated once, and cancelled."""

    def __init__(self, events):
        self.events, self.cancelled = events, False

    def __iter__(self):
        return iter(self.events)

    def cancel(self):
        self.cancelled = True


class Method:
    def __init__(self, *answers):
        self.answers, self.asked = list(answers), []

    def remote(self, *args, **options):
        self.asked.append(Answer(self.answers[len(self.asked)](*args, **options)))
        return self.asked[-1]


def test_where_a_replica_is_lost_another_one_goes_on(sounds):
    prepared, request = clip(0), SoundRequest()
    expected, _ = heard(sounds.listen(prepared, request))
    method = Method(lambda *args: lost(sounds.listen(*args)), sounds.listen)
    found, _ = heard(asked(method, prepared, request))
    assert len(method.asked) == 2
    np.testing.assert_array_equal(found["scratch"], expected["scratch"])


def test_the_page_has_a_scratch_folder_of_its_own(weights, monkeypatch):
    """In a thread, as Serve starts it, where no signals can be set."""
    monkeypatch.setattr(tempfile, "tempdir", tempfile.gettempdir())
    nobody = handle(view=None, listen=None, prepare=None)
    with ThreadPoolExecutor(1) as thread:
        app = thread.submit(
            page_app, nobody, weights=weights, examples=weights, n_at_once=100, warm=False
        ).result()
    assert Path(tempfile.gettempdir()).name.startswith(PREFIX)
    with TestClient(app, base_url="http://127.0.0.1") as client:
        assert client.get("/health").json()["models"][2:] == ["sound-foundation", "sound-scratch"]
    shutil.rmtree(tempfile.gettempdir())


def test_where_all_are_lost_the_page_computes_and_says_so(sounds):
    def nobody(*args, **options):
        raise ray.exceptions.ActorDiedError()
        yield

    served = ServedSound(sounds, handle(listen=Method(nobody, nobody, nobody)), n_at_once=2)
    found, device = heard(served.listen(clip(0), SoundRequest()))
    assert device.endswith("no worker was free") and len(found["scratch"]) == len(clip(0).own)


def test_a_mistake_is_not_asked_again(sounds):
    def mistaken():
        raise ray.exceptions.RayTaskError("listen", "traceback", ValueError("no such rate"))
        yield

    method = Method(mistaken, mistaken)
    with pytest.raises(ray.exceptions.RayTaskError):
        list(asked(method))
    assert len(method.asked) == 1


def test_who_leaves_cancels_what_was_asked(sounds):
    method = Method(sounds.listen)
    events = asked(method, clip(0), SoundRequest())
    next(events)
    events.close()
    assert method.asked[0].cancelled


def handle(**methods):
    """What Serve hands the page."""
    made = type("Handle", (), methods)()
    type(made).options = lambda self, stream: self
    return made


def test_a_picture_is_prepared_by_a_replica_or_at_home(weights):
    home = ViewPipeline.from_weights(weights, device="cpu")

    class Refuses:
        def remote(self, *args, **options):
            raise ray.exceptions.ActorDiedError()

    served = ServedView(home, handle(view=None, prepare=Refuses()), n_at_once=2)
    np.testing.assert_array_equal(served.prepare(photo()).framed, home.prepare(photo()).framed)
    with pytest.raises(ValueError, match="mask"):
        served.prepare(photo(), mask=np.zeros((2, 2), np.uint8))


def test_settings_are_checked():
    assert Serving.from_dict({"max_replicas": 3}).max_replicas == 3
    with pytest.raises(ValueError, match="1 ≤ min_replicas ≤ max_replicas"):
        Serving(min_replicas=3, max_replicas=2)
    with pytest.raises(ValueError, match="args must be among batch_wait_s"):
        Serving.from_dict({"replicas": 2})


def test_the_command_line_sets_what_there_is_to_set():
    settings = vars(parse_arguments(["--min-replicas", "2", "--max-replicas", "8",
                                     "--downscale-delay-s", "60", "--gpus", "0.5"]))  # fmt: skip
    assert {settings.pop(name) for name in ("host", "port", "address")} == {"127.0.0.1", 7860, None}
    assert Serving.from_dict(settings) == Serving(
        min_replicas=2, max_replicas=8, downscale_delay_s=60.0, gpus=0.5
    )
    left = {field.name for field in dataclasses.fields(Serving)} - set(settings)
    assert left == {"examples", "look_back_s", "batch_wait_s", "warm"}


def test_what_is_missing_is_said_in_one_line(tmp_path, monkeypatch, capsys):
    assert main(["--weights", str(tmp_path)]) == 2
    assert "no checkpoint view-foundation" in capsys.readouterr().err
    monkeypatch.setitem(sys.modules, "ray", None)
    assert main([]) == 2
    assert "pip install -r requirements-ray.txt" in capsys.readouterr().err
