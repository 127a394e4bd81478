"""Settled text as a list of pieces that a log deletes from its end and adds to, as simulstream wants it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from simul.session.events import Event
from simul.session.transcript import Transcript

SPACE = "▁"
"""What stands for a space in a piece, as in SentencePiece."""


def pieces_of(text: str) -> list[str]:
    """`text` cut before its words, one character of a piece per character of text."""
    return [re.sub(r"\s", SPACE, piece) for piece in re.findall(r"\s*\S+|\s+$", text)]


def text_of(pieces: Sequence[str]) -> str:
    """The text of pieces."""
    return "".join(pieces).replace(SPACE, " ")


class Pieces:
    """The settled text of a stream, piece by piece."""

    def __init__(self, language: str) -> None:
        self._transcript = Transcript(language)
        self._all: list[str] = []

    def segment_end(self) -> None:
        """What follows belongs to a further segment."""
        self._transcript.border()

    def take(self, events: Iterable[Event]) -> tuple[list[str], list[str]]:
        """What `events` add and what they delete first, which is the end of what stood before.

        A retraction that ends inside a piece deletes it whole and adds what is left of it.
        """
        standing = len(self._all)
        deleted: list[str] = []
        for event in events:
            change = self._transcript.push(event)
            rest = change.removed
            while rest > 0:
                piece = self._all.pop()
                if len(self._all) < standing:
                    standing -= 1
                    deleted.insert(0, piece)
                rest -= len(piece)
                if rest < 0:
                    self._all.append(piece[:-rest])
            self._all += pieces_of(change.added)
        return self._all[standing:], deleted
