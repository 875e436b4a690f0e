"""A stand-in for ZeroGPU's `spaces` that enforces its rules.

A decorated generator runs in a child process; what it takes and yields is pickled; the child is
killed when its time is over; and nothing else may touch CUDA, though torch says that it is there.
"""

import contextlib
import multiprocessing
import pickle
import threading
from collections.abc import Callable, Iterator
from unittest import mock

import gradio as gr
import torch

_IS_AVAILABLE = torch.cuda.is_available


class ZeroGpu:
    """What a Space sees of it.

    Args:
        method: "fork" as ZeroGPU does, or "spawn", where a child inherits nothing.
        items: number of yields after which the child's time is over; None for enough time.
        refusal: what asking for a GPU ends in; None for a grant.

    Attributes:
        declared: seconds that each call declared.
        children: those started.
    """

    def __init__(self, method="fork", *, items: int | None = None, refusal=None):
        self.context = multiprocessing.get_context(method)
        self.items, self.refusal = items, refusal
        self.declared: list[int] = []
        self.children: list[multiprocessing.process.BaseProcess] = []

    def GPU(self, task: Callable, *, duration: Callable[..., int]) -> Callable:  # noqa: N802
        def granted(*args, **kwargs) -> Iterator:
            self.declared.append(duration(*args, **kwargs))
            if self.refusal is not None:
                raise self.refusal
            here, there = self.context.Pipe(duplex=False)
            asked = pickle.dumps((task, args, kwargs))
            child = self.context.Process(target=_work, args=(there, asked), daemon=True)
            child.start()
            there.close()
            self.children.append(child)
            try:
                yield from self._received(here, child)
            finally:
                child.kill()
                child.join()

        return granted

    def _received(self, here, child) -> Iterator:
        n = 0
        while True:
            if n == self.items:
                child.kill()
                raise gr.Error("GPU task aborted", title="ZeroGPU worker error")
            kind, value = pickle.loads(here.recv_bytes())
            if kind == "raised":  # no more than the type of an exception comes across
                raise gr.Error(value, title="ZeroGPU worker error")
            if kind == "end":
                return
            yield value
            n += 1


def _work(there, asked: bytes) -> None:
    torch.set_num_threads(1)
    torch.cuda.is_available = _IS_AVAILABLE  # here the GPU is what torch says that it is

    def iterate() -> None:
        task, args, kwargs = pickle.loads(asked)
        try:
            for value in task(*args, **kwargs):
                there.send_bytes(pickle.dumps(("value", value)))
        except Exception as error:
            there.send_bytes(pickle.dumps(("raised", type(error).__name__)))
        there.send_bytes(pickle.dumps(("end", None)))

    # In a thread, as there: one that was forked may wait for threads which are no more.
    thread = threading.Thread(target=iterate)
    thread.start()
    thread.join()


@contextlib.contextmanager
def no_cuda_here() -> Iterator[None]:
    """Torch says that there is a GPU, and whoever touches it in this process is told off."""

    def touched(*_, **__):
        raise RuntimeError("CUDA was touched outside of a decorated function")

    with (
        mock.patch.object(torch.cuda, "is_available", lambda: True),
        mock.patch.object(torch.cuda, "_lazy_init", touched),
    ):
        yield
