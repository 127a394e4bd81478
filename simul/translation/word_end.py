"""Words that are over: what may follow a complete word, and when a committed word is known to be complete."""

from __future__ import annotations

import unicodedata

from policies.words import begins_word

_JOINERS = "-'’\u2010\u2011\u00b7"
"""Punctuation that may stand inside a word."""


def follows_word(token: str) -> bool:
    """Whether a token can stand after a complete word without making it longer: it begins a word, or is punctuation."""
    if begins_word(token):
        return True
    return bool(token) and all(c not in _JOINERS and unicodedata.category(c)[0] == "P" for c in token)


class WordEnd:
    """Whether the last committed word of one segment is over, judged by the candidate it was committed from.

    A policy that holds words commits one when the next has begun. The forced prefix alone does not say so: a
    decoder may continue it with a piece that makes the word longer. So what stood after the committed tokens at
    the time is remembered; a piece that follows a word, or the end of the text, shows that the word was over.
    """

    def __init__(self) -> None:
        self._prefix: tuple[str, ...] = ()
        self._complete = False
        self._text: tuple[str, ...] = ()
        self._ended = False

    def complete(self, prefix: tuple[str, ...]) -> bool:
        """Whether the last word of the committed tokens `prefix` is over; holds until more is committed."""
        if prefix != self._prefix:
            self._prefix, count = prefix, len(prefix)
            known = bool(prefix) and self._text[:count] == prefix
            if known and count < len(self._text):
                self._complete = follows_word(self._text[count])
            else:
                self._complete = known and self._ended
        return self._complete

    def note(self, prefix: tuple[str, ...], tokens: tuple[str, ...], ended: bool) -> None:
        """Remember a pass: what was forced, what followed, and whether the decoder ended the text itself."""
        self._text, self._ended = (*prefix, *tokens), ended
