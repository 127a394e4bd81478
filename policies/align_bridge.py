"""Align bridge: commit words whose aligned end lies a margin before the end of the audio."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from policies.base import SAMPLES_PER_MS, Decision, Evidence, Need, Policy, commit_all
from policies.parameters import parameter
from policies.words import snap


@dataclass(frozen=True)
class AlignBridge(Policy):
    """Commits the tokens before the first one whose source ends less than a margin before the end of the audio.

    The rule of AlignAtt (Papi et al. 2023) on source times instead of attention, for backends that align a
    finished candidate but show no attention while decoding, such as Whisper on CTranslate2.
    """

    name: ClassVar[str] = "align-bridge"

    margin_ms: float = parameter(400, "margin before the end of the audio, in ms", low=0)
    words: bool = parameter(True, "commit whole words only")

    @property
    def needs(self) -> frozenset[Need]:
        return frozenset({Need.TOKENS, Need.SPANS})

    def judge(self, state: Any, evidence: Evidence) -> tuple[Any, Decision]:
        candidate = evidence.candidate
        if evidence.source.segment_final:
            return state, commit_all(evidence)
        assert candidate.spans is not None or not candidate.tokens
        if candidate.spans is None:
            return state, Decision(0)
        margin = self.margin_ms * SAMPLES_PER_MS
        late = np.flatnonzero(candidate.spans[:, 1] > evidence.source.heard - margin)
        commit = min(int(late[0]) if len(late) else len(candidate.tokens), candidate.limit)
        if self.words:
            commit = snap(evidence, commit)
        return state, Decision(commit, reason="aligned" if commit else "")
