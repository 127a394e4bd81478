"""RTF: SimulEval's real-time factor, last time over duration."""

from __future__ import annotations

from typing import Any

from latency_metrics.base import Instance, Metric
from latency_metrics.timeline import intervals_of, is_speech


class RTF(Metric):
    """SimulEval's real-time factor: d_last / X, with speech output the end of playback / X.

    SimulEval uses d_last for speech output too when it re-reads a log; `playback=False` gives that value.

    Args:
        playback: whether speech output counts to the end of its playback.
        **options: those of `Metric`.
    """

    name = "RTF"
    unit = "ratio"

    def __init__(self, *, playback: bool = True, **options: Any) -> None:
        super().__init__(**options)
        self.playback = playback

    def _signature_fields(self) -> dict[str, str]:
        return {"playback": "yes" if self.playback else "no"}

    def _value(self, instance: Instance) -> float:
        last = self.times(instance)[-1]
        source_length = self.source_length(instance)
        if self.playback and is_speech(instance):
            last = sum(intervals_of(instance)[-1])
        return last / source_length
