"""Memory that is free goes back to the system, also where what is behind it stays."""

import ctypes
import sys
from pathlib import Path

import pytest

from hyperdemo.ui import memory
from hyperdemo.ui.memory import trim_memory

BLOCKS, BLOCK_BYTES = 2000, 100_000  # small enough to come from an arena


def resident_bytes():
    return 4096 * int(Path("/proc/self/statm").read_text().split()[1])


@pytest.mark.skipif(
    not sys.platform.startswith("linux") or not hasattr(ctypes.CDLL(None), "malloc_trim"),
    reason="only glibc keeps memory so",
)
def test_what_lies_free_in_an_arena_is_given_back():
    libc = ctypes.CDLL(None)
    libc.malloc.restype, libc.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
    libc.free.argtypes = [ctypes.c_void_p]
    blocks = [libc.malloc(BLOCK_BYTES) for _ in range(BLOCKS)]
    for block in blocks:
        ctypes.memset(block, 1, BLOCK_BYTES)
    full = resident_bytes()
    for block in blocks[:-1]:
        libc.free(block)
    kept = resident_bytes()
    given = trim_memory()
    trimmed = resident_bytes()
    libc.free(blocks[-1])
    assert full - kept < 0.1 * BLOCKS * BLOCK_BYTES, "this allocator needs not to be told"
    assert given and kept - trimmed > 0.8 * BLOCKS * BLOCK_BYTES


def test_elsewhere_nothing_happens(monkeypatch):
    monkeypatch.setattr(memory.ctypes, "CDLL", lambda name: object())
    assert not trim_memory()
