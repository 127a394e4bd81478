"""Word error rate: edits between what was said and what was understood, on normalised words."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

from rapidfuzz.distance import Levenshtein

from simul.languages import latency_unit

_NOT_WORD = re.compile(r"[^\w']+|_")
_LOOSE_APOSTROPHE = re.compile(r"(?<!\w)'|'(?!\w)")


@dataclass(frozen=True)
class WordErrors:
    """Edits (substitutions, insertions, deletions) against `words` words of reference."""

    edits: int
    words: int

    @property
    def rate(self) -> float:
        """Edits per word of reference, in percent; NaN without reference words."""
        return 100 * self.edits / self.words if self.words else float("nan")


def normalise(text: str, language: str = "en") -> list[str]:
    """Words of `text` in lower case without punctuation; characters in languages without spaces.

    Apostrophes inside words stay ("don't"), hyphens separate, compatibility characters are unified (NFKC).
    """
    plain = unicodedata.normalize("NFKC", text).replace("’", "'").casefold()
    words = _NOT_WORD.sub(" ", _LOOSE_APOSTROPHE.sub(" ", plain)).split()
    return list("".join(words)) if latency_unit(language) == "char" else words


def word_errors(pairs: Iterable[tuple[str, str]], language: str = "en") -> WordErrors:
    """Errors over (reference, hypothesis) texts; substitutions, insertions and deletions count 1 each."""
    edits = words = 0
    for reference, hypothesis in pairs:
        expected = normalise(reference, language)
        edits += Levenshtein.distance(expected, normalise(hypothesis, language))
        words += len(expected)
    return WordErrors(edits, words)
