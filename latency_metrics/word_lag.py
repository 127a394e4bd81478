"""Lag of single units: median, 95th percentile, maximum, and growth over a recording."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

from latency_metrics.base import Instance, Metric, Notice, NoValue, Score, describe, mean
from latency_metrics.quantiles import quantiles


def lags(metric: Metric, instance: Instance) -> list[float]:
    """d_i − i/γ_max of every unit of an instance, none left out, in ms.

    Raises:
        NoValue: no times, or X is unknown or 0.
    """
    times = metric.times(instance)
    source_length = metric.source_length(instance)
    gamma = max(metric.reference_length(instance), len(times)) / source_length
    return [time - i / gamma for i, time in enumerate(times)]


def lags_of(metric: Metric, instance: Instance) -> list[float]:
    """`lags`, empty where an instance has none."""
    try:
        return lags(metric, instance)
    except NoValue:
        return []


class _LagQuantile(Metric):
    """A quantile of the lag of single units, pooled over the corpus.

    The lag of unit i is d_i − i/γ_max, the term that LAAL and YAAL average. All units count, those after the
    end of the source too: nothing can leave the distribution by being late.
    """

    q: ClassVar[float]

    def _value(self, instance: Instance) -> float:
        return quantiles(lags(self, instance), self.q)[0]

    def corpus(self, instances: Iterable[Instance]) -> Score:
        """Quantile over all units of the corpus (not the mean over instances)."""
        return _pooled([self], instances)[0]


def _pooled(metrics: Sequence[_LagQuantile], instances: Iterable[Instance]) -> list[Score]:
    """The scores of metrics with the same options, in one pass over the corpus."""
    shares = [metric.q for metric in metrics]
    pooled: list[float] = []
    values: list[Sequence[float | None]] = []
    notices: list[Notice] = []
    for instance in instances:
        found: list[float] = []
        try:
            found = lags(metrics[0], instance)
        except NoValue as reason:
            notices.append(Notice(describe(instance), f"skipped, {reason}"))
        pooled += found
        values.append(quantiles(found, *shares) if found else [None] * len(shares))
    return [
        metric._score(whole, [row[i] for row in values], list(notices))
        for i, (metric, whole) in enumerate(zip(metrics, quantiles(pooled, *shares), strict=True))
    ]


class LagMedian(_LagQuantile):
    """Median lag of single units over the corpus, ms."""

    name = "LagP50"
    q = 0.5


class LagP95(_LagQuantile):
    """95th percentile of the lag of single units over the corpus, ms."""

    name = "LagP95"
    q = 0.95


class LagMax(_LagQuantile):
    """Largest lag of a single unit over the corpus, ms."""

    name = "LagMax"
    q = 1.0


def lag_quantiles(instances: Iterable[Instance], **options: Any) -> list[Score]:
    """LagP50, LagP95 and LagMax in one pass over the corpus; `options` are those of `Metric`."""
    return _pooled([LagMedian(**options), LagP95(**options), LagMax(**options)], instances)


class LagSlope(Metric):
    """Growth of the lag over a recording in seconds of lag per second of source.

    Least-squares slope of the lag of single units against their ideal time in the recording (segment offset +
    i/γ_max). 0 for a system that keeps pace; above 0 it falls behind for good. Instances of one `recording`
    are taken together; an instance without a recording stands alone. Corpus value: mean over recordings.
    """

    name = "LagSlope"
    unit = "s/s"
    per = "recording"

    def _value(self, instance: Instance) -> float:
        return _slope(self._points(instance))

    def _points(self, instance: Instance) -> list[tuple[float, float]]:
        times = self.times(instance)
        return [
            (instance.offset + time - lag, lag) for time, lag in zip(times, lags(self, instance), strict=True)
        ]

    def corpus(self, instances: Iterable[Instance]) -> Score:
        """Mean over recordings; `Score.values` has one value per recording, in order of appearance."""
        points: dict[tuple[str, int], list[tuple[float, float]]] = {}
        notices: list[Notice] = []
        for number, instance in enumerate(instances):
            named = instance.recording is not None
            key = (str(instance.recording), -1) if named else (str(instance.index), number)
            group = points.setdefault(key, [])
            try:
                group.extend(self._points(instance))
            except NoValue as reason:
                notices.append(Notice(describe(instance), f"skipped, {reason}"))
        values: list[float | None] = []
        for (name, _), group in points.items():
            try:
                values.append(_slope(group))
            except NoValue as reason:
                values.append(None)
                notices.append(Notice(f"recording {name}", f"no slope, {reason}"))
        return self._score(mean(value for value in values if value is not None), values, notices)


def _slope(points: Sequence[tuple[float, float]]) -> float:
    """Least-squares slope of y over x.

    Raises:
        NoValue: fewer than two different x.
    """
    if not points:
        raise NoValue("it has no units")
    x_mean = mean(x for x, _ in points)
    y_mean = mean(y for _, y in points)
    spread = math.fsum((x - x_mean) ** 2 for x, _ in points)
    if spread == 0:
        raise NoValue("all its units have the same ideal time")
    return math.fsum((x - x_mean) * (y - y_mean) for x, y in points) / spread
