"""What a recogniser says: words with their place in the stream, and utterances that have ended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from policies.base import Word
from simul.units import SAMPLE_RATE

__all__ = ["Utterance", "Word", "stretches"]

STRETCH_GAP = SAMPLE_RATE // 5
"""Silence between two recognised words, in samples, that ends a stretch."""


@dataclass(frozen=True, slots=True)
class Utterance:
    """A stretch of speech that has ended, with its final words (possibly none).

    `end_sample` is where the audio given to the recogniser stops, the silence that ended the utterance
    included. `cause` tells what ended it: a pause, the length limit, or the end of the stream.
    """

    words: tuple[Word, ...]
    start_sample: int
    end_sample: int
    cause: Literal["pause", "limit", "end"]

    @property
    def text(self) -> str:
        """The words joined by blanks."""
        return " ".join(word.text for word in self.words)


def stretches(words: Sequence[Word], gap: int = STRETCH_GAP) -> list[list[Word]]:
    """Words between pauses of at least `gap` samples."""
    found: list[list[Word]] = []
    for word in words:
        if not found or word.start_sample - found[-1][-1].end_sample >= gap:
            found.append([])
        found[-1].append(word)
    return found
