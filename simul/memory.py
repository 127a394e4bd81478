"""Keeps the memory of long streams flat; whoever hosts the process decides when free blocks go back to the system."""

from __future__ import annotations

import ctypes
import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from simul.units import SAMPLE_RATE

ALLOCATOR = {-8: 1, -3: 1 << 19, -1: 1 << 26}
"""glibc's settings for small models: one arena; blocks from 512 KiB on are mappings of their own, which leave no holes;
up to 64 MiB that are free at the heap's end stay until `release`, since giving them back at once costs time."""

FILL_NEW_BLOCKS = -6
"""glibc's setting (M_PERTURB) by which every block that is allocated is written to at once."""


@cache
def _function(name: str, *arguments: Any) -> Any:
    """A function of the C library that takes `arguments` and returns an int; None where there is none."""
    if not sys.platform.startswith("linux"):
        return None
    try:
        function = getattr(ctypes.CDLL(None), name)
    except (OSError, AttributeError):
        return None
    function.argtypes, function.restype = arguments, ctypes.c_int
    return function


def settle_allocator() -> None:
    """Make the C library allocate for small models from now on, in the whole process."""
    mallopt = _function("mallopt", ctypes.c_int, ctypes.c_int)
    if mallopt is not None:
        for setting, value in ALLOCATOR.items():
            mallopt(setting, value)


@contextmanager
def tables_in_memory() -> Iterator[None]:
    """Within, a table that is allocated takes its memory at once, and not page by page while a stream fills it.

    For tables as large as will ever be needed: with them, memory says at the start what a stream is going to take.
    """
    mallopt = _function("mallopt", ctypes.c_int, ctypes.c_int)
    if mallopt is None:
        yield
        return
    mallopt(FILL_NEW_BLOCKS, 1)
    try:
        yield
    finally:
        mallopt(FILL_NEW_BLOCKS, 0)


def freeze() -> None:
    """Take all that is there now, packages and models, for permanent; garbage collection passes it over.

    Collections otherwise walk through every object of every package, and hold up a live stream for that long.
    """
    gc.collect()
    gc.freeze()


class Housekeeping:
    """For the host of a process, such as a command: gives free memory back while streams run, every `every` samples.

    Models allocate blocks of ever other sizes, and the holes between them add up to some percent within an hour.
    Giving back takes a few milliseconds: a full collection, which also empties the interpreter's lists of free
    objects, is made only in a process that called `freeze`.
    """

    def __init__(self, every: int = 10 * SAMPLE_RATE) -> None:
        self._every, self._done = every, 0

    def heard(self, samples: int) -> None:
        """A stream is at this sample."""
        if not self._done <= samples < self._done + self._every:
            self._done = samples
            release()


def release() -> None:
    """Collect garbage and return free blocks to the system."""
    if gc.get_freeze_count():
        gc.collect()
    give_back = _function("malloc_trim", ctypes.c_size_t)
    if give_back is not None:
        give_back(0)
