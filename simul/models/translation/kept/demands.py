"""What a sentence asks of its translation, and what is wrong with one: demands not met, words said twice, loops."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from simul.models.translation.kept.calendar import date_forms, date_pattern, find_dates
from simul.models.translation.kept.clock import OPEN_ENDS, find_times, time_forms, time_pattern
from simul.models.translation.kept.names import find_names, name_forms, name_pattern
from simul.models.translation.kept.numbers import VALUES, find_numbers, number_forms, number_pattern
from simul.models.translation.kept.tongues import TONGUES, bare

Span = tuple[int, int]
_DENIALS = re.compile("not|no|never|none|nobody|nothing|nowhere|neither|nor|without|cannot|.*n't")
_DENYING_VERBS = {"disagree": "agree", "dislike": "like", "disapprove": "approve", "disobey": "obey"}
_DENIES = re.compile(
    r"unein\w*|wider(?:sprech|sprich)\w*|anderer Meinung|missbillig\w*|dagegen|mag|ablehn\w*|"
    r"desacuerdo|discrep\w*|disient\w*|desaprueb\w*|désaccord|désapprouv\w*|déteste\w*|desobed\w*|désobé\w*",
    re.IGNORECASE,
)
_TWICE = re.compile(r"\b(\w+)[\s,]+\1\b(?![-'’])", re.IGNORECASE)
_TWICE_JOINED = re.compile(r"\b(\w{3,})\s+(and|or|und|oder|y|o|et|ou|e)\s+\1\b", re.IGNORECASE)
_USUALLY_JOINED = frozenset(
    ["nach", "durch", "mehr", "wieder", "immer", "más", "encore", "plus", "mais", "cada", "vez"]
)
_TWICE_MORE = re.compile(r"\b(\w+(?:\W+\w+){1,5})\W+\1\b", re.IGNORECASE)
_LOOP = re.compile(r"(\w{2,}?)\1\1", re.IGNORECASE)
_MARKS = re.compile(r"\?\s*\?|[!?.,]\s+[?!,]|(\W)\1{3,}")
_NUMBER = re.compile(r"\d+(?:[.,:\u00a0\u202f ]\d+)*")


@dataclass(frozen=True)
class Demand:
    """Something in the source words [first, last) that the translation must hold.

    forms: how to write it, likeliest first. wordings: how the source might have said it instead. sure: it must be there
    whatever the model thinks of it. floating: it may stand far from where its words are translated, as a negation does.
    """

    kind: str
    first: int
    last: int
    find: Callable[[str], Span | None]
    forms: tuple[str, ...]
    wordings: tuple[str, ...] = ()
    sure: bool = True
    floating: bool = False


@dataclass(frozen=True)
class Fault:
    """What is wrong with a translation: a demand that is not met, or the text from a character on."""

    kind: str
    demand: Demand | None = None
    at: int = 0

    @property
    def weight(self) -> float:
        """How much worse it makes a translation; a name that is not copied may be right."""
        return 1.0 if self.demand is None or self.demand.sure else 0.5


def demands(words: Sequence[str], source: str, target: str, is_word: Callable[[str], bool]) -> list[Demand]:
    """What the words of a sentence ask of a translation between two known languages, in the order of the source.

    `is_word`: whether a string is a usual word of the source language, written so.
    """
    if source not in TONGUES or target not in TONGUES:
        return []
    found = _times(words, target) if source == "en" and target != "en" else []
    taken = {place for demand in found for place in range(demand.first, demand.last)}
    for number in find_numbers(words, source):
        if not taken & set(range(number.first, number.last)):
            find = searching(number_pattern(number, target))
            forms = number_forms(number, target)
            found.append(Demand("number", number.first, number.last, find, forms))
    if source == "en" and target != "en":
        for date in find_dates(words):
            find = searching(date_pattern(date.word, target))
            found.append(Demand("date", date.first, date.last, find, date_forms(date, target)))
    if source != "de":
        for name in find_names(words, is_word, source):
            find, forms = name_pattern(name, target), name_forms(name, target)
            found.append(Demand("name", name.first, name.last, find, forms, sure=name.known))
    if source == "en":
        found += _denials(words, target)
    return sorted(found, key=lambda demand: demand.first)


def searching(pattern: re.Pattern[str]) -> Callable[[str], Span | None]:
    """Where a pattern first matches a text."""

    def find(text: str) -> Span | None:
        match = pattern.search(text)
        return match.span() if match else None

    return find


def _times(words: Sequence[str], target: str) -> list[Demand]:
    return [
        Demand(
            "time",
            time.first,
            time.last,
            searching(time_pattern(time, target)),
            time_forms(time, target),
            (f"at {time.digits}" if time.at else time.digits,) if time.said else (),
        )
        for time in find_times(words)
    ]


def _denials(words: Sequence[str], target: str) -> list[Demand]:
    """One negation, the first, is asked for: two may be one in the other language."""
    for place, word in enumerate(words):
        lower = bare(word).lower().replace("’", "'")
        if _DENIALS.fullmatch(lower) or lower.rstrip("sd") in _DENYING_VERBS:
            if lower == "not" and place + 1 < len(words) and bare(words[place + 1]).lower() == "only":
                continue
            tongue = TONGUES[target]
            find = searching(re.compile(f"{tongue.negation.pattern}|{_DENIES.pattern}", re.IGNORECASE))
            wordings = _denied_otherwise(lower)
            return [Demand("negation", place, place + 1, find, tongue.denying, wordings, floating=True)]
    return []


def _denied_otherwise(word: str) -> tuple[str, ...]:
    """Other words for one that denies."""
    verb = _DENYING_VERBS.get(word.rstrip("sd"))
    if verb:
        return (f"{'does' if word.endswith('s') else 'did' if word.endswith('d') else 'do'} not {verb}",)
    if word.endswith("n't"):
        return ({"can't": "cannot", "won't": "will not"}.get(word, word[:-3] + " not"),)
    return ()


def faults(text: str, asked: Sequence[Demand], source: str, target: str) -> list[Fault]:
    """What is wrong with `text`, a translation of `source` into the language `target`; demands first."""
    found: list[Fault] = []
    rest = text
    for demand in asked:
        span = demand.find(rest)
        if span is None:
            found.append(Fault(demand.kind, demand))
        elif demand.kind in ("number", "time"):
            rest = rest[: span[0]] + "_" * (span[1] - span[0]) + rest[span[1] :]
    if any(demand.kind in ("number", "time") for demand in asked):
        said = set(_NUMBER.findall(source))
        stray = next((m for m in _NUMBER.finditer(rest) if m[0] not in said), None)
        found += [Fault("stray", at=stray.start())] if stray else []
    return [*found, *_said_badly(text, source, target)]


def _said_badly(text: str, source: str, target: str) -> list[Fault]:
    found: list[Fault] = []
    tongue = TONGUES.get(target)
    if not _TWICE.search(source):
        usual = tongue.doubled if tongue else frozenset()
        twice = next((m for m in _TWICE.finditer(text) if m[1].lower() not in usual), None)
        found += [Fault("doubled", at=twice.end() - len(twice[1]))] if twice else []
    if not _TWICE_JOINED.search(source):
        joined = next((m for m in _TWICE_JOINED.finditer(text) if m[1].lower() not in _USUALLY_JOINED), None)
        found += [Fault("doubled", at=joined.start(2))] if joined else []
    if not _TWICE_MORE.search(source):
        more = _TWICE_MORE.search(text)
        found += [Fault("doubled", at=more.end() - len(more[1]))] if more else []
    for pattern in (_LOOP, _MARKS):
        loop = None if pattern.search(source) else pattern.search(text)
        found += [Fault("loop", at=loop.start() + len(loop[1] or loop[0]) * bool(loop[1]))] if loop else []
    if tongue is not None:
        rude = tongue.rude.search(text)
        if rude and not any(other.rude.search(source) for other in TONGUES.values()):
            found.append(Fault("rude", at=rude.start()))
    return found


def open_end(words: Sequence[str], language: str) -> int:
    """How many first words of an unfinished English text to translate: what has begun to be a number or a time waits.

    >>> open_end("The train leaves at half past".split(), "en")
    3
    """
    count = len(words)
    if language != "en" or not words or words[-1][-1:] in ",.;:!?":
        return count
    tail = " ".join(bare(word).lower() for word in words[-5:])
    match = OPEN_ENDS.search(tail)
    if match and (match.start() == 0 or tail[match.start() - 1] == " "):
        count -= len(match[0].split())
    else:
        spans = [(n.first, n.last) for n in find_numbers(words)] + [
            (t.first, t.last) for t in find_times(words)
        ]
        count = min([first for first, last in spans if last == len(words)], default=count)
        if count == len(words) and bare(words[-1]).lower().split("-")[0] in VALUES:
            count -= 1
    return count - 1 if 0 < count < len(words) and bare(words[count - 1]).lower() == "at" else count
