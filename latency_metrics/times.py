"""Times that a user hands in: lists, or arrays of any library, as numbers that can be computed with."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from latency_metrics.errors import MetricsError

_LARGEST = 1e15
"""Milliseconds beyond this, 30,000 years, are no times, and sums of them overflow."""


def checked_times(values: Any, what: str) -> Sequence[float]:
    """`values` as a list of finite numbers; a list or tuple of such is returned itself.

    what: what they are and whose, such as "The delays of instance 3", for messages.

    Raises:
        MetricsError: they are not numbers, not finite, or no vector.
    """
    if not isinstance(values, (list, tuple)):
        values = _listed(values, what)
    for place, value in enumerate(values, 1):
        if not _finite(value):
            raise MetricsError(f"{what}: number {place} is {value!r:.60}; give finite numbers.")
    exact = all(not isinstance(value, np.generic) for value in values)
    return values if exact else [float(value) for value in values]


def checked_time(value: Any, what: str) -> float:
    """One finite number.

    Raises:
        MetricsError: it is none.
    """
    if not _finite(value):
        raise MetricsError(f"{what} is {value!r:.60}; give a finite number.")
    return float(value)


def _finite(value: Any) -> bool:
    try:
        return -_LARGEST <= value <= _LARGEST and math.isfinite(value)
    except (TypeError, ValueError, OverflowError, RuntimeError):
        return False


def _masked(values: Any) -> bool:
    return isinstance(values, np.ma.MaskedArray) and bool(np.ma.getmaskarray(values).any())


def _listed(values: Any, what: str) -> list[float]:
    try:
        array = np.asarray(values)
    except Exception:  # whatever another library raises
        raise MetricsError(f"{what} are a {type(values).__name__}; give a list of numbers.") from None
    if array.ndim != 1 or array.dtype.kind not in "fiub" or _masked(values):
        told = (
            f"an array of shape {array.shape} and type {array.dtype}"
            if hasattr(values, "__array__") and array.ndim
            else f"a {type(values).__name__}"
        )
        raise MetricsError(f"{what} are {told}; give a list of numbers, one for each unit.")
    listed: list[float] = array.tolist()
    return listed
