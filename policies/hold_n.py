"""hold-n: commit all but the last n tokens of the current hypothesis (Liu et al. 2020)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from policies.base import Decision, Evidence, Policy, commit_all
from policies.parameters import parameter
from policies.words import snap


@dataclass(frozen=True)
class HoldN(Policy):
    """Commits all but the last n tokens of the candidate.

    Source: Liu, Spanakis and Niehues, Interspeech 2020, "hold-n". The look-ahead is n tokens' worth of speech.
    """

    name: ClassVar[str] = "hold-n"

    n: int = parameter(5, "tokens to hold back", low=0)
    words: bool = parameter(True, "commit whole words only")

    def judge(self, state: Any, evidence: Evidence) -> tuple[Any, Decision]:
        if evidence.source.segment_final:
            return state, commit_all(evidence)
        candidate = evidence.candidate
        commit = max(0, min(candidate.limit, len(candidate.tokens) - self.n))
        return state, Decision(
            snap(evidence, commit) if self.words else commit, reason="held" if commit else ""
        )
