"""Yet Another Average Lagging (Polák, Papi, Bentivogli, Bojar 2025, arXiv 2509.17349), short form."""

from __future__ import annotations

from latency_metrics.base import Instance, Metric
from latency_metrics.lagging import before_limit


class YAAL(Metric):
    """YAAL in ms.

    Mean of (d_i − i/γ_max) over the longest prefix of units with d_i strictly below X; γ_max = max(R, H)/X
    counts all units, those after the cut too. No value when the first unit is at or after the end of the
    source, without times, or when X is unknown or 0.
    """

    name = "YAAL"

    def _value(self, instance: Instance) -> float:
        times = self.times(instance)
        source_length = self.source_length(instance)
        gamma = max(self.reference_length(instance), len(times)) / source_length
        return before_limit(times, gamma, self._limit(instance, source_length))

    def _limit(self, instance: Instance, source_length: float) -> float:
        """Time at and after which units are not counted."""
        return source_length
