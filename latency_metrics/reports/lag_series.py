"""Lag of single units as series for figures: pooled, and over the time of each recording."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from latency_metrics.base import Clock, Instance
from latency_metrics.laal import LAAL
from latency_metrics.quantiles import quantiles
from latency_metrics.units import LatencyUnit
from latency_metrics.word_lag import lags_of


@dataclass(frozen=True)
class LagBin:
    """Units shown within a stretch of a recording.

    Attributes:
        time: middle of the stretch, seconds.
        low, median, high: 10th, 50th and 90th percentile of their lag, seconds.
        count: units.
    """

    time: float
    low: float
    median: float
    high: float
    count: int


def pooled_lags(instances: Sequence[Instance], clock: Clock, unit: LatencyUnit) -> list[float]:
    """d_i − i/γ_max in seconds of every unit of every instance that has a lag."""
    metric = LAAL(clock=clock, latency_unit=unit)
    return [lag / 1000 for instance in instances for lag in lags_of(metric, instance)]


def lag_points(instances: Sequence[Instance], clock: Clock, unit: LatencyUnit) -> list[tuple[float, float]]:
    """(time in the recording at which a unit was due, its lag), seconds, in the order of the instances."""
    metric = LAAL(clock=clock, latency_unit=unit)
    points = []
    for instance in instances:
        times = instance.times(clock) or ()
        for time, lag in zip(times, lags_of(metric, instance), strict=False):
            points.append(((instance.offset + time - lag) / 1000, lag / 1000))
    return points


def binned(points: Sequence[tuple[float, float]], width: float) -> list[LagBin]:
    """Points gathered in stretches of `width` seconds; empty stretches are left out."""
    groups: dict[int, list[float]] = {}
    for time, lag in points:
        groups.setdefault(math.floor(time / width), []).append(lag)
    bins = []
    for number, values in sorted(groups.items()):
        low, median, high = quantiles(values, 0.1, 0.5, 0.9)
        bins.append(LagBin((number + 0.5) * width, low, median, high, len(values)))
    return bins
