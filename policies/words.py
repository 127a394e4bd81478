"""Words within tokens: where a candidate can be cut for display, and how tokens are compared."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from functools import lru_cache

from policies.base import SAMPLES_PER_MS, Evidence

RELEASE_MS = 400
"""Silence after which the last word of a candidate counts as complete."""

_SPEECHLESS = ("P", "Z", "S", "C")


def begins_word(token: str) -> bool:
    """Whether a token opens a new word: a leading space, or a character of a script written without spaces.

    A lone first byte of such a character (Han, kana, an astral plane) counts as well.
    """
    first = token[:1]
    if first == " ":
        return True
    if first < "\u0e00":
        return False
    return (
        "\u0e00" <= first <= "\u0eff"
        or "\u3040" <= first <= "\u9fff"
        or "\udce3" <= first <= "\udce9"
        or "\udcf0" <= first <= "\udcf4"
        or "\uf900" <= first <= "\ufaff"
        or first >= "\U00010000"
    )


def whole_words(tokens: Sequence[str], count: int) -> int:
    """The largest number of tokens <= `count` after which a new word begins.

    A word is known to be complete only when the token after it is there and begins a word.
    """
    while count > 0:
        if count < len(tokens) and begins_word(tokens[count]):
            return count
        count -= 1
    return 0


def snap(evidence: Evidence, count: int) -> int:
    """`whole_words`, but the candidate's last word is let go when the speaker has paused after it."""
    tokens = evidence.candidate.tokens
    if count == len(tokens) and silent(evidence, RELEASE_MS):
        return count
    return whole_words(tokens, count)


def silent(evidence: Evidence, milliseconds: int) -> bool:
    """Whether the speaker is known to have been silent for that long."""
    activity = evidence.source.activity
    return activity is not None and activity.silence >= milliseconds * SAMPLES_PER_MS


def count_words(tokens: Sequence[str], inside: bool = False) -> int:
    """How many words `tokens` begin; `inside`: they continue text, so that a first token without space begins none."""
    begun = sum(map(begins_word, tokens))
    return begun + (not inside and bool(tokens) and not begins_word(tokens[0]))


def word_starts(tokens: Sequence[str]) -> list[int]:
    """The index of each word's first token; the first token begins a word in any case."""
    starts = [i for i, token in enumerate(tokens) if begins_word(token)]
    return starts if not tokens or starts[:1] == [0] else [0, *starts]


@lru_cache(maxsize=8192)
def key(text: str) -> str:
    """What is left of a token or word when case, punctuation and spaces do not count."""
    if text.isascii():
        bare = text if text.isalnum() else "".join(filter(str.isalnum, text))
        return bare.lower()
    kept = (c for c in text if unicodedata.category(c)[0] not in _SPEECHLESS or "\udc80" <= c <= "\udcff")
    return "".join(kept).casefold()
