"""Figures of one scored run."""

from __future__ import annotations

from collections.abc import Mapping

from latency_metrics.report import Report
from latency_metrics.reports.document import Figure
from latency_metrics.reports.resampling import Interval
from latency_metrics.reports.statistics import Statistic


def figures(
    report: Report, statistics: Mapping[str, Statistic], intervals: Mapping[str, Interval]
) -> list[Figure]:
    return []
