"""Combinations of policies: since each says how many tokens are safe, combining is taking minima and maxima."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from policies.base import DECODE, READ, Decision, Evidence, Need, Plan, PlanKind, Policy, SourceView, StopRule
from policies.errors import PolicyError

Combined = tuple[tuple[Any, ...], list[Decision]]


@dataclass(frozen=True)
class CombinedState:
    """The states of the operands, in order; further fields belong to the combination."""

    states: tuple[Any, ...] = ()


@dataclass(frozen=True)
class Combinator(Policy):
    """Base of policies made of other policies, its `operands`."""

    state_type: ClassVar[type] = CombinedState
    arity: ClassVar[tuple[int, int | None]] = (1, 1)
    """The least and the largest number of operands (None: any)."""
    example: ClassVar[str] = ""
    """An expression that makes one, for documentation and tests."""

    operands: tuple[Policy, ...]

    def __post_init__(self) -> None:
        super().__post_init__()
        low, high = self.arity
        if not low <= len(self.operands) or (high is not None and len(self.operands) > high):
            wanted = f"{low}" if low == high else f"at least {low}"
            raise PolicyError(
                f"{self.name} takes {wanted} policies, not {len(self.operands)}: {self.example}."
            )
        for operand in self.operands:
            if operand.revises:
                raise PolicyError(f"{operand.name} takes text back and cannot be part of {self.name}.")

    @property
    def needs(self) -> frozenset[Need]:
        return frozenset().union(*(operand.needs for operand in self.operands))

    def start(self) -> Any:
        assert self.state_type is not None
        return self.state_type(tuple(operand.start() for operand in self.operands))

    def next_segment(self, state: CombinedState) -> Any:
        following = zip(self.operands, state.states, strict=True)
        return replace(self.start(), states=tuple(operand.next_segment(s) for operand, s in following))

    def plans(self, state: CombinedState, source: SourceView) -> list[Plan]:
        """What each operand plans."""
        return [operand.plan(s, source) for operand, s in zip(self.operands, state.states, strict=True)]

    def judge_each(self, state: CombinedState, evidence: Evidence) -> Combined:
        """Each operand's new state and its decision."""
        both = zip(self.operands, state.states, strict=True)
        judged = [operand.judge(s, evidence) for operand, s in both]
        return tuple(s for s, _ in judged), [decision for _, decision in judged]

    def dump_state(self, state: CombinedState) -> Any:
        both = zip(self.operands, state.states, strict=True)
        dumped = {f.name: getattr(state, f.name) for f in dataclasses.fields(state)}
        return {**dumped, "states": [operand.dump_state(s) for operand, s in both]}

    def load_state(self, dumped: Any) -> Any:
        both = zip(self.operands, dumped["states"], strict=True)
        states = tuple(operand.load_state(s) for operand, s in both)
        return replace(super().load_state({**dumped, "states": ()}), states=states)


def merged(
    decisions: Sequence[Decision], chosen: Decision, evidence: Evidence, skip: Callable[[list[bool]], bool]
) -> Decision:
    """`chosen` with what else the `decisions` say that still holds for the number of tokens it commits.

    A token is skipped when `skip` holds for the list of which decisions skip it. Of the cuts, the earliest one
    counts whose text is committed.
    """
    masks = [d.accept for d in decisions]
    accept = None
    if any(mask is not None for mask in masks):
        length = len(evidence.candidate.tokens)
        rows = [(mask or ()) + (True,) * (length - len(mask or ())) for mask in masks]
        accept = tuple(not skip([not row[i] for row in rows]) for i in range(length))
    standing = len(evidence.committed) + chosen.commit
    cuts = [(d.cut, d.forget) for d in decisions if d.cut is not None and d.forget <= standing]
    cut, forget = min(cuts) if cuts else (None, 0)
    drop = any(d.drop_context for d in decisions)
    return replace(chosen, accept=accept, cut=cut, forget=forget, drop_context=drop)


