"""LocalAgreement-n: commit what the last n passes agree on (Liu et al. 2020; Polák et al. 2022)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar

from policies.base import Decision, Evidence, Policy, commit_all, common_prefix
from policies.parameters import parameter
from policies.words import key, snap, word_starts

Tokens = tuple[str, ...]
Units = tuple[tuple[str, ...], tuple[int, ...]]


@dataclass(frozen=True)
class LocalAgreementState:
    """What the last n - 1 passes proposed, oldest first, from where the newest of them began."""

    previous: tuple[Tokens, ...] = ()


@dataclass(frozen=True)
class LocalAgreement(Policy):
    """Commits the longest common prefix of the candidates of the last n passes.

    Source: Liu, Spanakis and Niehues, "Low-Latency Sequence-to-Sequence Speech Recognition and Translation by
    Partial Hypothesis Selection", Interspeech 2020; Polák et al., "CUNI-KIT System for Simultaneous Speech
    Translation", IWSLT 2022. The look-ahead is n - 1 passes, and nothing is committed in the first n - 1.

    Compared are tokens or whole words. A comparison that ignores case and punctuation does not stall when a
    full stop at the end of a chunk turns into a comma; the newest surface form is committed.
    """

    name: ClassVar[str] = "local-agreement"
    state_type: ClassVar[type] = LocalAgreementState

    n: int = parameter(2, "passes that must agree", low=1)
    unit: str = parameter("token", "what is compared", choices=("token", "word"))
    compare: str = parameter("exact", "what counts as equal", choices=("exact", "normalized"))
    words: bool = parameter(True, "commit whole words only")

    def judge(self, state: LocalAgreementState, evidence: Evidence) -> tuple[Any, Decision]:
        candidate = evidence.candidate
        if evidence.source.segment_final:
            return self.start(), commit_all(evidence)
        passes = (*self._beyond(state.previous, len(evidence.fresh)), candidate.tokens)
        commit = 0
        if len(passes) >= self.n:
            commit = min(self._agreed(passes[-self.n :]), candidate.limit)
            if self.words:
                commit = snap(evidence, commit)
        kept = passes[-(self.n - 1) :] if self.n > 1 else ()
        return LocalAgreementState(kept), Decision(commit, reason="agreement" if commit else "")

    def _beyond(self, previous: tuple[Tokens, ...], committed: int) -> tuple[Tokens, ...]:
        """The former passes without their first tokens, `committed` many in the newest of them."""
        if not committed:
            return previous
        if self.compare == "exact" and self.unit == "token":
            return tuple(tokens[committed:] for tokens in previous)
        units = len(self._units(previous[-1][:committed])[0]) if previous else 0
        rest = []
        for tokens in previous[:-1]:
            ends = self._units(tokens)[1]
            rest.append(tokens[ends[units - 1] :] if 0 < units <= len(ends) else tokens if not units else ())
        return (*rest, *(tokens[committed:] for tokens in previous[-1:]))

    def _agreed(self, passes: Sequence[Tokens]) -> int:
        """How many tokens of the newest pass all `passes` agree on."""
        if self.compare == "exact" and self.unit == "token":
            return common_prefix(passes)
        units = [self._units(tokens) for tokens in passes]
        count = common_prefix([keys for keys, _ in units])
        return units[-1][1][count - 1] if count else 0

    def _units(self, tokens: Tokens) -> Units:
        return compared_units(tokens, self.unit == "word", self.compare == "normalized")


@lru_cache(maxsize=64)
def compared_units(tokens: Tokens, words: bool, normalized: bool) -> Units:
    """The keys by which `tokens` are compared, and the number of tokens up to the end of each.

    Kept for the last passes, since each is compared n times.
    """
    if words:
        starts = word_starts(tokens)
        ends = [*starts[1:], len(tokens)] if tokens else []
        texts = ["".join(tokens[a:b]) for a, b in zip(starts, ends, strict=True)]
    else:
        texts, ends = list(tokens), list(range(1, len(tokens) + 1))
    if normalized:
        keys = [key(text) for text in texts]
        texts, ends = [k for k in keys if k], [end for k, end in zip(keys, ends, strict=True) if k]
    return tuple(texts), tuple(ends)
