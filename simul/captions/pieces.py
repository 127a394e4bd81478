"""Where a line of a subtitle may be broken: text to pieces that stay together.

Thai, Japanese and Chinese are cut into phrases by BudouX, all other text at spaces; Lao, Khmer and Burmese, which no
light library segments, between syllables as far as graphemes (`\\X` of `regex`, UAX #29) and the rules below tell them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import regex
from rich.cells import cell_len

from simul.languages import CLAUSE_ENDS, CLOSERS, SENTENCE_ENDS

_SPACE = regex.compile(
    r"[\x00-\x20\x7f-\x9f\u1680\u2000-\u2006\u2008-\u200a\u2028\u2029\u205f\u3000]+|\u200b"
)
"""White space and control characters: a line may end there. No no-break spaces, no figure space in numbers."""

_SPACELESS = regex.compile(
    r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}\u3000-\u303f\uff00-\uffef]"
)
_THAI, _HAN = regex.compile(r"\p{Thai}"), regex.compile(r"\p{Han}")
_KANA = regex.compile(r"[\p{Hiragana}\p{Katakana}]")
_GRAPHEME = regex.compile(r"\X")

_CLOSING = SENTENCE_ENDS + CLAUSE_ENDS + CLOSERS + "%‰°€£¥$‐‑–—〉》】〕〗〙〟％）］｝、。・"
_SMALL = "ぁぃぅぇぉっゃゅょゎゕゖァィゥェォッャュョヮヵヶーゝゞヽヾ々〻ๆฯໆ៖៕។ៗ။၊"
_OPENING = "\"'“‘«‹([{„‚¿¡「『（［｛〈《【〔〖〘〝#"
_BEFORE = "เแโใไເແໂໃໄ"
"""Vowels of Thai and Lao that are written before the consonant they are spoken after."""
_STACKING = "\u17d2\u1039\u200d\u2060\ufeff\u00a0\u202f\u2007\u2011"
"""What binds on both sides: signs that put the next consonant below, joiners, no-break spaces and hyphens."""
_ASAT = "\u103a"
_ONLY_CLOSING = regex.compile(rf"[{regex.escape(_CLOSING, special_only=False)}]+")
_ONLY_OPENING = regex.compile(rf"[{regex.escape(_OPENING, special_only=False)}]+")
_DIGITS, _GROUP = regex.compile(r".*\d", regex.DOTALL), regex.compile(r"\d{3}(?!\d)")


@dataclass(frozen=True)
class TextPiece:
    """Characters `start` to `end` of a text, and whether a space stands before them."""

    start: int
    end: int
    space: bool


def columns(text: str) -> int:
    """How wide a text is on the screen, a wide character taking two columns."""
    return cell_len(text)


def pieces(text: str, language: str, width: int) -> list[TextPiece]:
    """Cut `text` into what stays together on a line of `width` columns; longer words are cut between graphemes."""
    found: list[TextPiece] = []
    for start, end, space in _joined(text, list(_between_spaces(text))):
        parts = list(_phrases(text, start, end, language))
        for number, (a, b) in enumerate(_fitting(text, parts, width)):
            found.append(TextPiece(a, b, space if not number else text[a - 1 : a].isspace()))
    return found


def _between_spaces(text: str) -> Iterator[tuple[int, int, bool]]:
    place, space = 0, False
    for gap in [*_SPACE.finditer(text), None]:
        end = len(text) if gap is None else gap.start()
        if end > place:
            yield place, end, space
            space = False
        if gap is not None:
            place, space = gap.end(), space or gap.group() != "\u200b"


def _joined(text: str, words: Sequence[tuple[int, int, bool]]) -> Iterator[tuple[int, int, bool]]:
    """Words with the lone marks that belong to them, and numbers written in groups, whole."""
    held: tuple[int, int, bool] | None = None
    for start, end, space in words:
        if held is None:
            held = start, end, space
        elif _belong(text[held[0] : held[1]], text[start:end]):
            held = held[0], end, held[2]
        else:
            yield held
            held = start, end, space
    if held is not None:
        yield held


def _belong(left: str, right: str) -> bool:
    last = left.rpartition(" ")[2]
    if _ONLY_CLOSING.fullmatch(right) or _ONLY_OPENING.fullmatch(last):
        return True
    return bool(_DIGITS.fullmatch(last) and _GROUP.match(right))


def _phrases(text: str, start: int, end: int, language: str) -> Iterator[tuple[int, int]]:
    """A stretch between spaces, cut further where its script has none."""
    stretch = text[start:end]
    if not _SPACELESS.search(stretch):
        yield start, end
        return
    borders = _grapheme_borders(stretch)
    wanted = _phrase_borders(stretch, language)
    place = 0
    for border in sorted(borders if wanted is None else borders & wanted):
        if place < border < len(stretch) and may_break(stretch, border):
            yield start + place, start + border
            place = border
    yield start + place, end


def _phrase_borders(text: str, language: str) -> set[int] | None:
    """Where BudouX ends a phrase; None where it does not know the script."""
    model = _model_of(text, language)
    if model is None:
        return None
    place, found = 0, set()
    for phrase in _parser(model).parse(text):
        place += len(phrase)
        found.add(place)
    return found


def _model_of(text: str, language: str) -> str | None:
    if _THAI.search(text):
        return "thai"
    if _KANA.search(text) or (language.startswith("ja") and _HAN.search(text)):
        return "japanese"
    if _HAN.search(text):
        traditional = language.lower().startswith(("yue", "zh-tw", "zh-hk", "zh-hant"))
        return "traditional_chinese" if traditional else "simplified_chinese"
    return None


@cache
def _parser(model: str) -> Any:
    import budoux

    return getattr(budoux, f"load_default_{model}_parser")()


def _grapheme_borders(text: str) -> set[int]:
    return {found.end() for found in _GRAPHEME.finditer(text)}


def may_break(text: str, place: int) -> bool:
    """Whether a line may end before character `place`, which is the border of a grapheme."""
    before, after = text[place - 1], text[place]
    if after in _CLOSING or after in _SMALL or after in _STACKING:
        return False
    if before in _OPENING or before in _BEFORE or before in _STACKING:
        return False
    if before.isascii() and after.isascii() and before.isalnum() and after.isalnum():
        return False
    # A consonant with the sign that silences it ends a Burmese syllable.
    return text[place + 1 : place + 2] != _ASAT


def _fitting(text: str, parts: Sequence[tuple[int, int]], width: int) -> Iterator[tuple[int, int]]:
    """`parts`, those wider than `width` cut at spaces, else where a line may break, else between any graphemes."""
    for start, end in parts:
        while columns(text[start:end]) > width:
            cut = _cut(text, start, end, width)
            yield start, cut
            start = cut
            while start < end and _SPACE.match(text, start):
                start += 1
        if end > start:
            yield start, end


def _cut(text: str, start: int, end: int, width: int) -> int:
    """The last good place at which the text from `start` on is at most `width` wide."""
    place, taken, good, spaced = start, 0, 0, 0
    for grapheme in _GRAPHEME.finditer(text, start, end):
        taken += columns(grapheme.group())
        if taken > width and place > start:
            break
        if place > start and _SPACE.match(text, place):
            spaced = place
        elif place > start and may_break(text, place):
            good = place
        place = grapheme.end()
    if place < end and _SPACE.match(text, place):
        return place
    if place < end and may_break(text, place):
        good = place
    return spaced or good or place
