"""Average Proportion (Cho and Esipova 2016)."""

from __future__ import annotations

from latency_metrics.base import Instance, Metric, NoValue


class AP(Metric):
    """Average Proportion: (Σ d_i) / (X · R), a ratio that may exceed 1.

    No value without times, when X is unknown or 0, or when R is 0.
    """

    name = "AP"
    unit = "ratio"

    def _value(self, instance: Instance) -> float:
        times = self.times(instance)
        source_length = self.source_length(instance)
        length = self.reference_length(instance)
        if length == 0:
            raise NoValue("its reference has no units")
        return sum(times) / (source_length * length)


class LongAP(AP):
    """AP of a resegmented long-form segment (LongAP in OmniSTEval); the formula is that of AP."""

    name = "LongAP"
