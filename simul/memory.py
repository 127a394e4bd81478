"""Keeps the memory of long streams flat: blocks go back to the system, and garbage is collected between segments."""

from __future__ import annotations

import ctypes
import gc
import sys
from functools import cache
from typing import Any

MMAP_THRESHOLD = -3
"""glibc's M_MMAP_THRESHOLD."""
LARGE = 1 << 16
"""Bytes from which a block is a mapping of its own, which is given back when it is freed."""


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


def return_large_blocks() -> None:
    """Give large blocks back to the system as soon as they are freed, in the whole process from now on.

    The C library would come to keep blocks of up to 32 MiB, and the holes between blocks of ever other sizes make a
    stream grow for an hour. For models with small buffers, which this slows by less than can be measured.
    """
    mallopt = _function("mallopt", ctypes.c_int, ctypes.c_int)
    if mallopt is not None:
        mallopt(MMAP_THRESHOLD, LARGE)


def freeze() -> None:
    """Take all that is there now, packages and models, for permanent; garbage collection passes it over.

    Collections otherwise walk through every object of every package, and hold up a live stream for that long.
    """
    gc.collect()
    gc.freeze()


def release() -> None:
    """Return what is free; between segments.

    Takes about a millisecond: a full collection, which also empties the interpreter's lists of free objects, is
    made only in a process that called `freeze`.
    """
    if gc.get_freeze_count():
        gc.collect()
    trim = _function("malloc_trim", ctypes.c_size_t)
    if trim is not None:
        trim(0)
