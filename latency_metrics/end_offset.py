"""EndOffset: when the output ends, against the end of the source (SimulEval)."""

from __future__ import annotations

from latency_metrics.base import Instance, Metric, NoValue
from latency_metrics.timeline import intervals_of, is_speech


class EndOffset(Metric):
    """d_last − X in ms; for speech output the end of the last playback interval − X, under any clock."""

    name = "EndOffset"

    def _value(self, instance: Instance) -> float:
        times = self.times(instance)
        if instance.source_length is None:
            raise NoValue("its source length is unknown")
        if is_speech(instance):
            start, duration = intervals_of(instance)[-1]
            return start + duration - instance.source_length
        return times[-1] - instance.source_length
