"""Latency and quality metrics of simultaneous translation, with the log formats of the field."""

from latency_metrics.al import AL, LongAL
from latency_metrics.base import Instance, Metric, Notice, Score, StreamStats
from latency_metrics.errors import LogFormatError, MatchError, MetricsError
from latency_metrics.laal import LAAL, LongLAAL
from latency_metrics.long_yaal import LongYAAL
from latency_metrics.yaal import YAAL

__all__ = [
    "AL",
    "LAAL",
    "YAAL",
    "Instance",
    "LogFormatError",
    "LongAL",
    "LongLAAL",
    "LongYAAL",
    "MatchError",
    "Metric",
    "MetricsError",
    "Notice",
    "Score",
    "StreamStats",
]
