"""Keeps the memory of long streams flat: blocks go back to the system, and garbage is collected between segments."""

from __future__ import annotations

import ctypes
import gc
import sys
from functools import cache
from typing import Any


@cache
def _trim() -> Any:
    """The C library's `malloc_trim`; None where there is none."""
    if not sys.platform.startswith("linux"):
        return None
    try:
        function = ctypes.CDLL(None).malloc_trim
    except (OSError, AttributeError):
        return None
    function.argtypes, function.restype = [ctypes.c_size_t], ctypes.c_int
    return function


def freeze() -> None:
    """Take all that is there now, packages and models, for permanent; garbage collection passes it over.

    Collections otherwise walk through every object of every package, and hold up a live stream for that long.
    """
    gc.collect()
    gc.freeze()


def release() -> None:
    """Return what is free; between segments.

    Models allocate blocks of ever other sizes, and the holes between them add up to some percent within an hour.
    Takes about a millisecond: a full collection, which also empties the interpreter's lists of free objects, is
    made only in a process that called `freeze`.
    """
    if gc.get_freeze_count():
        gc.collect()
    trim = _trim()
    if trim is not None:
        trim(0)
