"""Names in a text, and what they are called in other languages (names.tsv; most from Unicode's CLDR)."""

from __future__ import annotations

import csv
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from simul.models.translation.kept.calendar import DAYS
from simul.models.translation.kept.tongues import bare

_TABLE = Path(__file__).resolve().parents[3] / "data" / "names.tsv"
_WITH_A_CAPITAL = """
i i'm i'll i've i'd mr mrs ms miss dr prof sir madam lady lord king queen prince princess saint st president pope
hello hi hey thanks monday tuesday wednesday thursday friday saturday sunday january february march april may june
july august september october november december christmas easter god jesus christ lord bible internet web ok tv dvd
cd pc usa us uk eu un english german french spanish portuguese italian american british european african asian
chinese japanese russian greek latin roman dutch swiss swedish polish turkish arabic indian mexican canadian
australian irish scottish jewish christian muslim catholic protestant olympic olympics north south east west
northern southern eastern western street road avenue university college school church museum hotel park river lake
mount island
"""
_NO_NAMES = frozenset(_WITH_A_CAPITAL.split())
"""Words with a capital that are no names, or that are translated."""
_TITLES = frozenset({"mr", "mrs", "ms", "miss", "dr", "prof", "professor", "sir", "captain", "aunt", "uncle"})
_ALIKE = (
    ("ph", "f"),
    ("th", "t"),
    ("ck", "k"),
    ("y", "i"),
    ("j", "i"),
    ("c", "k"),
    ("q", "k"),
    ("w", "v"),
    ("z", "s"),
)


@dataclass(frozen=True)
class Name:
    """A name of the words [first, last). known: it has names of its own in other languages, and `text` is English."""

    first: int
    last: int
    text: str
    known: bool


@lru_cache(maxsize=1)
def _known() -> dict[str, Mapping[str, str]]:
    with open(_TABLE, encoding="utf-8", newline="") as stream:
        rows = csv.DictReader(stream, delimiter="\t", quoting=csv.QUOTE_NONE)
        return {row["en"]: {code: name for code, name in row.items() if code != "en"} for row in rows}


@lru_cache
def _called(language: str) -> Mapping[str, str]:
    """The English names by what they are called in a language."""
    if language == "en":
        return {name: name for name in _known()}
    # Of several names for one place, such as New York City, the shortest stays.
    known = sorted(_known().items(), key=lambda row: -len(row[0]))
    called = ((names.get(language, ""), name) for name, names in known)
    return {form: name for own, name in called for form in (own, _plain(own)) if form}


@lru_cache
def _longest(language: str) -> int:
    return max(len(name.split()) for name in _called(language))


def find_names(words: Sequence[str], is_word: Callable[[str], bool], language: str = "en") -> list[Name]:
    """The names of a sentence with its capitals, in order; not for German, where every noun has one.

    `is_word` tells whether a string is a usual word, written so. A name that is one in lower case as well is passed
    over, and so is the first word of a sentence unless it is usual with its capital, or another name follows it.
    """
    found: list[Name] = []
    at = 0
    while at < len(words):
        known = _known_at(words, at, language)
        name = known or _unknown_at(words, at, is_word, language)
        if name is not None:
            found.append(name)
        at = name.last if name is not None else at + 1
    return found


def _known_at(words: Sequence[str], at: int, language: str) -> Name | None:
    called = _called(language)
    for count in range(min(_longest(language), len(words) - at), 0, -1):
        if any(word[-1:] in ",.;:!?" for word in words[at : at + count - 1]):
            continue
        text = _own(" ".join(bare(word) for word in words[at : at + count]))
        if text in called:
            return Name(at, at + count, called[text], True)
    return None


def _own(text: str) -> str:
    """Without the ending of what belongs to somebody."""
    return re.sub(r"['’]s?$", "", text)


def _unknown_at(words: Sequence[str], at: int, is_word: Callable[[str], bool], language: str) -> Name | None:
    text = _own(bare(words[at]))
    titled = at > 0 and bare(words[at - 1]).lower() in _TITLES and text[:1].isupper()
    if titled and text.isalpha() and len(text) > 2:
        return Name(at, at + 1, text, False)
    if not _is_name(text, is_word):
        return None
    if text.isupper():
        # What such letters stand for is called otherwise: ONU is UN.
        return Name(at, at + 1, text, False) if language == "en" else None
    if at == 0 or words[at - 1][-1:] in '!?:"“' or words[at][:1] in "\"“‘'«¿¡":
        after = bare(words[at + 1]) if at + 1 < len(words) and words[at][-1:].isalnum() else ""
        if not _capital(after) and not (after and is_word(text)):
            return None
    return Name(at, at + 1, text, False)


def _capital(word: str) -> bool:
    return word[:1].isupper() and word.lower() not in _NO_NAMES


def _is_name(text: str, is_word: Callable[[str], bool]) -> bool:
    letters = text.replace("-", "").replace("'", "").replace("’", "")
    if len(letters) < 3 or not letters.isalpha() or not text[:1].isupper():
        return False
    lower = text.lower()
    singular = lower[:-1] if lower.endswith("s") else lower
    if lower in _NO_NAMES or singular in DAYS or "-" in text:
        return False
    return not is_word(lower) and not is_word(singular)


def name_forms(name: Name, language: str) -> tuple[str, ...]:
    """What to write for the name: its name in the language, or itself."""
    if not name.known:
        return (name.text,)
    own = _known()[name.text].get(language, name.text)
    return tuple(dict.fromkeys(form for form in (_plain(own), own) if form))


def _plain(name: str) -> str:
    """Without its article, which the sentence has already."""
    return re.sub(r"^(?:El|La|Le|Les|Los|Las|O|A|Os|As) (?=[A-ZÀ-Ý])", "", name)


def name_pattern(name: Name, language: str) -> Callable[[str], tuple[int, int] | None]:
    """Finds the name in a text of the language, in its usual spellings and with a case ending."""
    wanted = list(dict.fromkeys(_alike(form) for form in (*name_forms(name, language), name.text)))

    def find(text: str) -> tuple[int, int] | None:
        for match in re.finditer(r"[^\W\d_][\w'’-]*(?: [^\W\d_][\w'’-]*){0,3}", text):
            phrase = match[0].split(" ")
            whole = _alike(match[0])
            if not any(form in whole for form in wanted):
                continue
            for begin in range(len(phrase)):
                for end in range(len(phrase), begin, -1):
                    part = " ".join(phrase[begin:end])
                    if any(_fits(_alike(part), form) for form in wanted):
                        start = match.start() + len(" ".join([*phrase[:begin], ""])) * (begin > 0)
                        return start, start + len(part)
        return None

    return find


def _fits(part: str, form: str) -> bool:
    """Whether a word is the name, with an ending of a case or none."""
    return part.startswith(form) and part[len(form) :] in ("", "s", "es", "n", "en", "ns", "'s", "’s")


@lru_cache(maxsize=4096)
def _alike(text: str) -> str:
    """Letters that one name is spelt with in different languages made one."""
    plain = unicodedata.normalize("NFKD", text.lower().replace("ß", "ss"))
    plain = "".join(c for c in plain if not unicodedata.combining(c))
    for there, here in _ALIKE:
        plain = plain.replace(there, here)
    return plain
