"""How figures are spread: median, 95th percentile and maximum, as benchmarks report times."""

from __future__ import annotations

from collections.abc import Sequence

from latency_metrics.quantiles import quantiles


def spread(values: Sequence[float]) -> dict[str, float]:
    """p50, p95 and the largest of `values`, in their unit, to four decimals."""
    p50, p95, largest = quantiles(values, 0.5, 0.95, 1.0)
    return {"p50": round(p50, 4), "p95": round(p95, 4), "max": round(largest, 4)}
