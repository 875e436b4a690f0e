"""Clients of a served app that ask again and again, and compare each answer with the right one."""

import threading
import time

import numpy as np

from hyperdemo.config import SoundRequest
from hyperdemo.events import Done, Heard
from hyperdemo.media.audio import Clip
from hyperdemo.pipeline import SoundPipeline
from hyperdemo.preprocess.sound import prepare_sound
from hyperdemo.serve.page import ServedSound


def clip(seed, *, seconds=2.0):
    noise = 0.1 * np.random.default_rng(seed).normal(size=(1, round(16_000 * seconds)))
    return prepare_sound(Clip(noise.clip(-1, 1).astype(np.float32), 16_000, False, 1))


def heard(events):
    """The sound of each model, whose parts must follow each other; and what it was made on."""
    parts, device = {}, None
    for event in events:
        if isinstance(event, Heard):
            for name, samples in event.samples.items():
                own = parts.setdefault(name, [])
                assert event.start == sum(map(len, own)), "lost, or heard twice"
                own.append(samples)
        elif isinstance(event, Done):
            device = event.device
    return {name: np.concatenate(some) for name, some in parts.items()}, device


class Counted:
    """A handle of replicas that counts how often they are asked to listen."""

    def __init__(self, handle):
        self._asked, self._listen = [], handle.options(stream=True).listen

    def options(self, stream):
        return self

    @property
    def n_asked(self):
        return len(self._asked)

    @property
    def listen(self):
        return self

    def remote(self, *args, **options):
        self._asked.append(1)  # by many threads
        return self._listen.remote(*args, **options)


class Crowd:
    """Clients with a sound each, until the block ends and their last answers have come.

    Args:
        weights: folder of the models.
        n: clients.
        seconds: of each sound. An answer to one of 20 s takes seconds, where all ask.

    Attributes:
        n_answers: that came.
        wrong: what was wrong with answers.
        n_at_home: answers that the page had to compute, since no replica did.
        n_again: times that a replica was asked again, since another one was lost.
    """

    def __init__(self, weights, *, n, seconds=2.0):
        from ray import serve

        self.n_answers, self.n_at_home, self.wrong = 0, 0, []
        sounds = SoundPipeline.from_weights(weights, device="cpu")
        asked = [clip(seed, seconds=seconds) for seed in range(n)]
        # Before anybody asks: many threads of it would hold up what Ray has to do in this process.
        self._pairs = [(one, heard(sounds.listen(one, SoundRequest()))[0]) for one in asked]
        self._handle = Counted(serve.get_deployment_handle("Replica", "hyperdemo"))
        self._served = ServedSound(sounds, self._handle, n_at_once=n)
        self._under_way = set()
        self._ended, self._counting = threading.Event(), threading.Lock()
        self._clients = [threading.Thread(target=self._ask, args=(seed,)) for seed in range(n)]

    @property
    def n_again(self):
        return self._handle.n_asked - self.n_answers

    def wait_for_more(self, n):
        """Wait until so many more answers have come."""
        before = self.n_answers
        wait_until(lambda: self.n_answers >= before + n)

    @property
    def n_under_way(self):
        """Answers of which some sound was heard, and most is still to come.

        A replica answers only so many at once. Where more are under way, it is not alone in this.
        """
        return len(self._under_way)

    def __enter__(self):
        for client in self._clients:
            client.start()
        return self

    def __exit__(self, *error):
        self._ended.set()
        for client in self._clients:
            client.join()

    def _followed(self, seed, events, n_samples):
        """The same events, of which is noted how far they are."""
        try:
            for event in events:
                if isinstance(event, Heard):
                    early = event.start < n_samples / 2
                    (self._under_way.add if early else self._under_way.discard)(seed)
                yield event
        finally:
            self._under_way.discard(seed)

    def _ask(self, seed):
        asked, expected = self._pairs[seed]
        while not self._ended.is_set():
            device = None
            try:
                events = self._served.listen(asked, SoundRequest())
                found, device = heard(self._followed(seed, events, len(asked.own)))
                for name, samples in expected.items():
                    np.testing.assert_allclose(found[name], samples, atol=1e-4)
            except Exception as error:
                self.wrong.append(f"client {seed}: {error!r}"[:300])
            with self._counting:
                self.n_answers += 1
                self.n_at_home += device != "CPU, 1 threads"  # the page's own words are longer


def n_replicas():
    """How many there are of the models, as Ray Serve says."""
    from ray import serve

    app = serve.status().applications["hyperdemo"]
    return app.deployments["Replica"].replica_states.get("RUNNING", 0)


def wait_until(true, *, timeout_s=500.0):
    ends = time.monotonic() + timeout_s
    while not true():
        assert time.monotonic() < ends, "waited too long"
        time.sleep(0.05)
