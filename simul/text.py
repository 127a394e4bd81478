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

    @property
    def held(self) -> str:
        """The bytes that wait, as surrogate escapes."""
        return surface(self._held)

    @classmethod
    def holding(cls, held: str) -> Detokenizer:
        """One that waits with the bytes that another `held`."""
        made = cls()
        made._held = token_bytes([held])
        return made

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


def word_ranges(pieces: Sequence[str], spaceless: bool) -> list[tuple[int, int]]:
    """Token ranges of words: from one leading space to the next, or, without spaces, one whole character on.

    Punctuation stays with the word before it.
    """
    ranges: list[tuple[int, int]] = []
    begin = 0
    for i in range(1, len(pieces) + 1):
        if i < len(pieces):
            piece = pieces[i]
            whole = not _half(pieces[begin:i])
            new = piece.startswith(" ") or (
                spaceless and whole and not _half([piece]) and not _punctuation(piece)
            )
            if not (new and whole):
                continue
        ranges.append((begin, i))
        begin = i
    return ranges


def _half(pieces: Sequence[str]) -> bool:
    """Whether the pieces end or begin inside a character."""
    return any("\udc80" <= char <= "\udcff" for char in _joined(pieces))


def _joined(pieces: Sequence[str]) -> str:
    """The pieces joined, with surrogate escapes only where a character is still incomplete."""
    return "".join(pieces).encode("utf-8", "surrogateescape").decode("utf-8", "surrogateescape")


def _punctuation(piece: str) -> bool:
    return all(unicodedata.category(char).startswith("P") for char in piece)
