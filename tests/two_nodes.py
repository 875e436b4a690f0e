"""Two Ray nodes on this machine, in place of two machines, of which one is lost.

    python -m tests.two_nodes train FOLDER
    python -m tests.two_nodes serve FOLDER        # of checkpoints, and for what is found

The tests run it in a process of its own, since Ray may run in theirs.
"""

import functools
import json
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import ray
import torch
from ray.cluster_utils import Cluster

from hyperdemo.serve import application
from tests.serve.crowd import Crowd, n_replicas, wait_until
from tests.train import scenes
from train.cluster.runtime import spread, start_ray
from train.cluster.training import train_together
from train.view.task import ViewTask

ROOM = {"object_store_memory": 80_000_000}


@contextmanager
def first_node():
    """A cluster of one node with one core, which this process has joined as `train.cluster` does.

    Nodes come and go in this thread, the main one: Ray sets signals for each.
    """
    first = {"num_cpus": 1, "include_dashboard": False, **ROOM}
    cluster = Cluster(initialize_head=True, head_node_args=first)
    os.environ["RAY_ADDRESS"] = cluster.address
    try:
        start_ray()
        yield cluster
    finally:
        ray.shutdown()
        cluster.shutdown()


def here(_, folder):
    """The node that this process belongs to, once there are processes of two."""
    node = ray.get_runtime_context().get_node_id()
    (folder / f"task {node}").touch()
    wait_until(lambda: len(list(folder.glob("task *"))) == 2)
    return node


class LostOnce(ViewTask):
    """Notes where it is; in its third step on the node to be lost it waits for that."""

    def __init__(self, *args, folder, lost, **kwargs):
        super().__init__(*args, **kwargs)
        self.folder, self.calls, self.node = folder, 0, ray.get_runtime_context().get_node_id()
        self.lost = self.node == lost

    def loss(self, model, *, generator):
        self.calls += 1
        (self.folder / f"node {self.node}").touch()
        if self.lost and self.calls == 3:
            (self.folder / "waits").touch()
            time.sleep(1e6)
        return super().loss(model, generator=generator)


def load(config, *, device, folder, lost):
    views = scenes.views_of()
    return LostOnce(config, views, views, device=device, folder=folder, lost=lost)


def train(folder):
    """Two workers, one on each node; the second node is lost in mid-run and another comes."""
    config = scenes.train_config(
        steps=5, batch=4, lr_heads=1e-2, eval_every=1, save_minutes=0.0, clip=100.0
    )
    with first_node() as cluster, ThreadPoolExecutor(1) as thread:
        second = cluster.add_node(num_cpus=1, **ROOM)
        where = functools.partial(here, folder=folder)
        found = {"tasks": sorted({node for _, node in spread(where, range(6))})}
        training = thread.submit(
            train_together, config, functools.partial(load, folder=folder, lost=second.node_id),
            out=folder, device=torch.device("cpu"), workers=2, command="",
        )  # fmt: skip
        wait_until(lambda: (folder / "waits").exists() or training.done())
        cluster.remove_node(second, allow_graceful=False)
        cluster.add_node(num_cpus=1, **ROOM)
        found["steps"], _ = training.result()
    found["workers"] = sorted(path.name.split()[1] for path in folder.glob("node *"))
    (folder / "found.json").write_text(json.dumps(found))


def more_answers(crowd, n):
    """Wait until so many more have come."""
    before = crowd.n_answers
    wait_until(lambda: crowd.n_answers >= before + n)


def serve(folder):
    """One replica; with visitors another one, on the node that has room, which is then lost."""
    from ray import serve as ray_serve

    with first_node() as cluster:
        ray_serve.start(proxy_location="Disabled")  # one port cannot be two machines'
        args = {
            "weights": str(folder), "examples": str(folder), "device": "cpu", "warm": False,
            "max_replicas": 2, "requests": 2, "cpus": 0.5, "page_cpus": 0.5, "upscale_delay_s": 0,
        }  # fmt: skip
        ray_serve.run(application(args), name="hyperdemo")
        second = cluster.add_node(num_cpus=1, **ROOM)
        with Crowd(folder, n=16) as before:
            wait_until(lambda: n_replicas() == 2)
            more_answers(before, 32)  # both have answered
        with Crowd(folder, n=6, seconds=60.0) as meanwhile:
            wait_until(lambda: meanwhile.n_under_way > args["requests"])  # so both are answering
            cluster.remove_node(second, allow_graceful=False)
        with Crowd(folder, n=16) as after:
            more_answers(after, 48)
        crowds = (before, meanwhile, after)
        found = {
            "answers": sum(crowd.n_answers for crowd in crowds),
            "wrong": [words for crowd in crowds for words in crowd.wrong],
            "again": meanwhile.n_again, "at_home": sum(crowd.n_at_home for crowd in crowds),
        }  # fmt: skip
        ray_serve.shutdown()
    (folder / "found.json").write_text(json.dumps(found))


if __name__ == "__main__":
    {"train": train, "serve": serve}[sys.argv[1]](Path(sys.argv[2]))
