"""Settled text for programs that only append: whole words, each written when it is over."""

from __future__ import annotations

from collections.abc import Iterable

from simul.session.events import Event, Settled
from simul.session.transcript import Transcript


class WordWriter:
    """Collects events and hands out text that may be appended.

    With `words`, text ends at the end of a word: the last word is kept back as long as the tail goes on
    inside it. `lengthened` counts words that were handed out and made longer all the same, which happens to
    policies that settle parts of words.
    """

    def __init__(self, language: str, words: bool = True) -> None:
        self._transcript = Transcript(language)
        self._words = words
        self._kept = ""
        self._open = False
        self.lengthened = 0

    def take(self, events: Iterable[Event], final: bool = False) -> str:
        """The text to append after `events`; `final`: the stream is over, and nothing is kept back."""
        for event in events:
            change = self._transcript.push(event)
            if isinstance(event, Settled):
                self._settle(change.added)
        count = len(self._kept)
        tail = self._transcript.tail
        if self._words and not final and tail and not tail[0].isspace():
            while count and not self._kept[count - 1].isspace():
                count -= 1
        text, self._kept = self._kept[:count], self._kept[count:]
        if text:
            self._open = not text[-1].isspace()
        return text.strip() if self._words else text

    def _settle(self, text: str) -> None:
        if self._words and self._open and not self._kept and text and not text[0].isspace():
            self.lengthened += 1
        self._kept += text
