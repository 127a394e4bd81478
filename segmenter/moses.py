"""Tokens of one word as the Moses tokeniser (version 1.1, aggressive hyphens, no escaping) would cut it.

Before tokenisation a word is put into Unicode normal form NFKC and lower-cased. Of 2,313 reference words this cuts all
as the script in Perl does, sacremoses 2,178, in 28 instead of 16 µs a word (`python -m benchmarks.own_code moses`); a
word that is aligned into another segment moves scores. mosestokenizer runs the script itself and so needs Perl.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from functools import lru_cache

from segmenter.alphabetic import OTHER_ALPHABETIC
from segmenter.prefixes import numeric_prefixes, prefixes

UNTOKENISED = frozenset({"zh", "ja"})
"""Languages whose words are compared whole."""

# The rules look at classes of characters. Each class is one letter, a word becomes a string of such letters:
# s the letter s, a other Alphabetic, l Alphabetic and a number, d decimal digit, n other number, _ space,
# . ' ` , - themselves, m a run of dots, p anything else.
_LETTER, _ALNUM, _NUMBER = "[sal]", "[sald]", "[ldn]"
_NOT_LETTER, _NOT_NUMBER, _NEITHER = "[^sal]", "[^ldn]", "[^saldn]"

_OTHER_ALPHABETIC_STARTS = [first for first, _ in OTHER_ALPHABETIC]


# One pass each, in this order: where it acts (group x), and whether a space goes before and after.
_COMMAS = (
    (f"{_NOT_NUMBER}(?P<x>,)", True, True),
    (f"(?P<x>,){_NOT_NUMBER}", True, True),
)
_APOSTROPHES_EN = (
    (f"{_NOT_LETTER}(?P<x>'){_NOT_LETTER}", True, True),
    (f"{_NEITHER}(?P<x>'){_LETTER}", True, True),
    (f"{_LETTER}(?P<x>'){_NOT_LETTER}", True, True),
    (f"{_LETTER}(?P<x>'){_LETTER}", True, False),
    (f"{_NUMBER}(?P<x>')s", True, False),
)
_APOSTROPHES_ELISION = (
    (f"{_NOT_LETTER}(?P<x>'){_NOT_LETTER}", True, True),
    (f"{_NOT_LETTER}(?P<x>'){_LETTER}", True, True),
    (f"{_LETTER}(?P<x>'){_NOT_LETTER}", True, True),
    (f"{_LETTER}(?P<x>'){_LETTER}", False, True),
)
_APOSTROPHES: dict[str, tuple[tuple[str, bool, bool], ...]] = {
    "en": _APOSTROPHES_EN,
    "fr": _APOSTROPHES_ELISION,
    "it": _APOSTROPHES_ELISION,
}
_APOSTROPHES_OTHER = (("(?P<x>')", True, True),)


def tokenize_word(word: str, lang: str | None) -> list[str]:
    """Tokens of one word after NFKC, lower-casing and Moses tokenisation; none when nothing is left of it.

    lang: language code; unknown ones use the English abbreviations. None, "zh" and "ja" give the word whole.
    """
    return list(_tokenize(word, lang))


@lru_cache(maxsize=1 << 17)
def _tokenize(word: str, lang: str | None) -> tuple[str, ...]:
    text = unicodedata.normalize("NFKC", word).lower()
    if lang is None or lang in UNTOKENISED or (text.isascii() and text.isalnum()):
        return (text,)
    pieces = _Pieces(text)
    pieces.set_off("(?P<x>[pn])", True, True)
    pieces.set_off(f"(?<={_ALNUM})(?P<x>-)(?={_ALNUM})", True, True, "@-@")
    pieces.set_off(r"(?P<x>\.{2,})", True, True)
    for pattern, before, after in _COMMAS + _APOSTROPHES.get(lang, _APOSTROPHES_OTHER):
        pieces.set_off(pattern, before, after)
    return tuple(_split_full_stops(pieces.text().split(" "), lang))


class _Pieces:
    """A word under tokenisation: what it is made of and the class of each piece, in step."""

    def __init__(self, text: str) -> None:
        spaced = "".join(" " if _is_space(char) else char for char in text)
        clean = "".join(char for char in re.sub(" +", " ", spaced) if char >= " ").strip(" ")
        self._pieces = list(clean)
        self._classes = "".join(map(_class_of, clean))

    def set_off(self, pattern: str, before: bool, after: bool, replacement: str | None = None) -> None:
        """Put spaces around group x of each match of ``pattern`` over the classes, left to right."""
        pieces: list[str] = []
        classes: list[str] = []
        done = 0
        for match in re.finditer(pattern, self._classes):
            start, end = match.span("x")
            pieces += self._pieces[done:start]
            pieces += [" "] * before
            pieces.append(replacement or "".join(self._pieces[start:end]))
            pieces += [" "] * after
            kept = match["x"] if end - start == 1 else "m"
            classes += [self._classes[done:start], "_" * before, kept, "_" * after]
            done = end
        self._pieces = pieces + self._pieces[done:]
        self._classes = "".join(classes) + self._classes[done:]

    def text(self) -> str:
        """The pieces in order, tokens separated by one or more spaces."""
        return "".join(self._pieces)


def _is_space(char: str) -> bool:
    return char.isspace() and not "\x1c" <= char <= "\x1f"


@lru_cache(maxsize=1 << 16)
def _class_of(char: str) -> str:
    if char in ".',-`":
        return char
    if char == " ":
        return "_"
    if char == "s":
        return "s"
    category = unicodedata.category(char)
    if category == "Nd":
        return "d"
    if category[0] == "L" or category == "Nl" or _is_other_alphabetic(char):
        return "l" if category[0] == "N" else "a"
    return "n" if category[0] == "N" else "p"


def _is_other_alphabetic(char: str) -> bool:
    place = bisect_right(_OTHER_ALPHABETIC_STARTS, ord(char)) - 1
    return place >= 0 and ord(char) <= OTHER_ALPHABETIC[place][1]


def _split_full_stops(words: list[str], lang: str) -> list[str]:
    """Cut a final full stop off, except after abbreviations and before a lower-case continuation."""
    words = [word for word in words if word]
    tokens: list[str] = []
    for place, word in enumerate(words):
        following = words[place + 1] if place + 1 < len(words) else ""
        stem = word[:-1]
        ends = len(word) > 1 and word[-1] == "." and stem[-1] != "."
        if ends and not (
            ("." in stem and any(_class_of(char) in "sal" for char in stem))
            or stem in prefixes(lang)
            or following[:1].islower()
            or (stem in numeric_prefixes(lang) and "0" <= following[:1] <= "9")
        ):
            tokens += [stem, "."]
        else:
            tokens.append(word)
    return tokens
