"""Mean distance of emission times from an ideal, even translation: the sum that AL, LAAL and YAAL share."""

from __future__ import annotations

from collections.abc import Sequence

from latency_metrics.base import NoValue


def until_source_end(times: Sequence[float], gamma: float, source_length: float) -> float:
    """Mean of d_i − i/γ up to and including the first unit at or after the end of the source (AL, LAAL).

    Args:
        times: d_i, not empty.
        gamma: γ, units per time.
        source_length: X.

    Returns:
        d_0 when d_0 > X, the mean otherwise.
    """
    if times[0] > source_length:
        return times[0]
    total = 0.0
    for i, time in enumerate(times):
        total += time - i / gamma
        if time >= source_length:
            break
    return total / (i + 1)


def before_limit(times: Sequence[float], gamma: float, limit: float) -> float:
    """Mean of d_i − i/γ over the longest prefix of units strictly before `limit` (YAAL, LongYAAL).

    Raises:
        NoValue: the first unit is at or after the limit.
    """
    total = 0.0
    count = 0
    for i, time in enumerate(times):
        if time >= limit:
            break
        total += time - i / gamma
        count += 1
    if count == 0:
        raise NoValue(f"its first unit, at {times[0]:.10g}, is not before the end, at {limit:.10g}")
    return total / count
