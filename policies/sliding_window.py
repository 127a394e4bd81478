"""Sliding-window retranslation: translate the last seconds anew and take back what has changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any, ClassVar

from policies.base import (
    READ,
    SAMPLES_PER_MS,
    Decision,
    Evidence,
    Plan,
    PlanKind,
    Policy,
    SourceView,
    common_prefix,
)
from policies.parameters import parameter

UNKNOWN = -1

Tokens = tuple[str, ...]


@dataclass(frozen=True)
class SlidingWindowState:
    """`ends`: where in the source each standing token ends (-1: not known). `cut`: where the window begins."""

    ends: tuple[int, ...] = ()
    cut: int = 0


@dataclass(frozen=True)
class SlidingWindow(Policy):
    """Puts out everything at once, decodes the last seconds anew in each pass, and corrects what it has put out.

    Source: Sen, Bojar and Haddow, "Simultaneous Translation for Unsegmented Input: A Sliding Window Approach", 2022;
    the sliding-window processors of simulstream, 2025. While all audio of a segment is in the window the
    new candidate replaces the old one from the first difference on. Later the two are joined at their longest
    common run of tokens; when that is too short, the new one replaces all that rests on the window's audio. The
    only policy that takes text back: erasure measures what that costs.
    """

    name: ClassVar[str] = "sliding-window"
    state_type: ClassVar[type] = SlidingWindowState
    revises: ClassVar[bool] = True

    window_ms: int = parameter(10000, "audio that a pass decodes, in ms", low=1000)
    match: float = parameter(0.1, "least common run, as a share of the new candidate", low=0, high=1)
    rate: float = parameter(10.0, "tokens per second of window that may be decoded", low=1)

    def plan(self, state: SlidingWindowState, source: SourceView) -> Plan:
        if source.new <= 0 and not source.segment_final:
            return READ
        return Plan(PlanKind.DECODE, max_new_tokens=max(1, int(self.rate * self.window_ms / 1000)))

    def judge(self, state: SlidingWindowState, evidence: Evidence) -> tuple[Any, Decision]:
        source, candidate, committed = evidence.source, evidence.candidate, evidence.committed
        limit = len(candidate.tokens) if source.segment_final else candidate.limit
        tokens = candidate.tokens[:limit]
        ends = (UNKNOWN,) * (len(committed) - len(state.ends)) + state.ends[
            max(0, len(state.ends) - len(committed)) :
        ]
        times = candidate.times
        new_ends = (UNKNOWN,) * limit if times is None else tuple(times[:limit, 1].tolist())
        before = 0
        if state.cut <= source.segment_start:
            standing = start = common_prefix([committed, tokens])
        else:
            standing, start, before = self._join(committed, tokens, ends, state.cut)
        ends = (*ends[:standing], *new_ends[start:])
        cut, forget = self._slide(state.cut, source, ends, before)
        decision = Decision(
            limit,
            retract=len(committed) - standing,
            start=start,
            reason="window",
            cut=cut if cut > state.cut else None,
            forget=forget,
        )
        return SlidingWindowState(ends[forget:], cut), decision

    def _join(self, old: Tokens, new: Tokens, ends: tuple[int, ...], cut: int) -> tuple[int, int, int]:
        """How many old tokens stand, which new token follows them, and how many old ones lie before the window."""
        at_old, at_new, length = longest_common_run(old, new)
        if length and length >= self.match * len(new):
            return at_old + length, at_new + length, max(0, at_old - at_new)
        standing = len(old)
        while standing and ends[standing - 1] > cut:
            standing -= 1
        return standing, 0, standing

    def _slide(self, cut: int, source: SourceView, ends: Sequence[int], before: int) -> tuple[int, int]:
        """Where the window begins now, at a token's end where one is known, and how many tokens have left it."""
        begin = source.heard - self.window_ms * SAMPLES_PER_MS
        if begin <= max(cut, source.segment_start):
            return cut, 0
        inside = [end for end in ends if cut < end <= begin]
        if UNKNOWN not in ends and ends:
            begin = max(inside, default=cut)
        forget = 0
        while forget < len(ends) and (
            UNKNOWN < ends[forget] <= begin or (ends[forget] == UNKNOWN and forget < before)
        ):
            forget += 1
        return begin, forget


def longest_common_run(a: Sequence[str], b: Sequence[str]) -> tuple[int, int, int]:
    """Start in `a`, start in `b` and length of the longest run of tokens in both; of several, the last in `a`."""
    # difflib gives the first of several, so both are read from their ends.
    found = SequenceMatcher(None, a[::-1], b[::-1], autojunk=False).find_longest_match()
    return len(a) - found.a - found.size, len(b) - found.b - found.size, found.size
