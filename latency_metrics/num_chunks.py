"""NumChunks: how many times something was emitted (SimulEval)."""

from __future__ import annotations

from latency_metrics.base import Instance, Metric


class NumChunks(Metric):
    """Number of times: audio chunks of speech output, *words* of text output (despite the name)."""

    name = "NumChunks"
    unit = "count"

    def _value(self, instance: Instance) -> float:
        return len(self.times(instance))
