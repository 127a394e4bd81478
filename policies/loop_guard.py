"""Loop guard: do not commit text that a decoder repeats in a loop."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from policies.base import SAMPLES_PER_MS, Decision, Evidence, Plan, PlanKind, SourceView
from policies.combinators import Combinator, CombinedState
from policies.parameters import parameter

SIZES = (2, 3, 4)


@dataclass(frozen=True)
class LoopGuardState(CombinedState):
    """`reads`: passes held back in a row. `since`: how much was heard when something was last committed."""

    reads: int = 0
    since: int = 0


@dataclass(frozen=True)
class LoopGuard(Combinator):
    """Holds back what repeats two, three or four tokens over and over, and limits tokens per second of audio.

    A pass that loops is committed up to its first repetition, and the context that may have caused the loop is
    dropped. After some passes in a row the repetitions are skipped, as they are at the end of a segment.
    """

    name: ClassVar[str] = "loop-guard"
    state_type: ClassVar[type] = LoopGuardState
    example: ClassVar[str] = "loop-guard(local-agreement(n=2))"

    repeats: int = parameter(3, "occurrences in a row that make a loop", low=2)
    max_reads: int = parameter(4, "passes in a row that a loop may hold back", low=0)
    rate: float = parameter(15.0, "tokens per second of audio that may be decoded", low=1)
    slack: int = parameter(20, "tokens that may be decoded in any case", low=1)

    def plan(self, state: LoopGuardState, source: SourceView) -> Plan:
        plan = self.plans(state, source)[0]
        if plan.kind is PlanKind.READ:
            return plan
        seconds = (source.heard - max(state.since, source.segment_start)) / (1000 * SAMPLES_PER_MS)
        budget = self.slack + int(self.rate * max(0.0, seconds))
        limit = budget if plan.max_new_tokens is None else min(budget, plan.max_new_tokens)
        return replace(plan, max_new_tokens=limit)

    def judge(self, state: LoopGuardState, evidence: Evidence) -> tuple[Any, Decision]:
        states, (decision,) = self.judge_each(state, evidence)
        source, tokens = evidence.source, evidence.candidate.tokens
        since = source.heard if decision.commit else state.since
        before = evidence.committed[-max(SIZES) * self.repeats :]
        begin, end = find_loop((*before, *tokens), len(before), self.repeats)
        if begin == end:
            return LoopGuardState(states, 0, since), decision
        begin, end = max(0, begin - len(before)), end - len(before)
        if source.segment_final or state.reads >= self.max_reads:
            mask = decision.accept or (True,) * len(tokens)
            accept = tuple(ok and not begin <= i < end for i, ok in enumerate(mask))
            skipping = replace(decision, accept=accept, reason="repetition", drop_context=True)
            return LoopGuardState(states, 0, since), skipping
        held = min(decision.commit, begin)
        decision = replace(decision, commit=held, reason="repetition", drop_context=True, cut=None, forget=0)
        return LoopGuardState(states, state.reads + 1, source.heard if held else state.since), decision


def find_loop(tokens: Sequence[str], first: int, repeats: int) -> tuple[int, int]:
    """The first stretch of `tokens`, ending after index `first`, that only repeats what stands before it.

    From the second occurrence of the repeated tokens to the end of the last whole one; (0, 0) without a loop.
    """
    best = (0, 0)
    for size in SIZES:
        run = 0
        for i in range(size, len(tokens) + 1):
            if i < len(tokens) and tokens[i] == tokens[i - size]:
                run += 1
                continue
            if run >= size * (repeats - 1) and i > first and (best == (0, 0) or i - run < best[0]):
                best = (i - run, i - run % size)
            run = 0
    return best if best[1] > first else (0, 0)
