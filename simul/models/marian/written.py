"""Recognised English words as a student expects them that has read written text only."""

from __future__ import annotations

import re

_FIRST_PERSON = re.compile(r"(?<![^\W_])i(?=$| |')")
_MARKS = frozenset(".,;:!?")


def is_spoken(text: str) -> bool:
    """Whether a text has neither capitals nor punctuation, as recognised words have."""
    return text == text.lower() and not _MARKS & set(text)


def written(text: str, complete: bool) -> str:
    """Recognised words with a first capital, "I", and a full stop where they are a complete sentence.

    Words stay where they are; a text that has capitals or punctuation stays as it is.

    >>> written("tomorrow i'll go", True)
    "Tomorrow I'll go."
    """
    if not text or not is_spoken(text):
        return text
    text = _FIRST_PERSON.sub("I", text)
    return text[0].upper() + text[1:] + ("." if complete else "")
