"""Word error rate: edits between what was said and what was understood, on normalised words or as they are written."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

from rapidfuzz.distance import Levenshtein

from simul.languages import latency_unit

_NOT_WORD = re.compile(r"[^\w']+|_")
_WRITTEN = re.compile(r"\w+(?:'\w+)*|[.,;:?!]")
_MARKS = re.compile(r"[.,;:?!]")
_LOOSE_APOSTROPHE = re.compile(r"(?<!\w)'|'(?!\w)")


@dataclass(frozen=True)
class WordErrors:
    """Edits (substitutions, insertions, deletions) against `words` words of reference; marks count as words where the
    written form is compared."""

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


def written(text: str) -> list[str]:
    """Words of `text` with their case, and the marks . , ; : ? ! by themselves; other punctuation separates."""
    return _WRITTEN.findall(unicodedata.normalize("NFKC", text).replace("’", "'"))


def is_written(text: str) -> bool:
    """Whether a text has case and punctuation, so that the written form of another can be compared with it."""
    return text != text.lower() and bool(_MARKS.search(text))


def written_errors(pairs: Iterable[tuple[str, str]]) -> WordErrors:
    """Errors in words, case and punctuation over the (reference, hypothesis) texts whose reference has both."""
    edits = words = 0
    for reference, hypothesis in pairs:
        if is_written(reference):
            expected = written(reference)
            edits += Levenshtein.distance(expected, written(hypothesis))
            words += len(expected)
    return WordErrors(edits, words)
