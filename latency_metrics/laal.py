"""Length-Adaptive Average Lagging (Polák et al. 2022; Papi et al. 2022)."""

from __future__ import annotations

from latency_metrics.al import AL
from latency_metrics.base import Instance


class LAAL(AL):
    """Length-Adaptive Average Lagging in ms (source tokens for text input).

    AL with γ_max = max(R, H)/X in place of γ_R, so that a system gains nothing by saying more than the
    reference. No value without times, or when X is unknown or 0.
    """

    name = "LAAL"

    def _length(self, instance: Instance, units: int) -> int:
        return max(self.reference_length(instance), units)


class LongLAAL(LAAL):
    """LAAL of a resegmented long-form segment (LongLAAL in OmniSTEval); the formula is that of LAAL."""

    name = "LongLAAL"
