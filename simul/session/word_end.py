"""Words that are over: what may follow a complete word, and when a committed word is known to be complete."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from simul.languages import SPACELESS
from simul.text import follows_word


class WordEnd:
    """Whether the last committed word of one segment is over, judged by the candidate it was committed from.

    A policy that holds words commits one when the next has begun. The forced prefix alone does not say so: a
    decoder may continue it with a piece that makes the word longer. So what stood after the committed tokens at
    the time is remembered; a piece that follows a word, or the end of the text, shows that the word was over.

    target: the language of the text. Where no spaces are written a piece does not say whether it begins a word (a
    number, a foreign name), so there no word counts as over.
    """

    def __init__(self, target: str) -> None:
        self.write(target)
        self._prefix: tuple[str, ...] = ()
        self._complete = False
        self._text: tuple[str, ...] = ()
        self._forced = 0
        self._ended = False

    def write(self, target: str) -> None:
        """The language of the text from here on."""
        self._spaces = target not in SPACELESS

    def complete(self, prefix: tuple[str, ...]) -> bool:
        """Whether the last word of the committed tokens `prefix` is over; holds until more is committed.

        A prefix whose first tokens have been trimmed away is known by its last ones.
        """
        if prefix != self._prefix:
            trimmed = bool(prefix) and self._prefix[-len(prefix) :] == prefix
            if not trimmed:
                self._complete = self._spaces and bool(prefix) and self._was_over(prefix)
            self._prefix = prefix
        return self._complete

    def _was_over(self, prefix: tuple[str, ...]) -> bool:
        """Whether the remembered text has `prefix`, and after it what shows that its last word was over."""
        text, count = self._text, len(prefix)
        for end in (count, *range(max(count, self._forced), len(text) + 1)):
            if text[end - count : end] == prefix:
                return follows_word(text[end]) if end < len(text) else self._ended
        return False

    def note(self, prefix: tuple[str, ...], tokens: tuple[str, ...], ended: bool) -> None:
        """Remember a pass: what was forced, what followed, and whether the decoder ended the text itself."""
        self._text, self._forced, self._ended = (*prefix, *tokens), len(prefix), ended

    def dump(self) -> dict[str, Any]:
        """All that changes, as plain JSON values."""
        return {
            "prefix": list(self._prefix),
            "complete": self._complete,
            "text": list(self._text),
            "forced": self._forced,
            "ended": self._ended,
        }

    def load(self, dumped: Mapping[str, Any]) -> None:
        """Go on from what `dump` gave."""
        self._prefix, self._text = tuple(dumped["prefix"]), tuple(dumped["text"])
        self._complete, self._forced, self._ended = dumped["complete"], dumped["forced"], dumped["ended"]
