"""Clock times of an English text, and how German, Spanish, French and Portuguese say them."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from simul.models.translation.kept.numbers import VALUES, words_of
from simul.models.translation.kept.tongues import bare

_CLOCK = re.compile(r"(\d{1,2})[:.](\d{2})(am|pm|a\.m|p\.m)?")
_HALF_DAY = re.compile(r"(?:[ap]\.?m\.?)", re.IGNORECASE)
_JOINED = re.compile(r"(\d{1,2})(am|pm|a\.m|p\.m)", re.IGNORECASE)
_PAST, _TO = ("past", "after"), ("to", "before", "till", "of")
_MINUTES = (5, 10, 15, 20, 25)
_FOLLOWING = """
in when and at on tomorrow today yesterday before after or but because so until every we i he she they it you with
for from then already now tonight is was o'clock o’clock am pm sharp
"""
_AFTER = frozenset(_FOLLOWING.split())
"""Words that may follow a time such as ten to twelve, which is none where something is counted."""


@dataclass(frozen=True)
class ClockTime:
    """A time said in the words [first, last).

    hour: 0 to 23. said: in words, not in digits. at: "at" is before it. exact: it is not on the twelve-hour clock.
    """

    first: int
    last: int
    hour: int
    minute: int
    said: bool
    at: bool
    exact: bool = False

    @property
    def digits(self) -> str:
        """As in 8:30."""
        return f"{self.hour}:{self.minute:02d}"


def find_times(words: Sequence[str]) -> list[ClockTime]:
    """The clock times of an English text, in order.

    >>> [(t.first, t.last, t.digits) for t in find_times("Come at half past eight.".split())]
    [(1, 5, '8:30')]
    """
    lower = [bare(word).lower() for word in words]
    found: list[ClockTime] = []
    at = 0
    while at < len(words):
        time = next((t for find in _WAYS if (t := find(words, lower, at)) is not None), None)
        if time is None:
            at += 1
            continue
        before = time.first > 0 and lower[time.first - 1] == "at"
        morning = lower[time.last : time.last + 3] == ["in", "the", "morning"]
        exact = time.exact or (morning and time.hour < 12)
        found.append(replace(time, first=time.first - before, at=before, exact=exact))
        at = time.last
    return found


def _number(lower: Sequence[str], at: int) -> int | None:
    """The value of a word."""
    if at >= len(lower):
        return None
    word = lower[at]
    return int(word) if re.fullmatch(r"\d{1,2}", word) else VALUES.get(word)


def _hour(lower: Sequence[str], at: int) -> int | None:
    value = _number(lower, at)
    return value if value is not None and 1 <= value <= 12 else None


def _closed(words: Sequence[str], at: int) -> bool:
    """A mark stands behind a word."""
    return words[at][-1:] in ",.;:!?"


def _to_or_past(
    words: Sequence[str], lower: Sequence[str], first: int, at: int, minutes: int
) -> ClockTime | None:
    """Minutes, then past or to, then an hour."""
    hour = _hour(lower, at + 1)
    if hour is None or lower[at] not in _PAST + _TO:
        return None
    last = at + 2 + (at + 2 < len(lower) and lower[at + 2] in ("o'clock", "o’clock"))
    if lower[at] in _PAST:
        return ClockTime(first, last, hour, minutes, True, False)
    return ClockTime(first, last, hour - 1 or 12, 60 - minutes, True, False)


def _half(words: Sequence[str], lower: Sequence[str], at: int) -> ClockTime | None:
    if lower[at] == "half" and at + 2 < len(lower) and lower[at + 1] == "past":
        return _to_or_past(words, lower, at, at + 1, 30)
    return None


def _quarter(words: Sequence[str], lower: Sequence[str], at: int) -> ClockTime | None:
    place = at + (lower[at] == "a")
    if place + 2 < len(lower) and lower[place] == "quarter":
        return _to_or_past(words, lower, at, place + 1, 15)
    return None


def _minutes(words: Sequence[str], lower: Sequence[str], at: int) -> ClockTime | None:
    value = _number(lower, at)
    last = at + 1
    if value is not None and value in (20,) and last < len(lower) and lower[last] == "five":
        value, last = 25, last + 1
    if lower[at] == "twenty-five":
        value = 25
    if value is None or last >= len(lower):
        return None
    named = lower[last] in ("minutes", "minute")
    place = last + named
    if place + 1 >= len(lower) or not ((named and 0 < value < 30) or value in _MINUTES):
        return None
    if lower[at].isdigit() and not named:
        return None
    found = _to_or_past(words, lower, at, place, value)
    if found is None or named:
        return found
    if at and lower[at - 1] in ("from", "between", "the", "last", "first", "for"):
        return None
    end = found.last
    if end == len(lower) or _closed(words, end - 1) or lower[end] in _AFTER:
        return found
    return None


def _o_clock(words: Sequence[str], lower: Sequence[str], at: int) -> ClockTime | None:
    hour = _hour(lower, at)
    if hour is not None and at + 1 < len(lower) and lower[at + 1] in ("o'clock", "o’clock"):
        return ClockTime(at, at + 2, hour, 0, True, False)
    return None


def _digits(words: Sequence[str], lower: Sequence[str], at: int) -> ClockTime | None:
    match = _CLOCK.fullmatch(lower[at])
    if not match or int(match[1]) > 23 or int(match[2]) > 59 or ("." in lower[at][:3] and not match[3]):
        return None
    return _half_day(lower, at, at + 1, int(match[1]), int(match[2]), match[3])


def _with_half_day(words: Sequence[str], lower: Sequence[str], at: int) -> ClockTime | None:
    match = _JOINED.fullmatch(lower[at])
    if match and 0 < int(match[1]) <= 12:
        return _half_day(lower, at, at + 1, int(match[1]), 0, match[2])
    hour = _hour(lower, at)
    if hour is not None and at + 1 < len(lower) and _HALF_DAY.fullmatch(lower[at + 1]):
        return _half_day(lower, at, at + 1, hour, 0, None)
    return None


def _half_day(
    lower: Sequence[str], at: int, last: int, hour: int, minute: int, told: str | None
) -> ClockTime:
    """With a.m. or p.m. in the same word, in the next one, or nowhere."""
    if told is None and last < len(lower) and _HALF_DAY.fullmatch(lower[last]):
        told, last = lower[last], last + 1
    if told and told[0].lower() == "p" and hour < 12:
        hour += 12
    elif told and told[0].lower() == "a" and hour == 12:
        hour = 0
    return ClockTime(at, last, hour, minute, False, False, told is not None or hour > 12)


def _bare_words(words: Sequence[str], lower: Sequence[str], at: int) -> ClockTime | None:
    """At eight thirty."""
    hour = _hour(lower, at)
    if hour is None or at == 0 or lower[at - 1] not in ("at", "until", "till", "by", "before", "after"):
        return None
    if at + 1 >= len(lower) or _closed(words, at) or lower[at].isdigit():
        return None
    parts = lower[at + 1].split("-")
    values = [VALUES.get(part, -1) for part in parts]
    if min(values) < 0 or not 10 <= sum(values) < 60:
        return None
    last = at + 2
    if values[-1] >= 20 and last < len(lower) and 0 < VALUES.get(lower[last], 0) < 10:
        values, last = [*values, VALUES[lower[last]]], last + 1
    return ClockTime(at, last, hour, sum(values), True, False)


_WAYS: tuple[Callable[[Sequence[str], Sequence[str], int], ClockTime | None], ...] = (
    _half,
    _quarter,
    _minutes,
    _o_clock,
    _digits,
    _with_half_day,
    _bare_words,
)

OPEN_ENDS = re.compile(
    r"(?:half|half past|(?:a )?quarter|(?:a )?quarter (?:past|to)|(?:five|ten|twenty|\d+)(?: minutes)? (?:past|to))$"
)
"""How a text ends in which a time has begun that is not said yet."""


@lru_cache(maxsize=1024)
def time_pattern(time: ClockTime, language: str) -> re.Pattern[str]:
    """Matches the time in a text of the language: in digits, or in the words of `time_forms` and its like."""
    hours = {time.hour} if time.exact else {time.hour % 12, time.hour % 12 + 12}
    hours |= {time.hour % 12 or 12} if time.hour >= 12 else set()
    hours |= {24} if time.hour == 0 else set()
    digits = "|".join(str(hour) for hour in sorted(hours))
    if time.minute:
        patterns = [rf"(?<!\d)0?(?:{digits}) ?(?:[:.h]|Uhr|heures?|horas?) ?{time.minute:02d}(?!\d)"]
    else:
        patterns = [rf"(?<!\d)0?(?:{digits}) ?(?:[:.h] ?00|Uhr|h\b|heures?|horas?)(?! ?\d)"]
    said = {form for hour in {time.hour, time.hour % 12 or 12} for form in _said(hour, time.minute, language)}
    not_more = "" if time.minute else _OPEN_HOUR[language]
    patterns += [rf"\b{re.escape(form)}\b{not_more}" for form in sorted(said)]
    return re.compile("|".join(patterns), re.IGNORECASE)


_OPEN_HOUR = {
    "de": r"(?! (?:\w*(?:zehn|zwanzig|dreißig|vierzig|fünfzig|fünf)\b|\d))",
    "es": r"(?! (?:y (?:media|cuarto|\w+)|menos)\b)(?![:.]\d)",
    "fr": r"(?! (?:et (?:quart|demie?)|moins|\w*(?:dix|vingt|trente|quarante|cinquante|quinze)|\d))",
    "pt": r"(?! (?:e \w+|para|minutos)\b)(?![:.]\d)",
}
"""What would make more than the full hour of it."""


def time_forms(time: ClockTime, language: str) -> tuple[str, ...]:
    """How to write the time, likeliest first; with the preposition where the source says "at"."""
    if not time.said:
        shown = {"de": f"{time.digits} Uhr", "fr": f"{time.hour} h {time.minute:02d}".removesuffix(" 00")}
        forms = [shown.get(language, time.digits)]
    else:
        forms = _said(time.hour % 12 or 12, time.minute, language)[: 1 if language == "es" else 2]
    if not time.at:
        return tuple(forms)
    return tuple(_AT[language](form) for form in forms)


def _a_las(form: str) -> str:
    return (
        "a " + form
        if form.startswith(("las ", "la "))
        else f"a la{'' if form.startswith('1:') else 's'} {form}"
    )


def _as(form: str) -> str:
    bare_form = re.sub(r"^as? ", "", form)
    if not form[0].isdigit() and bare_form == form and not re.match(r"[a-zê]+ ?(?:horas?|e )", form):
        return "às " + form
    return ("à " if bare_form.startswith(("uma", "1:")) else "às ") + bare_form


_AT: dict[str, Callable[[str], str]] = {
    "de": lambda form: "um " + form,
    "es": _a_las,
    "fr": lambda form: "à " + form,
    "pt": _as,
}


def _hour_word(hour: int, language: str) -> str:
    """The hour of a clock in words, in its gender."""
    word = words_of(hour, language)
    if language == "pt":
        return re.sub("um$", "uma", re.sub("dois$", "duas", word))
    return re.sub("uno?$", "una", word) if language == "es" else re.sub("^un$", "une", word)


def _said(hour: int, minute: int, language: str) -> list[str]:
    """A time in words, the usual form first."""
    return _SAID[language](hour, hour % 12 + 1, minute)


def _german(hour: int, following: int, minute: int) -> list[str]:
    this = "eins" if hour == 1 else words_of(hour, "de")
    then, before = words_of(following, "de"), "ein" if hour == 1 else words_of(hour, "de")
    if minute == 0:
        return [f"{before} Uhr"]
    past, to = words_of(minute, "de"), words_of(60 - minute, "de")
    full = f"{before} Uhr {past}"
    usual = {
        30: [f"halb {then}", f"halb {following}"],
        15: [f"Viertel nach {this}", f"viertel {then}"],
        45: [f"Viertel vor {then}", f"drei viertel {then}", f"dreiviertel {then}"],
        25: [f"fünf vor halb {then}", f"fünfundzwanzig nach {this}"],
        35: [f"fünf nach halb {then}", f"fünfundzwanzig vor {then}"],
    }.get(minute)
    if usual is None:
        usual = [f"{past} nach {this}", f"{past} Minuten nach {this}"]
        if minute > 30:
            usual = [f"{to} vor {then}", f"{to} Minuten vor {then}"]
    return [*usual, full]


def _spanish(hour: int, following: int, minute: int) -> list[str]:
    this, then = (f"la{'s' * (h != 1)} {_hour_word(h, 'es')}" for h in (hour, following))
    if minute == 0:
        return [this]
    past, to = words_of(minute, "es"), words_of(60 - minute, "es")
    usual = {
        30: [f"{this} y media"],
        15: [f"{this} y cuarto"],
        45: [f"{then} menos cuarto", f"cuarto para {then}"],
    }.get(minute, [])
    if minute > 30 and not usual:
        usual = [f"{then} menos {to}", f"{to} para {then}"]
    return [*usual, f"{this} y {past}"]


def _french(hour: int, following: int, minute: int) -> list[str]:
    this, then = (f"{_hour_word(h, 'fr')} heure{'s' * (h != 1)}" for h in (hour, following))
    if minute == 0:
        return [this]
    past, to = words_of(minute, "fr"), words_of(60 - minute, "fr")
    usual = {
        30: [f"{this} et demie"],
        15: [f"{this} et quart"],
        45: [f"{then} moins le quart", f"{then} moins quart"],
    }.get(minute, [])
    if minute > 30 and not usual:
        usual = [f"{then} moins {to}"]
    return [*usual, f"{this} {past}"]


def _portuguese(hour: int, following: int, minute: int) -> list[str]:
    this, then = _hour_word(hour, "pt"), _hour_word(following, "pt")
    if minute == 0:
        return [f"{this} hora{'s' * (hour != 1)}", f"à{'s' * (hour != 1)} {this}"]
    past, to = words_of(minute, "pt"), words_of(60 - minute, "pt")
    article = "a" if following == 1 else "as"
    usual = {30: [f"{this} e meia"], 15: [f"{this} e quinze", f"{this} e um quarto"]}.get(minute, [])
    if minute > 30:
        usual = [f"{to} para {article} {then}", f"{to} minutos para {article} {then}"]
    return [*usual, f"{this} e {past}", f"{this} horas e {past}"]


_SAID: dict[str, Callable[[int, int, int], list[str]]] = {
    "de": _german,
    "es": _spanish,
    "fr": _french,
    "pt": _portuguese,
}
