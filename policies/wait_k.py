"""wait-k: write at the pace of the source, k units behind it (Ma et al. 2019, 2020)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from policies.base import (
    READ,
    SAMPLES_PER_MS,
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
from policies.words import begins_word, count_words, snap, word_starts


@dataclass(frozen=True)
class WaitKState:
    """`written`: units known to be committed in this segment; `expected`: with those of the last decision."""

    written: int = 0
    expected: int = 0


@dataclass(frozen=True)
class WaitK(Policy):
    """Waits for k source units, then writes in step with the source.

    Source: Ma et al., "STACL", ACL 2019 (text, catch-up); Ma, Pino and Koehn, "SimulMT to SimulST", AACL 2020
    (speech, fixed and flexible pre-decision). Target unit i (from 1) is written once k + i - 1 - floor(c i)
    source units were read, or the source has ended; c is the catch-up. A source unit is a chunk of audio, a
    word that a CTC head or the recogniser counts, or a source token (text input). What counts as written is
    what was committed, never the quota.
    """

    name: ClassVar[str] = "wait-k"
    state_type: ClassVar[type] = WaitKState

    k: int = parameter(5, "source units to wait for", low=1)
    unit: str = parameter("chunk", "what a source unit is", choices=("chunk", "ctc-word", "word", "token"))
    chunk_ms: int = parameter(320, "length of a chunk in ms, for unit=chunk", low=10)
    target: str = parameter("word", "what a target unit is", choices=("word", "token"))
    stride_read: int = parameter(1, "source units between two writes", low=1)
    stride_write: int = parameter(1, "target units per write; 0: all that the candidate holds", low=0)
    catchup: float = parameter(0.0, "further target units per target unit", low=0, high=0.9)
    suppress_early_end: bool = parameter(True, "forbid the decoder to end before the source does")

    @property
    def needs(self) -> frozenset[Need]:
        counted = {"chunk": Need.TOKENS, "ctc-word": Need.CTC}.get(self.unit, Need.UNIT_COUNTS)
        return frozenset({Need.TOKENS, counted})

    def quota(self, source: SourceView) -> int | None:
        """Target units that may stand now in all; None: any number."""
        if self.unit == "chunk":
            read = (source.heard - source.segment_start) // (self.chunk_ms * SAMPLES_PER_MS)
        else:
            read = source.units.get(self.unit, 0)
        if read < self.k:
            return 0
        steps = (read - self.k) // self.stride_read + 1
        return self._caught_up(steps * self.stride_write) if self.stride_write else None

    def _caught_up(self, budget: int) -> int:
        """The largest t with t - floor(catchup * t) <= budget."""
        t = int(budget / (1 - self.catchup)) + 1
        while t - int(self.catchup * t) > budget:
            t -= 1
        while t + 1 - int(self.catchup * (t + 1)) <= budget:
            t += 1
        return t

    def plan(self, state: WaitKState, source: SourceView) -> Plan:
        quota = self.quota(source)
        if not source.segment_final and (source.new <= 0 or (quota is not None and quota <= state.expected)):
            return READ
        return Plan(PlanKind.DECODE, stop=StopRule(suppress_end=True) if self.suppress_early_end else None)

    def judge(self, state: WaitKState, evidence: Evidence) -> tuple[Any, Decision]:
        if evidence.source.segment_final:
            return self.start(), commit_all(evidence)
        fresh, tokens = evidence.fresh, evidence.candidate.tokens
        written = state.written + self._count(fresh, inside=state.written > 0)
        quota = self.quota(evidence.source)
        left = None if quota is None else max(0, quota - written)
        limit = evidence.candidate.limit
        if self.target == "token":
            commit = limit if left is None else min(left, limit)
        else:
            commit = snap(evidence, min(self._words_end(tokens, left, written > 0), limit))
        expected = written + self._count(tokens[:commit], inside=written > 0)
        return WaitKState(written, expected), Decision(commit, reason="schedule" if commit else "")

    def _count(self, tokens: tuple[str, ...], inside: bool) -> int:
        return len(tokens) if self.target == "token" else count_words(tokens, inside)

    @staticmethod
    def _words_end(tokens: tuple[str, ...], words: int | None, inside: bool) -> int:
        """The number of tokens up to the end of the next `words` words; the rest of a begun word comes first."""
        if words == 0 or not tokens:
            return 0
        starts = word_starts(tokens)
        if words is not None and inside and not begins_word(tokens[0]):
            words += 1
        return len(tokens) if words is None or words >= len(starts) else starts[words]
