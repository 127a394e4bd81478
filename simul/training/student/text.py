"""Sentence pairs for a student: tab-separated files of a data folder, their caps and weights, and what is left out."""

from __future__ import annotations

import csv
import gzip
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import NamedTuple

from simul.errors import SimulError
from simul.models.embedded.spoken import spoken_form

LONGEST_SOURCE, LONGEST_TARGET = 320, 380
"""Characters; longer pairs are left out."""
LEFT_OUT = ("novel-us-pd",)
"""Values of the column `domain` that are free in some countries only."""
MACHINE = "made"
"""File names that begin so hold targets made by machines."""


@dataclass(frozen=True)
class Share:
    """How much of a set is taken: at most `cap` pairs, each `weight` times an epoch (0.5: every second epoch)."""

    weight: float = 1.0
    cap: int | None = None


SHARES = {
    "wiki-translated": Share(8.0),
    "tico-19": Share(4.0),
    "novels": Share(2.0),
    "dialogues": Share(2.0),
    "pivot": Share(2.0),
    "debian-handbook": Share(2.0),
    "web-guides": Share(1.5),
    "game-texts": Share(0.7, 60_000),
    "ding": Share(0.6),
    "gnome-help": Share(0.7),
    "gimp-help": Share(0.5),
    "lilypond-doc": Share(0.5),
    "debian-manuals": Share(0.5),
    "bible": Share(0.5, 15_000),
    "canada-laws": Share(0.5, 20_000),
    "mdn": Share(0.5, 40_000),
    "debian-descriptions": Share(0.4, 20_000),
    "libreoffice-help": Share(0.35, 15_000),
    "php-docs": Share(0.35, 15_000),
}
"""Shares of narrow sets are small, those of prose and conversation large; a set that is not named has `Share()`."""


_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")


class Pair(NamedTuple):
    """A text (English, unless turned), its translation, the set it is from, and whether a machine wrote that."""

    source: str
    target: str
    origin: str
    machine: bool


def read_pairs(data: Path, language: str, more: Sequence[Path] = (), limit: int | None = None) -> list[Pair]:
    """Different pairs of all sets in `data` and of the files `more`, in an order that depends on them alone.

    Sets are the folders of `data`; their files `train*.tsv.gz` and `made*.tsv.gz` with the columns `en` and
    `language` are read. A file of `more` is a set of its own, named by what stands before the first dot.
    `limit` is for trials: at most so many pairs of each set.

    Raises:
        SimulError: no file holds pairs of that language.
    """
    seen: set[tuple[str, str]] = set()
    count: Counter[str] = Counter()
    pairs: list[Pair] = []
    for path, origin in _files(data, more):
        share = SHARES.get(origin, Share())
        most = min(share.cap or 10**9, limit or 10**9)
        for english, target in _shuffled(path, language, origin):
            if count[origin] >= most:
                break
            if (english, target) not in seen and _alike(english, target):
                seen.add((english, target))
                count[origin] += 1
                pairs.append(Pair(english, target, origin, path.name.startswith(MACHINE)))
    if not pairs:
        raise SimulError(
            f"No pairs of English and {language!r} in {data}; give a folder of sets (SET/train.en-{language}.tsv.gz, "
            f"columns en and {language}) with --data, or files with --more."
        )
    Random(3).shuffle(pairs)
    return pairs


def _files(data: Path, more: Sequence[Path]) -> Iterator[tuple[Path, str]]:
    for path in sorted([*data.glob("*/train*.tsv.gz"), *data.glob("*/made*.tsv.gz")]):
        yield path, path.parent.name
    for path in more:
        yield path, path.name.partition(".")[0]


def _shuffled(path: Path, language: str, origin: str) -> list[tuple[str, str]]:
    """(English, target) of a file, in an order fixed by the name of the set; none without the two columns."""
    with gzip.open(path, "rt", encoding="utf-8", newline="") as stream:
        rows = csv.DictReader(stream, delimiter="\t", quoting=csv.QUOTE_NONE)
        if not {"en", language} <= set(rows.fieldnames or ()):
            return []
        found = [
            (row["en"].strip(), row[language].strip())
            for row in rows
            if row["en"] and row[language] and row.get("domain") not in LEFT_OUT
        ]
    Random(origin).shuffle(found)
    return found


def _alike(english: str, target: str) -> bool:
    """Whether lengths let the two be translations of each other."""
    if not english or not target or len(english) > LONGEST_SOURCE or len(target) > LONGEST_TARGET:
        return False
    return 0.4 < (len(target) + 8) / (len(english) + 8) < 2.5


def recognised(text: str, into: str) -> str:
    """A source as a recogniser without case and punctuation writes it; numbers in words where it is English.

    >>> recognised("¿Hay 3 trenes?", "en"), recognised("Are there 3 trains?", "de")
    ('hay 3 trenes', 'are there three trains')
    """
    return " ".join(_WORD.findall(text.lower())) if into == "en" else spoken_form(text)
