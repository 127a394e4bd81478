"""Pause: commit when the speaker pauses, as dictation does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from policies.base import (
    DECODE,
    READ,
    SAMPLES_PER_MS,
    Decision,
    Evidence,
    Need,
    Plan,
    Policy,
    SourceView,
    commit_all,
)
from policies.parameters import parameter


@dataclass(frozen=True)
class Pause(Policy):
    """Commits everything once the speaker has been silent for a while.

    `preview` decodes between pauses too, so that there is a tail to show; without it nothing is computed while
    the speaker talks.
    """

    name: ClassVar[str] = "pause"

    silence_ms: int = parameter(600, "silence after which everything is committed, in ms", low=10)
    preview: bool = parameter(True, "decode while the speaker talks, to show a tail")

    @property
    def needs(self) -> frozenset[Need]:
        return frozenset({Need.TOKENS, Need.ACTIVITY})

    def _silent(self, source: SourceView) -> bool:
        return source.activity is not None and source.activity.silence >= self.silence_ms * SAMPLES_PER_MS

    def plan(self, state: Any, source: SourceView) -> Plan:
        if source.segment_final:
            return DECODE
        return DECODE if source.new > 0 and (self.preview or self._silent(source)) else READ

    def judge(self, state: Any, evidence: Evidence) -> tuple[Any, Decision]:
        if evidence.source.segment_final:
            return state, commit_all(evidence)
        if not self._silent(evidence.source):
            return state, Decision(0)
        return state, Decision(evidence.candidate.limit, reason="pause")
