"""Word error rate: edits between what was said and what was understood, on normalised words."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from simul.evaluation.records import latency_unit

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


def distance(reference: Sequence[str], hypothesis: Sequence[str]) -> int:
    """Levenshtein distance of two sequences: substitutions, insertions and deletions cost 1 each."""
    numbers: dict[str, int] = {}
    ref, hyp = (
        np.array([numbers.setdefault(w, len(numbers)) for w in s], np.int64) for s in (reference, hypothesis)
    )
    places = np.arange(len(hyp) + 1)
    row = places.copy()
    for word in ref:
        following = np.empty_like(row)
        following[0] = row[0] + 1
        following[1:] = np.minimum(row[1:] + 1, row[:-1] + (hyp != word))
        # An insertion comes from the left: the best start of a run of insertions, plus its length.
        row = np.minimum.accumulate(following - places) + places
    return int(row[-1])


def word_errors(pairs: Iterable[tuple[str, str]], language: str = "en") -> WordErrors:
    """Errors over (reference, hypothesis) texts."""
    edits = words = 0
    for reference, hypothesis in pairs:
        expected = normalise(reference, language)
        edits += distance(expected, normalise(hypothesis, language))
        words += len(expected)
    return WordErrors(edits, words)
