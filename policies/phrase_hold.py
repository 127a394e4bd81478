"""Phrase hold: a filter that keeps back single words, so that text settles in phrases."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from policies.base import Decision, Evidence, Policy, commit_all
from policies.parameters import parameter
from policies.punctuation_hold import CLOSERS, SENTENCE_ENDS
from policies.words import begins_word, count_words, silent, snap

CLAUSE_ENDS = ",;:–—،、，；：؛"


@dataclass(frozen=True)
class PhraseHold(Policy):
    """Commits whole words, several at once: fewer wait until more follow, a clause ends or the speaker pauses.

    For those who show each settled piece by itself, as a caption. Most useful after another policy:
    then(p, phrase-hold).
    """

    name: ClassVar[str] = "phrase-hold"

    words: int = parameter(3, "words behind the last comma or full stop that are committed together", low=1)
    release_ms: int = parameter(400, "silence that releases fewer words, in ms", low=10)

    def judge(self, state: Any, evidence: Evidence) -> tuple[Any, Decision]:
        if evidence.source.segment_final:
            return state, commit_all(evidence)
        tokens = evidence.candidate.tokens
        commit = snap(evidence, evidence.candidate.limit)
        if not silent(evidence, self.release_ms):
            clause = commit
            while clause and not _ends_clause(tokens, clause):
                clause -= 1
            if count_words(tokens[clause:commit]) < self.words:
                commit = clause
        return state, Decision(commit, reason="phrase" if commit else "")


def _ends_clause(tokens: tuple[str, ...], count: int) -> bool:
    """Whether a clause or a sentence is known to end after `count` tokens: its mark is there, and a word follows."""
    mark = tokens[count - 1].rstrip(CLOSERS)[-1:]
    follows = count < len(tokens) and begins_word(tokens[count])
    return follows and bool(mark) and mark in SENTENCE_ENDS + CLAUSE_ENDS
