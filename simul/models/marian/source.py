"""A sentence of the source as a student is to read it: with case and punctuation, without capitals throughout."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from simul.models.marian.folder import Students, Target
from simul.models.marian.written import is_spoken, written
from simul.models.translation.kept.tongues import bare, is_in


@dataclass(frozen=True)
class SourceText:
    """What the network reads, and the same words with their case, in which names show.

    upper: the source is in capitals throughout, and so will the translation be. copied: it is in the target language.
    """

    text: str
    cased: str
    upper: bool = False
    copied: bool = False


def as_read(
    words: Sequence[str], complete: bool, students: Students, into: Target, target: str, fold: bool
) -> SourceText:
    """The words of a sentence as the decoder `into` has learnt to read them.

    fold: capitals are folded, and a text that is in the target language is told.
    """
    text = " ".join(words)
    if fold and is_in(words, target, students.source):
        return SourceText(text, text, copied=True)
    if fold and is_shouted(words):
        folded = _folded(words, students)
        return SourceText(folded, folded, upper=True)
    if not is_spoken(text):
        return SourceText(text, text)
    cased = (students.restorer or written)(text, complete)
    return SourceText(text if into.spoken else cased, cased)


def is_shouted(words: Sequence[str]) -> bool:
    """Whether a text is in capitals throughout: two words of two letters or more, and no small letter.

    >>> is_shouted("THE DOOR IS OPEN.".split()), is_shouted("NASA said so".split())
    (True, False)
    """
    text = " ".join(words)
    return text == text.upper() and sum(sum(c.isalpha() for c in word) > 1 for word in words) > 1


def _folded(words: Sequence[str], students: Students) -> str:
    """Words in capitals as they would be written otherwise; their marks stay."""
    lower = [word.lower() for word in words]
    plain = [bare(word) or word for word in lower]
    cased = (students.restorer or written)(" ".join(plain), False).split()
    found = []
    begins = True
    for word, core, shown in zip(lower, plain, cased, strict=True):
        capital = begins or shown[:1].isupper()
        found.append(word.replace(core, core[:1].upper() + core[1:], 1) if capital else word)
        begins = word[-1:] in ".!?"
    return " ".join(found)
