"""Confidence-aware policy (CAP): commit segments that are surely speech (Dugan et al. 2023)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from policies.parameters import parameter
from policies.segments import Judged, SegmentPolicy


@dataclass(frozen=True)
class ConfidenceAware(SegmentPolicy):
    """Commits segments whose no-speech probability is below 1 - threshold (CAP).

    Source: Dugan et al., Interspeech 2023. Their confidence is the presence of speech in a whole window of up to
    30 s, which all segments of the window share. A higher threshold is stricter and slower; at 0.1 with the
    no-speech limit of 0.9 the policy equals Greedy, up to the boundary. Published: 0.9 and 0.5; live 0.7.
    """

    name: ClassVar[str] = "confidence-aware"

    confidence_threshold: float = parameter(0.7, "speech probability that must be exceeded", low=0, high=1)

    def speaks(self, index: int, segment: Judged, previous: Sequence[str] | None) -> bool:
        return segment.no_speech_prob < 1 - self.confidence_threshold
