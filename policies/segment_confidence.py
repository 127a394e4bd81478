"""Segment confidence: commit leading segments by the mean log-probability of their tokens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from policies.base import Decision, Evidence, Need, Policy, commit_all
from policies.parameters import parameter


@dataclass(frozen=True)
class SegmentConfidence(Policy):
    """Commits leading segments whose tokens' mean log-probability reaches a threshold.

    What the confidence-aware policy of Dugan et al. 2023 cannot do: tell the segments of one window apart. Where
    the model reports a sentence end as a segment, this commits sentence by sentence.
    """

    name: ClassVar[str] = "segment-confidence"

    threshold: float = parameter(-0.5, "least mean log-probability (natural) of a segment's tokens", high=0)

    @property
    def needs(self) -> frozenset[Need]:
        return frozenset({Need.TOKENS, Need.SEGMENTS, Need.LOGPROBS})

    def judge(self, state: Any, evidence: Evidence) -> tuple[Any, Decision]:
        candidate = evidence.candidate
        if evidence.source.segment_final:
            return state, commit_all(evidence)
        commit = 0
        if candidate.logprobs is not None:
            for segment in candidate.segments or ():
                scores = candidate.logprobs[commit : commit + segment.tokens]
                if not len(scores) or not scores.mean() >= self.threshold:
                    break
                commit += segment.tokens
        return state, Decision(min(commit, candidate.limit), reason="confident" if commit else "")
