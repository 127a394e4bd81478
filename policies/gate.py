"""Gate: compute nothing while nobody speaks, and let held words go when the speaker pauses."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

from policies.base import DECODE, READ, SAMPLES_PER_MS, Decision, Evidence, Need, Plan, SourceView
from policies.combinators import Combinator, CombinedState
from policies.parameters import parameter


@dataclass(frozen=True)
class GateState(CombinedState):
    """`held`: there was speech since the last release. `spoken`: there was speech in this segment."""

    held: bool = False
    spoken: bool = False


@dataclass(frozen=True)
class Gate(Combinator):
    """Runs its policy only on speech, and commits everything at a pause.

    Without speech nothing is decoded, so that no model can imagine words in silence or music; what a model says
    at the end of a segment in which nobody spoke is skipped. Releasing held words at the end of speech is the
    largest gain of latency in dialogue.
    """

    name: ClassVar[str] = "gate"
    state_type: ClassVar[type] = GateState
    example: ClassVar[str] = "gate(local-agreement(n=2), silence_ms=500)"

    silence_ms: int = parameter(500, "silence after which everything is committed, in ms", low=10)
    speech_ms: int = parameter(60, "speech in the new audio, in ms, that opens the gate", low=1)

    @property
    def needs(self) -> frozenset[Need]:
        return super().needs | {Need.ACTIVITY}

    def _speech(self, source: SourceView) -> bool:
        activity = source.activity
        return activity is None or activity.speech_ratio * source.new >= self.speech_ms * SAMPLES_PER_MS

    def _quiet(self, source: SourceView) -> bool:
        return source.activity is not None and source.activity.silence >= self.silence_ms * SAMPLES_PER_MS

    def plan(self, state: GateState, source: SourceView) -> Plan:
        if source.segment_final:
            return DECODE
        if not (state.held or self._speech(source)):
            return READ
        if self._quiet(source):
            return DECODE
        return self.plans(state, source)[0]

    def judge(self, state: GateState, evidence: Evidence) -> tuple[Any, Decision]:
        states, (decision,) = self.judge_each(state, evidence)
        source, count = evidence.source, len(evidence.candidate.tokens)
        speech = self._speech(source)
        held, spoken = state.held or speech, state.spoken or speech
        if source.segment_final:
            if not spoken and count:
                decision = replace(decision, accept=(False,) * count, reason="no speech")
            return GateState(states), decision
        if not held:
            return GateState(states, held, spoken), Decision(0)
        if self._quiet(source):
            commit = evidence.candidate.limit
            if commit > decision.commit:
                decision = replace(decision, commit=commit, reason="pause")
            return GateState(states, False, spoken), decision
        return GateState(states, held, spoken), decision
