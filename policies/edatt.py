"""EDAtt: stop at the first token with much attention on the last frames (Papi et al. 2023)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from policies.attention import content, frames
from policies.base import Decision, Evidence, Need, Policy, commit_all
from policies.parameters import parameter
from policies.words import snap


@dataclass(frozen=True)
class EDAtt(Policy):
    """Commits the tokens before the first one that puts too much attention on the end of the audio.

    Source: Papi, Negri and Turchi, "Attention as a Guide for Simultaneous Speech Translation", ACL 2023. The
    last frame is dropped, a token's attention scaled to length 1 (L2), and the sum over the last lambda frames
    compared with alpha: a higher alpha is faster.
    """

    name: ClassVar[str] = "edatt"

    alpha: float = parameter(0.1, "attention on the last frames that stops", low=0)
    last_ms: float = parameter(80, "how much of the end counts, in ms (at least one frame)", low=1)
    words: bool = parameter(True, "commit whole words only")

    @property
    def needs(self) -> frozenset[Need]:
        return frozenset({Need.TOKENS, Need.ALIGNMENT})

    def judge(self, state: Any, evidence: Evidence) -> tuple[Any, Decision]:
        if evidence.source.segment_final:
            return state, commit_all(evidence)
        weights, frame, _ = content(evidence)
        weights = weights[:, :-1]
        if not weights.size:
            return state, Decision(0)
        last = weights[:, -frames(self.last_ms, frame) :].sum(axis=1)
        length = np.sqrt(np.einsum("ij,ij->i", weights, weights))
        late = np.flatnonzero(last >= self.alpha * np.maximum(length, np.float32(1e-12)))
        commit = min(int(late[0]) if len(late) else len(weights), evidence.candidate.limit)
        if self.words:
            commit = snap(evidence, commit)
        return state, Decision(commit, reason="attention" if commit else "")
