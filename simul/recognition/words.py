"""What a recogniser says: words with their place in the stream, and utterances that have ended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Word:
    """One recognised word.

    `start_sample` and `end_sample` (exclusive) count samples from the start of the stream. `confidence` is
    the word's posterior probability in the final lattice, or None while the utterance is still open.
    """

    text: str
    start_sample: int
    end_sample: int
    confidence: float | None = None


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
