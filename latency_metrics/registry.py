"""Every metric under its published name, and the sets that reports are made of."""

from __future__ import annotations

from latency_metrics.al import AL, LongAL
from latency_metrics.ap import AP, LongAP
from latency_metrics.atd import ATD
from latency_metrics.base import Metric
from latency_metrics.dal import DAL, LongDAL
from latency_metrics.discontinuity import DiscontinuityAve, DiscontinuityNum, DiscontinuitySum
from latency_metrics.end_offset import EndOffset
from latency_metrics.erasure import NormalizedErasure, PrefixErasure
from latency_metrics.errors import MetricsError
from latency_metrics.first_text import FirstTextDelay
from latency_metrics.laal import LAAL, LongLAAL
from latency_metrics.lag_split import PlaybackLag, PolicyLag, SystemLag
from latency_metrics.long_yaal import LongYAAL
from latency_metrics.num_chunks import NumChunks
from latency_metrics.rtf import RTF
from latency_metrics.start_offset import StartOffset
from latency_metrics.stream_laal import StreamLAAL
from latency_metrics.stream_rtf import StreamRTF
from latency_metrics.word_lag import LagMax, LagMedian, LagP95, LagSlope
from latency_metrics.yaal import YAAL

SHORT_FORM: tuple[type[Metric], ...] = (YAAL, AL, LAAL, AP, DAL)
"""Latency block of OmniSTEval's short form, in its order."""

LONG_FORM: tuple[type[Metric], ...] = (LongYAAL, LongAL, LongLAAL, LongAP, LongDAL)
"""Latency block of OmniSTEval's long form, in its order."""

LAG: tuple[type[Metric], ...] = (LagMedian, LagP95, LagMax, LagSlope, FirstTextDelay)
"""Distribution of lag, beyond the peers."""

SPLIT: tuple[type[Metric], ...] = (PolicyLag, SystemLag, PlaybackLag)
"""Lag by cause."""

SPEECH: tuple[type[Metric], ...] = (ATD, StartOffset, EndOffset, NumChunks, RTF)
"""Speech output beside the lag metrics."""

SILENCE: tuple[type[Metric], ...] = (DiscontinuitySum, DiscontinuityAve, DiscontinuityNum)
"""Silences inside speech output, which no clock moves."""

STREAM: tuple[type[Metric], ...] = (NormalizedErasure, PrefixErasure, StreamRTF)
"""Figures of an event log."""

_ALL: tuple[type[Metric], ...] = (
    *SHORT_FORM, *LONG_FORM, StreamLAAL, *SPEECH, *SILENCE, *LAG, *SPLIT, *STREAM,
)  # fmt: skip

METRICS: dict[str, type[Metric]] = {metric.name: metric for metric in _ALL}
"""Every metric by name."""


def get(name: str) -> type[Metric]:
    """The metric called `name`.

    Raises:
        MetricsError: no metric has that name.
    """
    try:
        return METRICS[name]
    except KeyError:
        raise MetricsError(f"No metric is called {name!r}; known are {', '.join(METRICS)}.") from None
