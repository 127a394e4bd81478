"""Terms that a translation must call as it was told to."""

from __future__ import annotations

import re
from collections.abc import Sequence

from simul.models.translation.kept.demands import Demand, searching

BENT = 5
"""Words of so many letters may end otherwise, as cases and numbers ask."""
_BARE = re.compile(r"^\W+|(?:['’]s)?\W*$")


def term_demands(words: Sequence[str], terms: Sequence[tuple[str, str]]) -> list[Demand]:
    """What some source words ask of a translation where they are terms; the longer term where two begin alike.

    Case does not count, nor do possessives and marks around a term.

    >>> (found,) = term_demands("The Red Cross's tent.".split(), [("red cross", "Rotes Kreuz")])
    >>> found.first, found.last, found.forms
    (1, 3, ('Rotes Kreuz',))
    """
    plain = [_bare(word) for word in words]
    wanted = sorted(((term.split(), text) for term, text in terms), key=lambda pair: -len(pair[0]))
    listed = [([_bare(part) for part in parts], text) for parts, text in wanted]
    found: list[Demand] = []
    place = 0
    while place < len(words):
        for parts, text in listed:
            if plain[place : place + len(parts)] == parts:
                found.append(Demand("term", place, place + len(parts), searching(_pattern(text)), (text,)))
                place += len(parts) - 1
                break
        place += 1
    return found


def _bare(word: str) -> str:
    return _BARE.sub("", word).casefold() or word


def _pattern(text: str) -> re.Pattern[str]:
    """Matches a text however its longer words end."""
    bent = (re.escape(w[:-1]) + r"\w{0,3}" if len(w) >= BENT else re.escape(w) for w in text.split())
    return re.compile(r"(?<!\w)" + r"\W+".join(bent) + r"(?!\w)", re.IGNORECASE)
