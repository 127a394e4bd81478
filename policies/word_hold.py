"""Word hold: a filter that keeps back a word that may be cut short."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from policies.base import Decision, Evidence, Policy, commit_all
from policies.parameters import parameter
from policies.words import silent, whole_words


@dataclass(frozen=True)
class WordHold(Policy):
    """Holds the last word until the next one begins or the speaker pauses.

    Most useful after another policy: then(p, word-hold). A word at the end of a candidate may be cut short.
    """

    name: ClassVar[str] = "word-hold"

    release_ms: int = parameter(400, "silence that releases the candidate's last word, in ms", low=10)

    def judge(self, state: Any, evidence: Evidence) -> tuple[Any, Decision]:
        candidate = evidence.candidate
        if evidence.source.segment_final:
            return state, commit_all(evidence)
        commit = candidate.limit
        if commit < len(candidate.tokens) or not silent(evidence, self.release_ms):
            commit = whole_words(candidate.tokens, commit)
        return state, Decision(commit, reason="whole words" if commit else "")
