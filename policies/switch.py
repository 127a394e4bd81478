"""Switch: choose between two policies by a measured quantity."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from policies.attention import Weights, content
from policies.base import SAMPLES_PER_MS, Decision, Evidence, Need, Plan, SourceView
from policies.combinators import Combinator, CombinedState, either
from policies.parameters import parameter

FIRST = 16
"""Tokens whose attention counts for the entropy: those that are next to be committed."""

_NEEDS = {
    "attention-entropy": {Need.ALIGNMENT},
    "mean-probability": {Need.LOGPROBS},
    "silence-ms": {Need.ACTIVITY},
    "segment-ms": set[Need](),
}


@dataclass(frozen=True)
class Switch(Combinator):
    """Follows its first policy while a quantity is above a threshold, and its second otherwise.

    Quantities: attention-entropy (collision entropy, mean over the candidate's first tokens, 1 for attention
    spread evenly; for falling back from attention to agreement), mean-probability (of the candidate's tokens,
    geometric), silence-ms (at the end of what was heard), segment-ms (heard of this segment). Both policies follow
    every pass.
    """

    name: ClassVar[str] = "switch"
    arity: ClassVar[tuple[int, int | None]] = (2, 2)
    example: ClassVar[str] = "switch(local-agreement, align-att, measure=attention-entropy, above=0.8)"

    measure: str = parameter("attention-entropy", "the quantity", choices=tuple(_NEEDS))
    above: float = parameter(0.8, "the threshold; silence and segment in ms", low=0)

    @property
    def needs(self) -> frozenset[Need]:
        return super().needs | _NEEDS[self.measure]

    def plan(self, state: CombinedState, source: SourceView) -> Plan:
        return either(self.plans(state, source))

    def judge(self, state: CombinedState, evidence: Evidence) -> tuple[Any, Decision]:
        states, decisions = self.judge_each(state, evidence)
        return CombinedState(states), decisions[0 if self._value(evidence) > self.above else 1]

    def _value(self, evidence: Evidence) -> float:
        source, candidate = evidence.source, evidence.candidate
        if self.measure == "segment-ms":
            return (source.heard - source.segment_start) / SAMPLES_PER_MS
        if self.measure == "silence-ms":
            return source.activity.silence / SAMPLES_PER_MS if source.activity is not None else 0.0
        if self.measure == "mean-probability":
            scores = candidate.logprobs
            return float(np.exp(scores.mean())) if scores is not None and len(scores) else 0.0
        return _entropy(content(evidence)[0][:FIRST]) if candidate.alignment is not None else 0.0


def _entropy(weights: Weights) -> float:
    """Mean collision entropy (Rényi, order 2) of the rows as a share of the largest possible one."""
    if weights.size == 0 or weights.shape[1] < 2:
        return 0.0
    squares = np.einsum("ij,ij->i", weights, weights)
    total = np.maximum(weights.sum(axis=1), np.float32(1e-12))
    row = -np.log(np.maximum(squares / (total * total), np.float32(1e-12)))
    return float(row.mean()) / math.log(weights.shape[1])
