"""Two Ray nodes on this machine, in place of two machines, of which one is lost.

    python -m tests.two_nodes FOLDER        # of checkpoints, and for what is found

The tests run it in a process of its own, since Ray may run in theirs.
"""

import json
import os
import sys
from contextlib import contextmanager
from pathlib import Path

import ray
from ray.cluster_utils import Cluster

from hyperdemo.serve import application
from tests.serve.crowd import Crowd, n_replicas, wait_until
from train.cluster.runtime import start_ray

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
    serve(Path(sys.argv[1]))
