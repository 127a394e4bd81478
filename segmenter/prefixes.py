"""Abbreviations whose full stop stays attached, per language, in lower case."""

from __future__ import annotations

import string
from functools import cache

_LETTERS = frozenset(string.ascii_lowercase)
_ROMAN = frozenset(a + b for a in ("", "x") for b in ("", *"i ii iii iv v vi vii viii ix x".split()))
_ABBREVIATIONS = {
    "en": "v vs rev",
}


@cache
def prefixes(lang: str) -> frozenset[str]:
    """Abbreviations of a language; those of English for an unknown one."""
    if lang == "de":
        return _LETTERS | _ROMAN | {str(number) for number in range(1, 100)}
    return frozenset(_ABBREVIATIONS.get(lang, _ABBREVIATIONS["en"]).split())


@cache
def numeric_prefixes(lang: str) -> frozenset[str]:
    """Abbreviations whose full stop stays only before a digit."""
    return frozenset()
