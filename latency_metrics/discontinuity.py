"""Silences inside speech output: DiscontinuitySum, DiscontinuityAve and DiscontinuityNum (SimulEval)."""

from __future__ import annotations

from latency_metrics.base import Instance, Metric
from latency_metrics.timeline import silences_of


class DiscontinuitySum(Metric):
    """Total silence between chunks of speech output, ms; the clock makes no difference."""

    name = "DiscontinuitySum"

    def _value(self, instance: Instance) -> float:
        return sum(silences_of(instance))


class DiscontinuityAve(Metric):
    """Mean silence between chunks of speech output, ms; 0 when there is none."""

    name = "DiscontinuityAve"

    def _value(self, instance: Instance) -> float:
        silences = silences_of(instance)
        return sum(silences) / len(silences) if silences else 0.0


class DiscontinuityNum(Metric):
    """Number of silences between chunks of speech output."""

    name = "DiscontinuityNum"
    unit = "count"

    def _value(self, instance: Instance) -> float:
        return len(silences_of(instance))
