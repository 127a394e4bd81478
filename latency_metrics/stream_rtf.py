"""StreamRTF: simulstream's real-time factor, computation time over audio."""

from __future__ import annotations

import math
from collections.abc import Iterable

from latency_metrics.base import Instance, Metric, NoValue, Score


class StreamRTF(Metric):
    """simulstream's real-time factor: Σ computation time of all events / Σ audio processed, over recordings.

    Reads `Instance.stream`; the corpus value is the ratio of the sums.
    """

    name = "StreamRTF"
    unit = "ratio"
    per = "recording"

    def _value(self, instance: Instance) -> float:
        if instance.stream is None:
            raise NoValue("it carries no event log")
        if not instance.stream.audio_ms > 0:
            raise NoValue("no audio was processed")
        return instance.stream.compute_ms / instance.stream.audio_ms

    def corpus(self, instances: Iterable[Instance]) -> Score:
        """Sum of computation times over sum of audio; recordings without an event log are named."""
        kept = list(instances)
        audio = sum(i.stream.audio_ms for i in kept if i.stream)
        compute = sum(i.stream.compute_ms for i in kept if i.stream)
        return self._score(compute / audio if audio > 0 else math.nan, *self._values(kept))
