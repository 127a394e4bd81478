"""Consensus policy (CP): commit segments that two passes agree on (Dugan et al. 2023)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from rapidfuzz.distance import LCSseq

from policies.parameters import parameter
from policies.segments import Judged, SegmentPolicy


@dataclass(frozen=True)
class Consensus(SegmentPolicy):
    """Commits segments whose text resembles that of the segment with the same number in the last pass (CP).

    Source: Dugan et al., Interspeech 2023. Numbers count from the first segment not yet spoken; resemblance is
    1 minus the insertions and deletions per character of both texts, leading spaces included. Published: 0.75
    and 0.5; live 0.9.
    """

    name: ClassVar[str] = "consensus"

    consensus_threshold: float = parameter(0.75, "least resemblance of two passes", low=0, high=1)

    def speaks(self, index: int, segment: Judged, previous: Sequence[str] | None) -> bool:
        if previous is None or index >= len(previous):
            return False
        return resemblance(segment.text, previous[index]) >= self.consensus_threshold


def resemblance(a: str, b: str) -> float:
    """1 - d / (len(a) + len(b)), d being the fewest insertions and deletions that turn `a` into `b`; empties give 1.

    d is len(a) + len(b) minus twice the longest common subsequence.
    """
    total = len(a) + len(b)
    return 2 * LCSseq.similarity(a, b) / total if total else 1.0
