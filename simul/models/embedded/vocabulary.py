"""The words of the embedded recogniser's language model: the English that is not rare."""

from __future__ import annotations

from functools import cache

from simul.models.embedded.sphinx import shipped_model

FIRST = b"</s>\0"
"""A word that stands among the first of the list at the end of the file, which is in the order of bytes."""


@cache
def known_words() -> frozenset[str]:
    """About 100,000 English words in lower case."""
    data = shipped_model().read_bytes()
    listed = data[data.rindex(FIRST) :].split(b"\0")
    return frozenset(word.decode("utf-8") for word in listed if word and not word.startswith(b"<"))
