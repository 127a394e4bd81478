"""LongYAAL: YAAL of a long-form segment, cut at the end of the recording (arXiv 2509.17349)."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, Literal

from latency_metrics.base import Instance, Notice, Score, describe
from latency_metrics.errors import MetricsError
from latency_metrics.yaal import YAAL

RecordingEnd = Literal["segmentation", "open"]
"""segmentation: the end of the recording's last segment (OmniSTEval 0.1.10). open: no limit."""


class LongYAAL(YAAL):
    """LongYAAL in ms.

    YAAL whose limit is the time from the segment's start to the end of its recording
    (`Instance.time_to_recording_end`); X is no limit. An instance without that time is counted without limit.

    Args:
        recording_end: which end of the recording limits the units, see `RecordingEnd`.
        **options: those of `Metric`.
    """

    name = "LongYAAL"

    def __init__(self, *, recording_end: RecordingEnd = "segmentation", **options: Any) -> None:
        super().__init__(**options)
        if recording_end not in ("segmentation", "open"):
            raise MetricsError(
                f"The recording-end rule {recording_end!r} is not known; use segmentation or open."
            )
        self.recording_end: RecordingEnd = recording_end

    def _limit(self, instance: Instance, source_length: float) -> float:
        if self.recording_end == "open" or instance.time_to_recording_end is None:
            return math.inf
        return instance.time_to_recording_end

    def corpus(self, instances: Iterable[Instance]) -> Score:
        """Mean over segments whose first unit lies before the end of the recording; `Score.notices` names the
        others, and the segments counted without limit because no recording end is known."""
        kept = list(instances)
        score = super().corpus(kept)
        if self.recording_end == "segmentation":
            score.notices.extend(
                self._named(
                    Notice(describe(instance), "counted without limit, the end of its recording is unknown")
                )
                for instance, value in zip(kept, score.values, strict=True)
                if value is not None and instance.time_to_recording_end is None
            )
        return score

    def _signature_fields(self) -> dict[str, str]:
        return {"end": self.recording_end}
