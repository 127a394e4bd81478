"""StreamLAAL, version 2 (Papi et al. 2024; simulstream 1.0.0): LAAL on minimum-WER segments."""

from __future__ import annotations

from typing import Any

from latency_metrics.laal import LAAL


class StreamLAAL(LAAL):
    """StreamLAAL v2 in ms.

    LAAL of the segments that `latency_metrics.scoring.longform` makes with the mWER segmenter, references counted by
    simulstream's rule (an empty reference has length 0), mean over segments that received at least one unit.
    Times before a segment's start are not clamped. A segment of length 0 has the value d_0 when d_0 > 0, as
    in simulstream, which prints seconds.

    Args:
        **options: those of `Metric`; unless given, `latency_unit` is "stream_word" and `edge` "simuleval".
    """

    name = "StreamLAAL"
    version = 2

    def __init__(self, **options: Any) -> None:
        options.setdefault("latency_unit", "stream_word")
        options.setdefault("edge", "simuleval")
        super().__init__(**options)
