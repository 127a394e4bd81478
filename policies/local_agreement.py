"""LocalAgreement-n: commit what the last n passes agree on (Liu et al. 2020; Polák et al. 2022)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from policies.base import Decision, Evidence, Policy, commit_all, common_prefix
from policies.parameters import parameter


@dataclass(frozen=True)
class LocalAgreementState:
    """What the last n - 1 passes proposed beyond the committed text, oldest first."""

    previous: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True)
class LocalAgreement(Policy):
    """Commits the longest common prefix of the candidates of the last `n` passes.

    `words`: commit whole words only, that is up to the last token before one that begins a word.
    The look-ahead is n - 1 passes.
    """

    name: ClassVar[str] = "local-agreement"
    state_type: ClassVar[type | None] = LocalAgreementState

    n: int = parameter(2, "passes that must agree", low=1)
    words: bool = parameter(True, "commit whole words only")

    def judge(self, state: LocalAgreementState, evidence: Evidence) -> tuple[Any, Decision]:
        candidate = evidence.candidate
        if evidence.source.segment_final:
            return self.start(), commit_all(evidence)
        passes = (*state.previous, candidate.tokens)
        commit = 0
        if len(passes) >= self.n:
            commit = min(common_prefix(passes[-self.n :]), candidate.limit) if self.n > 1 else candidate.limit
            if self.words:
                commit = whole_words(candidate.tokens, commit)
        kept = passes[-(self.n - 1) :] if self.n > 1 else ()
        rest = tuple(tokens[commit:] for tokens in kept)
        return LocalAgreementState(rest), Decision(commit, reason="agreement" if commit else "")


def whole_words(tokens: tuple[str, ...], count: int) -> int:
    """The largest number of tokens <= `count` after which a new word begins.

    A word is known to be complete only when the token after it is there and starts with a space (or with a
    character of a script written without spaces).
    """
    while count > 0:
        if count < len(tokens) and begins_word(tokens[count]):
            return count
        count -= 1
    return 0


def begins_word(token: str) -> bool:
    """Whether a token opens a new word: a leading space, or an ideograph, kana or Thai letter."""
    first = token[:1]
    return first == " " or "\u0e00" <= first <= "\u0eff" or "\u3040" <= first <= "\u9fff"
