"""Timeout: commit by force when a policy has committed nothing for too long."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from policies.base import DECODE, SAMPLES_PER_MS, Decision, Evidence, Plan, PlanKind, SourceView
from policies.combinators import Combinator, CombinedState
from policies.parameters import parameter
from policies.words import whole_words


@dataclass(frozen=True)
class TimeoutState(CombinedState):
    """`since`: how much was heard when something was last committed or nothing was left to commit."""

    since: int = 0


@dataclass(frozen=True)
class Timeout(Combinator):
    """Commits words older than a guard when its policy has committed nothing for a while; such text is marked forced.

    It breaks the stall of policies that wait for agreement that never comes.
    """

    name: ClassVar[str] = "timeout"
    state_type: ClassVar[type] = TimeoutState
    example: ClassVar[str] = "timeout(local-agreement(n=3), after_ms=4000)"

    after_ms: int = parameter(
        5000, "time without a commit, in ms of audio, after which text is forced", low=0
    )
    guard_ms: int = parameter(
        1000, "how old forced words must be, in ms (where their times are known)", low=0
    )

    def _due(self, state: TimeoutState, source: SourceView) -> bool:
        return source.heard - max(state.since, source.segment_start) >= self.after_ms * SAMPLES_PER_MS

    def plan(self, state: TimeoutState, source: SourceView) -> Plan:
        plan = self.plans(state, source)[0]
        if plan.kind is PlanKind.READ:
            return DECODE if source.new > 0 and self._due(state, source) else plan
        return replace(plan, stop=None) if self._due(state, source) else plan

    def judge(self, state: TimeoutState, evidence: Evidence) -> tuple[Any, Decision]:
        states, (decision,) = self.judge_each(state, evidence)
        source, candidate = evidence.source, evidence.candidate
        if source.segment_final:
            return TimeoutState(states, source.heard), decision
        if decision.commit == 0 and self._due(state, source):
            commit = self._old(evidence)
            if commit:
                decision = replace(decision, commit=commit, reason="timeout", forced=True)
        idle = decision.commit > 0 or not candidate.tokens
        return TimeoutState(states, source.heard if idle else state.since), decision

    def _old(self, evidence: Evidence) -> int:
        """Whole words that end before the guard; without times, all but the last word."""
        candidate = evidence.candidate
        count = candidate.limit
        if candidate.times is not None:
            young = candidate.times[:, 1] > evidence.source.heard - self.guard_ms * SAMPLES_PER_MS
            count = min(count, int(np.argmax(young)) if young.any() else count)
        return whole_words(candidate.tokens, count)
