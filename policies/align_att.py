"""AlignAtt: stop at the first token that attends to the end of the audio (Papi et al. 2023)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from policies.attention import frames, strongest
from policies.base import (
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
from policies.words import snap


@dataclass(frozen=True)
class AlignAttState:
    """`proposed`: the source sample each token of the last candidate attended; `reached`: of the last committed one."""

    proposed: tuple[int, ...] = ()
    reached: int = 0


@dataclass(frozen=True)
class AlignAtt(Policy):
    """Commits the tokens before the first one whose strongest frame lies near the end of the audio.

    Source: Papi, Turchi and Negri, "AlignAtt", Interspeech 2023. Token i is aligned to the frame it attends
    most; it is not safe when that frame is one of the last f of T, f being the distance in frames. The last,
    possibly incomplete word is held. Standardising each frame over tokens cancels attention sinks. A token whose
    frame lies far before that of the last committed token shows that the decoder has lost its place: nothing
    is committed in such a pass (Macháček and Polák, SimulStreaming, 2025).
    """

    name: ClassVar[str] = "align-att"
    state_type: ClassVar[type] = AlignAttState

    distance_ms: float = parameter(400, "distance to the end of the audio, in ms, that stops", low=0)
    normalize: str = parameter("zscore-tokens", "attention per frame", choices=("none", "zscore-tokens"))
    rewind_ms: float = parameter(4000, "jump back, in ms, that discards a pass; 0: none does", low=0)
    words: bool = parameter(True, "commit whole words only")

    @property
    def needs(self) -> frozenset[Need]:
        return frozenset({Need.TOKENS, Need.ALIGNMENT})

    def plan(self, state: Any, source: SourceView) -> Plan:
        plan = super().plan(state, source)
        if plan.kind is PlanKind.READ or self.normalize != "none":
            return plan
        return Plan(PlanKind.DECODE, stop=StopRule(at_frame=int(self.distance_ms * SAMPLES_PER_MS)))

    def judge(self, state: AlignAttState, evidence: Evidence) -> tuple[Any, Decision]:
        candidate = evidence.candidate
        if evidence.source.segment_final:
            return self.start(), commit_all(evidence)
        committed = min(len(evidence.fresh), len(state.proposed))
        reached = state.proposed[committed - 1] if committed else state.reached
        aligned, heard = strongest(evidence, self.normalize)
        if not len(aligned) or candidate.alignment is None:
            return AlignAttState((), reached), Decision(0)
        if self.rewind_ms and aligned[0] < reached - self.rewind_ms * SAMPLES_PER_MS:
            return AlignAttState((), reached), Decision(0, reason="rewind")
        frame, origin = candidate.alignment.frame, candidate.alignment.origin
        late = np.flatnonzero(aligned >= origin + (heard - frames(self.distance_ms, frame)) * frame)
        commit = min(int(late[0]) if len(late) else len(aligned), candidate.limit)
        if self.words:
            commit = snap(evidence, commit)
        return AlignAttState(tuple(aligned.tolist()), reached), Decision(
            commit, reason="attention" if commit else ""
        )
