"""Where sentences end in recognised text, told by its punctuation: translators are trained on single sentences."""

from __future__ import annotations

import re
from collections.abc import Sequence

_END = re.compile(r"[.!?…]+[\"'”’»)\]]*$")
_OPENING = "\"'“‘«([¿¡„—–-"
_INITIALS = re.compile(r"^\W*(?:[^\W\d_]\.)+$")
"""One letter and a full stop, or several such: J., U.S., z.B."""
_NUMBER = re.compile(r"^\W*\d{1,2}\.$")
_ABBREVIATIONS = """
adm apr aug ave bros bzw ca capt cf co col corp dec dept dipl dr dra ed esq est etc ev evtl feb ff fig fr ft gen gov hon
hr inc jan jr ltd lt maj mar mgr mlle mm mme mons mr mrs ms mt nov nr no oct op pp pres prof rep rev sen sep sept sgt sr
sra srta st sta ste str tel ud usw vgl vol vs z
"""
_SHORT = frozenset(_ABBREVIATIONS.split())


def sentence_spans(words: Sequence[str], language: str = "en") -> list[tuple[int, int]]:
    """First word and the one behind the last of each sentence; one span for words without inner ends.

    A sentence ends at a full stop, a question or exclamation mark if a capital, a digit or an opening mark follows and
    the word is no abbreviation, initial or (in German) ordinal number.

    >>> sentence_spans("Mr. Smith left. Who knows?".split())
    [(0, 3), (3, 5)]
    """
    spans, begin = [], 0
    for at in range(1, len(words)):
        if _ends(words[at - 1], language) and _begins(words[at]):
            spans.append((begin, at))
            begin = at
    return [*spans, (begin, len(words))] if words else []


def _ends(word: str, language: str) -> bool:
    if not _END.search(word):
        return False
    if word.endswith(".") and (_INITIALS.match(word) or (language == "de" and _NUMBER.match(word))):
        return False
    return not word.endswith(".") or word.strip(_OPENING + ".").lower() not in _SHORT


def _begins(word: str) -> bool:
    bare = word.lstrip(_OPENING)
    return bool(bare) and (bare[0].isupper() or bare[0].isdigit() or not bare[0].isalpha())
