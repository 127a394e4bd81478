"""Spoken form of written English: lower case, no punctuation, numbers as words, as a recogniser would say it."""

from __future__ import annotations

import re
import unicodedata

_TITLES = {
    "mr": "mister",
    "mrs": "missus",
    "dr": "doctor",
    "st": "saint",
    "vs": "versus",
    "etc": "et cetera",
    "e.g": "for example",
    "i.e": "that is",
}
_TITLE = re.compile(r"\b(mr|mrs|dr|st|vs|etc|e\.g|i\.e)\.(?=\s|,|$)", re.IGNORECASE)
_CLOCK = re.compile(r"\b(\d{1,2}):(\d{2})\b")
_MONEY = re.compile(r"([$€£])\s?(\d[\d,]*(?:\.\d+)?)")
_ORDINAL = re.compile(r"\b(\d+)(?:st|nd|rd|th)\b", re.IGNORECASE)
_DECADE = re.compile(r"\b(1\d|20)(\d0)s\b")
_YEAR = re.compile(r"(?<![\d,.])(1[1-9]\d{2}|20[1-9]\d)(?![\d,]|\.\d)")
_NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?")
_CURRENCY = {"$": "dollars", "€": "euros", "£": "pounds"}
_SYMBOLS = {"%": " percent ", "&": " and ", "+": " plus ", "=": " equals ", "°": " degrees ", "@": " at "}
_SPOKEN_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)*'?")


def _words(number: str, to: str = "cardinal") -> str:
    """`number` (digits, with commas or a decimal point) in English words; `to` as in num2words."""
    from num2words import num2words

    text = number.replace(",", "")
    value = float(text) if "." in text else int(text)
    if isinstance(value, int) and value >= 10**15:
        return " ".join(num2words(int(d)) for d in text)
    words: str = num2words(value, to=to)
    return words.replace("-", " ").replace(",", "")


def _clock_words(match: re.Match[str]) -> str:
    hour, minute = match.group(1), match.group(2)
    if minute == "00":
        return f" {_words(hour)} o'clock "
    tens = "oh " if minute.startswith("0") else ""
    return f" {_words(hour)} {tens}{_words(str(int(minute)))} "


def _decade_words(match: re.Match[str]) -> str:
    tens = _words(match.group(2))
    plural = tens[:-1] + "ies" if tens.endswith("y") else tens + "s"
    return f" {_words(match.group(1))} {plural} "


def _spell_numbers(text: str) -> str:
    text = _CLOCK.sub(_clock_words, text)
    text = _MONEY.sub(lambda m: f" {_words(m.group(2))} {_CURRENCY[m.group(1)]} ", text)
    text = _ORDINAL.sub(lambda m: f" {_words(m.group(1), 'ordinal')} ", text)
    text = _DECADE.sub(_decade_words, text)
    text = _YEAR.sub(lambda m: f" {_words(m.group(1), 'year')} ", text)
    return _NUMBER.sub(lambda m: f" {_words(m.group(0))} ", text)


def spoken_words(text: str) -> list[str]:
    """Lower-cased words of `text` without punctuation; apostrophes inside words stay, hyphens split."""
    text = unicodedata.normalize("NFC", text).replace("’", "'").lower()
    return [word.rstrip("'") for word in _SPOKEN_WORD.findall(text)]


def spoken_form(text: str) -> str:
    """Written English as a recogniser would output it.

    Numbers, clock times, years, ordinals, sums of money and common abbreviations become words; the rest is
    lower-cased and loses its punctuation.

    >>> spoken_form("Mr. Smith's train leaves soon, doesn't it?")
    "mister smith's train leaves soon doesn't it"
    """
    text = _TITLE.sub(lambda m: _TITLES[m.group(1).lower()], text)
    if any(c.isdigit() for c in text):
        text = _spell_numbers(text)
    for symbol, words in _SYMBOLS.items():
        text = text.replace(symbol, words)
    return " ".join(spoken_words(text))
