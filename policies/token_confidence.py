"""Token confidence: commit tokens up to the first that the model is unsure of."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from policies.base import (
    READ,
    Decision,
    Evidence,
    Need,
    Plan,
    PlanKind,
    Policy,
    SourceView,
    StopRule,
    commit_all,
)
from policies.parameters import parameter
from policies.words import snap


@dataclass(frozen=True)
class TokenConfidence(Policy):
    """Commits the tokens before the first one whose probability is below a threshold.

    What Dugan et al. 2023 call confidence is a speech-presence probability of a whole window; this is the
    model's own probability of each token.
    """

    name: ClassVar[str] = "token-confidence"

    threshold: float = parameter(0.6, "least probability of a token", low=0, high=1)
    words: bool = parameter(True, "commit whole words only")

    @property
    def needs(self) -> frozenset[Need]:
        return frozenset({Need.TOKENS, Need.LOGPROBS})

    def _least(self) -> float:
        return math.log(self.threshold) if self.threshold > 0 else -math.inf

    def plan(self, state: Any, source: SourceView) -> Plan:
        if super().plan(state, source) is READ:
            return READ
        return Plan(PlanKind.DECODE, stop=StopRule(score_below=self._least()) if self.threshold > 0 else None)

    def judge(self, state: Any, evidence: Evidence) -> tuple[Any, Decision]:
        candidate = evidence.candidate
        if evidence.source.segment_final:
            return state, commit_all(evidence)
        if candidate.logprobs is None:
            return state, Decision(0)
        unsure = np.flatnonzero(~(candidate.logprobs >= self._least()))
        commit = min(int(unsure[0]) if len(unsure) else len(candidate.tokens), candidate.limit)
        if self.words:
            commit = snap(evidence, commit)
        return state, Decision(commit, reason="confident" if commit else "")
