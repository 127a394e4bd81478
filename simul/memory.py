"""Gives freed memory back to the system, which the C library otherwise keeps in pieces."""

from __future__ import annotations

import ctypes
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


def release() -> None:
    """Return what is free. Takes less than a millisecond; between segments, so that long streams stay flat.

    Models allocate blocks of ever other sizes, and the holes between them add up to some percent within an hour.
    """
    trim = _trim()
    if trim is not None:
        trim(0)
