"""Differentiable Average Lagging (Arivazhagan et al. 2019; Cherry and Foster 2019)."""

from __future__ import annotations

from latency_metrics.base import Instance, Metric


class DAL(Metric):
    """Differentiable Average Lagging in ms (source tokens for text input).

    Mean over all i of (g_i − i/γ_H), g_0 = d_0, g_i = max(d_i, g_{i−1} + 1/γ_H), γ_H = H/X: every unit costs
    its share of the source. The reference length does not enter. No value without times, or when X is
    unknown or 0.
    """

    name = "DAL"

    def _value(self, instance: Instance) -> float:
        times = self.times(instance)
        gamma = len(times) / self.source_length(instance)
        total = 0.0
        paced = 0.0
        for i, time in enumerate(times):
            paced = time if i == 0 else max(time, paced + 1 / gamma)
            total += paced - i / gamma
        return total / len(times)


class LongDAL(DAL):
    """DAL of a resegmented long-form segment (LongDAL in OmniSTEval); the formula is that of DAL."""

    name = "LongDAL"
