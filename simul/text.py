"""Putting text together from tokens without ever showing half a character."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from policies.words import begins_word


def token_bytes(tokens: Sequence[str]) -> bytes:
    """The bytes of joined tokens; surrogate escapes stand for bytes of unfinished characters."""
    return "".join(tokens).encode("utf-8", "surrogateescape")


def surface(raw: bytes) -> str:
    """A token string for raw model bytes that may begin or end inside a character."""
    return raw.decode("utf-8", "surrogateescape")


class Detokenizer:
    """Joins a stream of tokens; bytes of an unfinished character wait until the rest arrives."""

    def __init__(self) -> None:
        self._held = b""

    def copy(self) -> Detokenizer:
        """A second one at the same place."""
        other = Detokenizer()
        other._held = self._held
        return other

    def push(self, tokens: Sequence[str]) -> str:
        """The text that the tokens complete."""
        raw = self._held + token_bytes(tokens)
        whole = len(raw) - unfinished(raw)
        self._held = raw[whole:]
        return raw[:whole].decode("utf-8", "replace")

    def preview(self, tokens: Sequence[str]) -> str:
        """The text that the tokens would complete, without taking them in."""
        raw = self._held + token_bytes(tokens)
        return raw[: len(raw) - unfinished(raw)].decode("utf-8", "replace")

    def flush(self) -> str:
        """What is left at the end of a segment: a replacement character if a character never became whole."""
        rest, self._held = self._held, b""
        return rest.decode("utf-8", "replace")


def join(tokens: Sequence[str]) -> str:
    """The text of tokens on their own, cut before an unfinished last character."""
    return Detokenizer().push(tokens)


def unfinished(raw: bytes) -> int:
    """How many bytes at the end of `raw` belong to a character whose last byte is missing."""
    for back in range(1, min(3, len(raw)) + 1):
        byte = raw[-back]
        if byte >= 0xC0:
            need = 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
            return back if back < need else 0
        if byte < 0x80:
            return 0
    return 0


_JOINERS = "-'’\u2010\u2011\u00b7"
"""Punctuation that may stand inside a word."""


def follows_word(token: str) -> bool:
    """Whether a token can stand after a complete word without making it longer: it begins a word, or is punctuation."""
    if begins_word(token):
        return True
    return bool(token) and all(c not in _JOINERS and unicodedata.category(c)[0] == "P" for c in token)
