"""Average Lagging (Ma et al. 2019, "STACL"), in the form of SimulEval and OmniSTEval."""

from __future__ import annotations

from latency_metrics.base import Instance, Metric, NoValue
from latency_metrics.lagging import until_source_end


class AL(Metric):
    """Average Lagging in ms (source tokens for text input).

    AL = mean over i = 0..τ of (d_i − i/γ_R), γ_R = R/X, where τ is the first index with d_τ ≥ X (included),
    or the last unit. d_0 when d_0 > X. No value without times, when X is unknown or 0, or when R is 0.
    """

    name = "AL"

    def _value(self, instance: Instance) -> float:
        times = self.times(instance)
        if self.edge == "simuleval" and instance.source_length == 0 and times[0] > 0:
            return times[0]
        source_length = self.source_length(instance)
        if times[0] > source_length:
            return times[0]
        length = self._length(instance, len(times))
        if length == 0:
            raise NoValue("its reference has no units")
        return until_source_end(times, length / source_length, source_length)

    def _length(self, instance: Instance, units: int) -> int:
        """Number of units that the ideal translation spreads over the source."""
        return self.reference_length(instance)


class LongAL(AL):
    """AL of a resegmented long-form segment (LongAL in OmniSTEval); the formula is that of AL."""

    name = "LongAL"
