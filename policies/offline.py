"""Offline: wait for the end of the segment, then commit everything."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from policies.base import DECODE, READ, WAIT, Decision, Evidence, Plan, Policy, SourceView, commit_all


@dataclass(frozen=True)
class Offline(Policy):
    """Decodes once, when no later audio can change the segment. The ceiling of quality and of latency."""

    name: ClassVar[str] = "offline"

    def plan(self, state: Any, source: SourceView) -> Plan:
        return DECODE if source.segment_final else READ

    def judge(self, state: Any, evidence: Evidence) -> tuple[Any, Decision]:
        return state, commit_all(evidence) if evidence.source.segment_final else WAIT
