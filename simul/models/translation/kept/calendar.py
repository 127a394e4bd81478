"""Weekdays, months and the afternoon of an English text, and how German, Spanish, French and Portuguese say them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from simul.models.translation.kept.tongues import bare

DAYS = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
MONTHS = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
]
_CALLED_SO = frozenset(["march", "april", "may", "june", "august"])
"""Months that are words or first names too."""
_WRITTEN = {
    "de": (
        "Montag Dienstag Mittwoch Donnerstag Freitag Samstag Sonntag",
        "Januar Februar März April Mai Juni Juli August September Oktober November Dezember",
    ),
    "es": (
        "lunes martes miércoles jueves viernes sábado domingo",
        "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
    ),
    "fr": (
        "lundi mardi mercredi jeudi vendredi samedi dimanche",
        "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
    ),
    "pt": (
        "segunda-feira terça-feira quarta-feira quinta-feira sexta-feira sábado domingo",
        "janeiro fevereiro março abril maio junho julho agosto setembro outubro novembro dezembro",
    ),
}
_ALSO = {
    "Samstag": r"\bsonnabend",
    "Januar": r"\bjänner",
    "Februar": r"\bfeber",
    "septiembre": r"\bsetiembre",
    "février": r"\bfevrier",
    "août": r"\baout",
    "décembre": r"\bdecembre",
    **{f"{day}-feira": rf"\b{day}s?\b" for day in ["segunda", "terça", "quarta", "quinta", "sexta"]},
}
"""Other spellings and shorter forms."""
_AFTERNOON = {
    "de": (("Nachmittag",), ("am Nachmittag",), ("heute Nachmittag",), "nachmittag"),
    "es": (("tarde",), ("por la tarde", "la tarde"), ("esta tarde",), r"\btardes?\b"),
    "fr": (("après-midi",), ("l'après-midi",), ("cet après-midi",), "apr[èe]s[- ]midi"),
    "pt": (("tarde",), ("à tarde", "de tarde"), ("esta tarde",), r"\btardes?\b"),
}
"""Alone, behind "in the", behind "this", and how it is found."""


@dataclass(frozen=True)
class Date:
    """What the words [first, last) say: `word` is one of DAYS or MONTHS, or "afternoon"; `before` the words with it."""

    first: int
    last: int
    word: str
    before: str = ""


def find_dates(words: Sequence[str]) -> list[Date]:
    """The weekdays, months and afternoons of an English sentence with its capitals, in order.

    >>> [date.word for date in find_dates("On Friday, 3 May, we may march.".split())]
    ['friday', 'may']
    """
    found = []
    for at in range(len(words)):
        word = re.sub(r"['’]s?$", "", bare(words[at])).lower()
        if word == "afternoon" and bare(words[at - 1]).lower() != "good":
            found.append(_afternoon(words, at))
        elif word.removesuffix("s") in DAYS:
            found.append(Date(at, at + 1, word.removesuffix("s")))
        elif word in MONTHS and (word not in _CALLED_SO or _is_month(words, at)):
            found.append(Date(at, at + 1, word))
    return found


def _is_month(words: Sequence[str], at: int) -> bool:
    """Whether a word that may be a verb or a first name is a month: no beginning and no name explains its capital."""
    if not at or not bare(words[at])[:1].isupper() or words[at - 1][-1:] in ".!?:":
        return False
    after = bare(words[at + 1]) if at + 1 < len(words) and words[at][-1:].isalnum() else ""
    if after[:1].isupper():
        return False
    named = at > 1 and bare(words[at - 1])[:1].isupper() and words[at - 1][-1:].isalnum()
    return not named or bare(words[at - 1]).lower() in DAYS


def _afternoon(words: Sequence[str], at: int) -> Date:
    before = [bare(word).lower() for word in words[max(0, at - 2) : at]]
    if before == ["in", "the"]:
        return Date(at - 2, at + 1, "afternoon", "in the")
    if before[-1:] == ["this"]:
        return Date(at - 1, at + 1, "afternoon", "this")
    return Date(at, at + 1, "afternoon")


def date_forms(date: Date, language: str) -> tuple[str, ...]:
    """What to write, likeliest first."""
    if date.word == "afternoon":
        alone, during, this, _ = _AFTERNOON[language]
        return {"in the": during, "this": this}.get(date.before, alone)
    written = _name(date.word, language)
    article = {"es": "el", "fr": "le"}.get(language) if date.word in DAYS else None
    return (written, f"{article} {written}") if article else (written,)


def _name(word: str, language: str) -> str:
    days, months = _WRITTEN[language]
    return days.split()[DAYS.index(word)] if word in DAYS else months.split()[MONTHS.index(word)]


@cache
def date_pattern(word: str, language: str) -> re.Pattern[str]:
    """Finds what a date says in a text of the language, in its usual forms."""
    if word == "afternoon":
        return re.compile(_AFTERNOON[language][3], re.IGNORECASE)
    name = _name(word, language)
    ending = r"\w*" if language == "de" and word in DAYS else r"(?:s|es|en)?\b"
    also = _ALSO.get(name)
    return re.compile(rf"\b{name}{ending}" + (f"|{also}" if also else ""), re.IGNORECASE)
