"""StartOffset: when the output begins (SimulEval)."""

from __future__ import annotations

from latency_metrics.base import Instance, Metric


class StartOffset(Metric):
    """d_0 in ms (source tokens for text input)."""

    name = "StartOffset"

    def _value(self, instance: Instance) -> float:
        return self.times(instance)[0]
