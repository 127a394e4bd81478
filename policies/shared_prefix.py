"""SP-n: commit what all hypotheses of the beams of the last n passes share (Nguyen et al. 2021)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from policies.base import Decision, Evidence, Need, Policy, commit_all, common_prefix
from policies.parameters import parameter
from policies.words import snap


@dataclass(frozen=True)
class SharedPrefixState:
    """What every hypothesis of each of the last n - 1 passes shared, oldest first."""

    previous: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True)
class SharedPrefix(Policy):
    """Commits the longest prefix that all beam items of the last n passes share.

    Source: Nguyen, Stüker and Waibel, "Super-Human Performance in Online Low-Latency Recognition of
    Conversational Speech", Interspeech 2021. More careful than LocalAgreement with the same n.
    """

    name: ClassVar[str] = "sp-n"
    state_type: ClassVar[type] = SharedPrefixState

    n: int = parameter(1, "passes whose beams must agree", low=1)
    words: bool = parameter(True, "commit whole words only")

    @property
    def needs(self) -> frozenset[Need]:
        return frozenset({Need.TOKENS, Need.BEAMS})

    def judge(self, state: SharedPrefixState, evidence: Evidence) -> tuple[Any, Decision]:
        candidate = evidence.candidate
        if evidence.source.segment_final:
            return self.start(), commit_all(evidence)
        shared = candidate.tokens[: common_prefix([candidate.tokens, *candidate.beams])]
        passes = (*(tokens[len(evidence.fresh) :] for tokens in state.previous), shared)
        commit = 0
        if len(passes) >= self.n:
            commit = min(common_prefix(passes[-self.n :]), candidate.limit)
            if self.words:
                commit = snap(evidence, commit)
        kept = passes[-(self.n - 1) :] if self.n > 1 else ()
        return SharedPrefixState(kept), Decision(commit, reason="shared prefix" if commit else "")
