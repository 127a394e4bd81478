"""Numbers of a text, in digits or English words, and how other languages write them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from simul.models.translation.kept.tongues import bare

_BELOW_TWENTY = """
zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen
eighteen nineteen
"""
_UNITS = _BELOW_TWENTY.split()
_TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
VALUES = {
    **{word: value for value, word in enumerate(_UNITS)},
    **{word: 20 + 10 * i for i, word in enumerate(_TENS)},
}
_DIGITS = re.compile(r"[$€£#]?(\d{1,3}(?:,\d{3})+|\d+)(\.\d+)?(st|nd|rd|th|s|%|°[CF]?|[kc]?m|[kK]g)?")
_RANGE = re.compile(r"(\d+)[-–/](\d+)")
_MORE = {
    ("de", 1): r"ein(?:e[nmrs]?)?",
    ("de", 2): "zwo|beide[nrs]?|doppelt",
    ("de", 12): "Dutzend",
    ("es", 2): "amb[oa]s",
    ("es", 12): "docena",
    ("es", 100): "ciento|centenar",
    ("es", 1): "una?",
    ("fr", 1): "une",
    ("fr", 12): "douzaine",
    ("fr", 100): "centaine",
    ("pt", 1): "uma",
    ("pt", 2): "amb[oa]s",
    ("pt", 12): "dúzia",
    ("pt", 100): "cento|centena",
}
"""Other words for a number, by language."""
_FEMININE = {
    "es": {"uno": "una", "ientos": "ientas"},
    "pt": {"um": "uma", "dois": "duas", "entos": "entas"},
    "fr": {"un": "une"},
}
_BETWEEN = {"de": ".", "es": ".", "fr": " ", "pt": ".", "en": ","}
"""Between groups of three digits."""
SEPARATORS = ".,\u00a0\u202f "


@dataclass(frozen=True)
class Number:
    """A number that stands in the words [first, last). whole, part: its digits before and after the decimal point.

    spelled: it is written in words. grouped: its thousands are set apart. ordinal: it numbers something (19th).
    """

    first: int
    last: int
    whole: int
    part: str = ""
    spelled: bool = False
    grouped: bool = False
    ordinal: bool = False


def find_numbers(words: Sequence[str], language: str = "en") -> list[Number]:
    """The numbers of a text in order; those in words only of an English one, without a lone "one".

    >>> [(n.first, n.last, n.whole) for n in find_numbers("We sold two hundred and six cars in 1,250 days".split())]
    [(2, 6, 206), (8, 9, 1250)]
    """
    found: list[Number] = []
    at = 0
    while at < len(words):
        numbers = _in_digits(words[at], at) or (_in_words(words, at) if language == "en" else [])
        found += numbers
        at = numbers[-1].last if numbers else at + 1
    return _years(found, words)


def _in_digits(word: str, at: int) -> list[Number]:
    core = bare(word)
    match = _DIGITS.fullmatch(core)
    if match:
        whole, part, unit = match.groups()
        ordinal = unit in ("st", "nd", "rd", "th")
        return [
            Number(at, at + 1, int(whole.replace(",", "")), (part or "")[1:], False, "," in whole, ordinal)
        ]
    pair = _RANGE.fullmatch(core)
    return [Number(at, at + 1, int(value)) for value in pair.groups()] if pair else []


def _in_words(words: Sequence[str], at: int) -> list[Number]:
    """The number in words that begins at a word, as far as it goes."""
    total = current = 0
    last = at
    for place in range(at, len(words)):
        step = _read(words[place], total, current, fresh=last == at)
        if step is None:
            if bare(words[place]).lower() == "and" and last == place and current % 100 == 0 and last > at:
                continue
            break
        total, current = step
        last = place + 1
        if words[place][-1:] in ",.;:!?":
            break
    value = total + current
    single = bare(words[at]).lower()
    if last == at or (last == at + 1 and single in ("one", "a", "an", "zero")):
        return []
    return [Number(at, last, value, spelled=True)]


def _read(word: str, total: int, current: int, fresh: bool) -> tuple[int, int] | None:
    """Thousands and the rest after one more word; None where it does not belong to the number."""
    parts = bare(word).lower().split("-")
    if fresh and parts == ["a"]:
        return None
    for part in parts:
        if part in VALUES:
            value = VALUES[part]
            room = current % 100 == 0 if value >= 10 else current % 10 == 0 and current % 100 != 10
            if not room or (current == 0 and not fresh and total == 0):
                return None
            current += value
            fresh = False
        elif part == "hundred" and 0 < current < 100:
            current *= 100
        elif part == "thousand" and 0 < current < 1000 and not total:
            total, current = 1000 * current, 0
        elif part == "dozen" and current < 13 and not total:
            current = 12 * max(1, current)
        else:
            return None
    return total, current


def _years(numbers: list[Number], words: Sequence[str]) -> list[Number]:
    """Years said in two halves put together: nineteen forty-five."""
    found: list[Number] = []
    for number in numbers:
        before = found[-1] if found else None
        if (
            before is not None
            and before.spelled
            and number.spelled
            and before.last == number.first
            and before.whole in range(11, 21)
            and number.whole in range(10, 100)
            and words[before.last - 1][-1:].isalnum()
        ):
            found[-1] = Number(before.first, number.last, 100 * before.whole + number.whole)
        else:
            found.append(number)
    return found


@lru_cache(maxsize=4096)
def number_pattern(number: Number, language: str) -> re.Pattern[str]:
    """Matches the number in a text of the language, in digits or words."""
    groups = re.findall(r"\d{1,3}(?=(?:\d{3})*$)", str(number.whole))
    digits = f"[{SEPARATORS}]?".join(groups) + (f"[.,]{number.part}" if number.part else "")
    patterns = [rf"(?<![\d.,]){digits}(?!\d|[.,]\d)"]
    if not number.part:
        if number.ordinal:
            patterns += [rf"\b{words}\w*" for words in _ordinals(number.whole, language)]
        patterns += [rf"\b{words}\b" for words in sorted(_spelled(number.whole, language))]
        patterns += [rf"\b(?:{_MORE[language, number.whole]})\b"] if (language, number.whole) in _MORE else []
    if not number.part and number.whole % 1000 == 0 and number.whole:
        patterns.append(rf"\b{number.whole // 1000} (?:mil|mille|tausend|thousand)\b")
    return re.compile("|".join(patterns), re.IGNORECASE)


def number_forms(number: Number, language: str) -> tuple[str, ...]:
    """How to write the number, the likeliest first: as the source has it, in words or in digits."""
    whole = str(number.whole)
    if number.grouped or (number.spelled and number.whole >= 10_000):
        whole = f"{number.whole:,}".replace(",", _BETWEEN[language])
    digits = whole + ("." if language == "en" else ",") + number.part if number.part else whole
    if number.ordinal:
        digits += {"de": ".", "fr": "e", "es": "º", "pt": "º"}.get(language, "th")
    round_one = number.whole < 100 or number.whole % 100 == 0
    if number.spelled and round_one:
        return (*_written(number.whole, language), digits)
    return (digits,)


def _written(value: int, language: str) -> list[str]:
    """In words, masculine and feminine, as they stand before a noun."""
    text = words_of(value, language)
    forms = [text]
    for masculine, feminine in _FEMININE.get(language, {}).items():
        forms += [re.sub(f"{masculine}\\b", feminine, form) for form in forms]
    if language == "es":
        forms = [re.sub(r"iuno$", "iún", re.sub(r"(^| )uno$", r"\1un", form)) for form in forms]
    return list(dict.fromkeys(forms))


def _spelled(value: int, language: str) -> set[str]:
    """Patterns of a number in words."""
    text = words_of(value, language)
    forms = {text, *_written(value, language)}
    if language == "de":
        long = re.sub("^hundert", "einhundert", re.sub("^tausend", "eintausend", text))
        forms |= {long} | ({text.replace("hundert", "hundertund")} if value % 100 else set())
    return {re.sub("[ -]", "[ -]", re.sub("cents?", "cents?", form)) for form in forms}


def words_of(value: int, language: str) -> str:
    """A whole number in words."""
    from num2words import num2words

    text: str = num2words(value, lang=language).replace(",", "")
    if language == "de":
        text = re.sub("^einhundert", "hundert", re.sub("^eintausend", "tausend", text))
    return text


def _ordinals(value: int, language: str) -> list[str]:
    from num2words import num2words

    text: str = num2words(value, lang=language, to="ordinal")
    return [re.escape(re.sub("[oa]$", "", text))]
