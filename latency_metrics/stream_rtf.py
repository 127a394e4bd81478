"""StreamRTF: simulstream's real-time factor, computation time over audio."""

from __future__ import annotations

import math
from collections.abc import Iterable

from latency_metrics.base import Instance, Metric, Notice, NoValue, Score, describe


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
        compute = audio = 0.0
        values: list[float | None] = []
        notices: list[Notice] = []
        for instance in instances:
            if instance.stream is not None:
                compute += instance.stream.compute_ms
                audio += instance.stream.audio_ms
            try:
                values.append(self._value(instance))
            except NoValue as reason:
                values.append(None)
                notices.append(Notice(describe(instance), f"skipped, {reason}"))
        return self._score(compute / audio if audio > 0 else math.nan, values, notices)