@dataclass(frozen=True)
class AllOf(Combinator):
    """Commits what all its policies would commit: the smallest number of tokens."""

    name: ClassVar[str] = "all-of"
    arity: ClassVar[tuple[int, int | None]] = (2, None)
    example: ClassVar[str] = "all-of(local-agreement(n=2), hold-n(n=3))"

    def plan(self, state: CombinedState, source: SourceView) -> Plan:
        plans = self.plans(state, source)
        if not source.segment_final and any(plan.kind is PlanKind.READ for plan in plans):
            return READ
        rules = [plan.stop for plan in plans if plan.stop is not None]
        return Plan(PlanKind.DECODE, max_new_tokens=_limit(plans), stop=tightest(rules))

    def judge(self, state: CombinedState, evidence: Evidence) -> tuple[Any, Decision]:
        states, decisions = self.judge_each(state, evidence)
        least = min(decisions, key=lambda d: d.commit)
        return CombinedState(states), merged(decisions, least, evidence, any)


@dataclass(frozen=True)
class AnyOf(Combinator):
    """Commits what any of its policies would commit: the largest number of tokens."""

    name: ClassVar[str] = "any-of"
    arity: ClassVar[tuple[int, int | None]] = (2, None)
    example: ClassVar[str] = "any-of(local-agreement(n=2), pause(silence_ms=500))"

    def plan(self, state: CombinedState, source: SourceView) -> Plan:
        return either(self.plans(state, source))

    def judge(self, state: CombinedState, evidence: Evidence) -> tuple[Any, Decision]:
        states, decisions = self.judge_each(state, evidence)
        most = max(decisions, key=lambda d: d.commit)
        return CombinedState(states), merged(decisions, most, evidence, all)


@dataclass(frozen=True)
class Then(Combinator):
    """Lets a second policy judge what the first would commit, such as a word or punctuation hold.

    The second policy sees the whole candidate, of which no more may be committed than the first allows.
    """

    name: ClassVar[str] = "then"
    arity: ClassVar[tuple[int, int | None]] = (2, None)
    example: ClassVar[str] = "then(local-agreement(n=2, words=false), punctuation-hold, word-hold)"

    def plan(self, state: CombinedState, source: SourceView) -> Plan:
        plans = self.plans(state, source)
        if not source.segment_final and any(plan.kind is PlanKind.READ for plan in plans):
            return READ
        return plans[0] if plans[0].kind is PlanKind.DECODE else DECODE

    def judge(self, state: CombinedState, evidence: Evidence) -> tuple[Any, Decision]:
        states, decisions = [], []
        for operand, before in zip(self.operands, state.states, strict=True):
            after, decision = operand.judge(before, evidence)
            states.append(after)
            decisions.append(decision)
            if not evidence.source.segment_final:
                safe = min(decision.commit, evidence.candidate.limit)
                evidence = replace(evidence, candidate=replace(evidence.candidate, committable=safe))
        least = min(decisions, key=lambda d: d.commit)
        return CombinedState(tuple(states)), merged(decisions, least, evidence, any)


def either(plans: Sequence[Plan]) -> Plan:
    """Decode when one of the plans does, stopping only where all that decode would."""
    decoding = [plan for plan in plans if plan.kind is PlanKind.DECODE]
    if not decoding:
        return READ
    rules = [plan.stop or StopRule() for plan in decoding]
    return Plan(PlanKind.DECODE, max_new_tokens=_limit(decoding), stop=_loosest(rules))


def _limit(plans: Sequence[Plan]) -> int | None:
    limits = [plan.max_new_tokens for plan in plans if plan.kind is PlanKind.DECODE]
    return None if None in limits else max((n for n in limits if n is not None), default=None)


def tightest(rules: Sequence[StopRule]) -> StopRule | None:
    """A rule that stops where any of the rules does."""
    if not rules:
        return None
    frames = [r.at_frame for r in rules if r.at_frame is not None]
    scores = [r.score_below for r in rules if r.score_below is not None]
    suppress = any(r.suppress_end for r in rules)
    return StopRule(max(frames, default=None), max(scores, default=None), suppress)


def _loosest(rules: Sequence[StopRule]) -> StopRule | None:
    """A rule that stops only where all of the rules do; rules of different kinds never stop together."""
    frames = [r.at_frame for r in rules]
    scores = [r.score_below for r in rules]
    frame = None if None in frames else min(f for f in frames if f is not None)
    score = None if None in scores else min(s for s in scores if s is not None)
    suppress = any(r.suppress_end for r in rules)
    if frame is not None and score is not None:
        frame = score = None
    return StopRule(frame, score, suppress) if (frame, score, suppress) != (None, None, False) else None
