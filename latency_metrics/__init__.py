"""Latency and quality metrics of simultaneous translation, with the log formats of the field.

    from latency_metrics import YAAL, Instance

    instances = [Instance(delays=[1000, 1500, 1500], reference="drei kurze Wörter", source_length=2000)]
    YAAL().corpus(instances).value  # 666.67 ms

Whole recordings are scored by `score_longform`, logs are read by `latency_metrics.formats`.
"""

from latency_metrics.al import AL, LongAL
from latency_metrics.ap import AP, LongAP
from latency_metrics.atd import ATD
from latency_metrics.base import Instance, Metric, Notice, Score, StreamStats
from latency_metrics.dal import DAL, LongDAL
from latency_metrics.degeneracy import Degeneracy, diagnose
from latency_metrics.discontinuity import DiscontinuityAve, DiscontinuityNum, DiscontinuitySum
from latency_metrics.end_offset import EndOffset
from latency_metrics.erasure import NormalizedErasure, PrefixErasure
from latency_metrics.errors import LogFormatError, MatchError, MetricsError
from latency_metrics.first_text import FirstTextDelay
from latency_metrics.laal import LAAL, LongLAAL
from latency_metrics.lag_split import PlaybackLag, PolicyLag, SystemLag
from latency_metrics.long_yaal import LongYAAL
from latency_metrics.num_chunks import NumChunks
from latency_metrics.registry import METRICS
from latency_metrics.rtf import RTF
from latency_metrics.scoring.longform import score_longform, score_resegmented, score_stream_laal
from latency_metrics.scoring.recordings import RecordingHypothesis, ReferenceSegment, spoken_hypothesis
from latency_metrics.scoring.resegmentation import Resegmentation, resegment
from latency_metrics.scoring.result import Report
from latency_metrics.scoring.shortform import score_shortform
from latency_metrics.start_offset import StartOffset
from latency_metrics.stream_laal import StreamLAAL
from latency_metrics.stream_rtf import StreamRTF
from latency_metrics.timeline import Playback, play
from latency_metrics.word_lag import LagMax, LagMedian, LagP95, LagSlope
from latency_metrics.yaal import YAAL

__all__ = [
    "AL",
    "AP",
    "ATD",
    "DAL",
    "LAAL",
    "METRICS",
    "RTF",
    "YAAL",
    "Degeneracy",
    "DiscontinuityAve",
    "DiscontinuityNum",
    "DiscontinuitySum",
    "EndOffset",
    "FirstTextDelay",
    "Instance",
    "LagMax",
    "LagMedian",
    "LagP95",
    "LagSlope",
    "LogFormatError",
    "LongAL",
    "LongAP",
    "LongDAL",
    "LongLAAL",
    "LongYAAL",
    "MatchError",
    "Metric",
    "MetricsError",
    "NormalizedErasure",
    "Notice",
    "NumChunks",
    "Playback",
    "PlaybackLag",
    "PolicyLag",
    "PrefixErasure",
    "RecordingHypothesis",
    "ReferenceSegment",
    "Report",
    "Resegmentation",
    "Score",
    "StartOffset",
    "StreamLAAL",
    "StreamRTF",
    "StreamStats",
    "SystemLag",
    "diagnose",
    "play",
    "resegment",
    "score_longform",
    "score_resegmented",
    "score_shortform",
    "score_stream_laal",
    "spoken_hypothesis",
]
