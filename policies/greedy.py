"""Greedy: commit whatever a pass gives (Dugan et al. 2023)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from policies.base import READ, WAIT, Decision, Evidence, Need
from policies.segments import Judged, SegmentPolicy


@dataclass(frozen=True)
class Greedy(SegmentPolicy):
    """Commits everything that passes the no-speech gate, at once. The floor of latency and of quality.

    Source: Dugan et al., Interspeech 2023, where it is also called wait-k: k acts through the window length.
    On a backend without segments the fixed profile commits whole candidates.
    """

    name: ClassVar[str] = "greedy"

    @property
    def needs(self) -> frozenset[Need]:
        return super().needs if self.profile == "faithful" else frozenset({Need.TOKENS})

    def speaks(self, index: int, segment: Judged, previous: Sequence[str] | None) -> bool:
        return True

    def judge(self, state: Any, evidence: Evidence) -> tuple[Any, Decision]:
        if self.profile == "fixed" and evidence.candidate.segments is None:
            if self.plan(state, evidence.source) is READ:
                return state, WAIT
            return state, Decision(evidence.candidate.limit, reason="greedy")
        return super().judge(state, evidence)
