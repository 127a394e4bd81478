"""Punctuation hold: a filter that keeps back a sentence end that may be premature."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from policies.base import Decision, Evidence, Policy, commit_all
from policies.parameters import parameter
from policies.words import silent

SENTENCE_ENDS = ".!?…。！？｡؟।"
CLOSERS = "\"'”’»)]}›“」』"


@dataclass(frozen=True)
class PunctuationHold(Policy):
    """Holds a sentence end at the end of the candidate until a token follows or the speaker pauses.

    Models end a sentence where the audio so far ends; the next pass makes a comma of the full stop, or nothing.
    """

    name: ClassVar[str] = "punctuation-hold"

    release_ms: int = parameter(400, "silence that releases the punctuation, in ms", low=10)

    def judge(self, state: Any, evidence: Evidence) -> tuple[Any, Decision]:
        candidate = evidence.candidate
        if evidence.source.segment_final:
            return state, commit_all(evidence)
        commit = candidate.limit
        if not silent(evidence, self.release_ms):
            last = len(candidate.tokens)
            while commit == last and last and ends_sentence(candidate.tokens[last - 1]):
                commit = last = last - 1
        return state, Decision(commit, reason="no sentence end" if commit else "")


def ends_sentence(token: str) -> bool:
    """Whether a token ends in a mark that ends sentences, closing quotes and brackets aside."""
    bare = token.rstrip(CLOSERS)
    return bare[-1:] in SENTENCE_ENDS if bare else bool(token)
