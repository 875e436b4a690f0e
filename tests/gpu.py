"""A GPU's stand-in on a machine without one.

Its tensors hold a CPU tensor and say that they are elsewhere. An operation that mixes them with
tensors on the CPU fails as it does on a GPU, and so does `.numpy()`; all others give the CPU's
results. The device is called "meta", the only one that torch knows here but for the CPU.
"""

import contextlib
from unittest import mock

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map_only

DEVICE = torch.device("meta")
_MOVES = {
    torch.ops.aten._to_copy.default, torch.ops.aten.copy_.default, torch.ops.aten.to.device,
    torch.ops.aten.to.dtype_layout,
}  # fmt: skip


class _Elsewhere(torch.Tensor):
    @staticmethod
    def __new__(cls, inner):
        with torch.inference_mode(False):
            return torch.Tensor._make_wrapper_subclass(
                cls, inner.shape, strides=inner.stride(), storage_offset=inner.storage_offset(),
                dtype=inner.dtype, device=DEVICE, requires_grad=inner.requires_grad,
            )  # fmt: skip

    def __init__(self, inner):
        self.inner = inner

    def __repr__(self):
        return f"elsewhere: {self.inner!r}"

    def tolist(self):
        return self.inner.tolist()

    def __reduce_ex__(self, protocol):
        return self.inner.__reduce_ex__(protocol)

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        return _run(func, args, kwargs or {})


class _Mode(TorchDispatchMode):
    """Sees what is made on the device from nothing, or moved to it."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        return _run(func, args, kwargs or {})


def _run(func, args, kwargs):
    tensors = [t for t in tree_leaves((args, kwargs)) if isinstance(t, torch.Tensor)]
    known = {id(getattr(t, "inner", t)): t for t in tensors}  # what is changed in place stays it
    there = any(isinstance(t, _Elsewhere) for t in tensors)
    # Single numbers may come from the CPU on a GPU too.
    strangers = [t for t in tensors if t.ndim and not isinstance(t, _Elsewhere)]
    if there and strangers and func not in _MOVES:
        raise RuntimeError(f"Expected all tensors to be on the same device, in {func}")
    # A device is a keyword in most operations; in inference mode `Tensor.to` has it among others.
    if wanted := [one for one in tree_leaves((args, kwargs)) if isinstance(one, torch.device)]:
        there = wanted[0] == DEVICE
        args, kwargs = tree_map_only(torch.device, lambda _: torch.device("cpu"), (args, kwargs))
    args, kwargs = tree_map_only(_Elsewhere, lambda t: t.inner, (args, kwargs))
    out = func(*args, **kwargs)
    if not there:
        return out
    return tree_map_only(
        torch.Tensor, lambda t: known[id(t)] if id(t) in known else _Elsewhere(t), out
    )


@contextlib.contextmanager
def stand_in():
    """Within it there is such a device, with the CPU's random streams and autocast."""
    generator, autocast = torch.Generator, torch.autocast

    def autocast_as_on_cpu(_, *more, **options):
        return autocast("cpu", *more, **options)

    with (
        mock.patch.object(torch, "Generator", lambda device="cpu": generator()),
        mock.patch.object(torch, "autocast", autocast_as_on_cpu),
        mock.patch("torch.optim.optimizer._get_fused_kernels_supported_devices", lambda: ["meta"]),
        _Mode(),
    ):
        yield DEVICE
