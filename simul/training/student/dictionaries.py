"""Word and phrase pairs of free dictionaries as training text: Ding (German) and FreeDict, from Debian packages.

    python -m simul.training.student.dictionaries --output ding.de.tsv.gz --language de usr/share/trans/de-en
    python -m simul.training.student.dictionaries --output freedict.fr.tsv.gz --language fr \\
        freedict-eng-fra.dict.dz freedict-fra-eng.dict.dz

Packages: trans-de-en; dict-freedict-eng-fra and the like.
"""

from __future__ import annotations

import argparse
import gzip
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random

from simul.errors import UsageError

_NOTE = re.compile(r"\{[^}]*\}|\[[^\]]*\]|\([^)]*\)|<[^>]*>|/[^/ ]*/")
_LATIN = re.compile(r"\[(?:bot|zool|ornith|min|chem|biol)\.\]")
_HEAD = re.compile(r"^([^\s/<].*?) /[^/]*/(?: <[^>]*>)?$")
_SCHEMATIC = {"en": ("...", "…", "/", "sb.", "sth."), "de": ("/", "jdn", "jdm", "etw.")}
_RARE_KEPT = 0.35
"""Share of the names of species and minerals that is kept."""


def _clean(text: str) -> str:
    return re.sub(r"\s+", " ", _NOTE.sub(" ", text)).strip(" ,;")


def ding_entries(path: Path) -> Iterator[tuple[str, str]]:
    """(English, German) of a Ding file: the first German of an entry with one or two English ones."""
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            if not line.startswith("#") and " :: " in line:
                yield from _ding_line(line.rstrip("\n"))


def _ding_line(line: str) -> Iterator[tuple[str, str]]:
    rare = bool(_LATIN.search(line))
    german, english = (side.split(" | ") for side in line.split(" :: ", 1))
    if len(german) != len(english):
        return
    for place, sides in enumerate(zip(german, english, strict=True)):
        meanings, words = ([w for w in map(_clean, side.split(";")) if w] for side in sides)
        if not meanings or any(mark in meanings[0] for mark in _SCHEMATIC["de"]) or len(meanings[0]) > 170:
            continue
        for word in words[: 2 if place == 0 and not rare else 1]:
            if any(mark in word for mark in _SCHEMATIC["en"]) or len(word) > 150:
                continue
            chance = Random(word).random()
            if rare and chance > _RARE_KEPT:
                continue
            verb = word.startswith("to ") and " " not in meanings[0] and chance < 0.5
            yield (word[3:] if verb else word), meanings[0]


def freedict_entries(path: Path) -> Iterator[tuple[str, str]]:
    """(head word, first translation) of a FreeDict database."""
    head = ""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            match = _HEAD.match(line.rstrip("\n"))
            if match:
                head = match.group(1).strip()
            elif head and line.strip() and not line.startswith(" "):
                text = re.sub(r"<[^>]*>|\([^)]*\)|^\d+\.\s*", "", line)
                first = text.split(",")[0].split(";")[0].strip()
                if first and max(len(first), len(head)) < 60:
                    yield head, first
                head = ""


def entries(path: Path) -> Iterator[tuple[str, str]]:
    """(English, translation) of one file; FreeDict's from another language into English are turned round."""
    if not path.name.endswith(".dict.dz"):
        return ding_entries(path)
    if path.name.startswith("freedict-eng-"):
        return freedict_entries(path)
    if path.name.endswith("-eng.dict.dz"):
        return ((english, word) for word, english in freedict_entries(path))
    raise UsageError(
        f"{path} is neither from nor into English; give freedict-eng-XXX.dict.dz or freedict-XXX-eng.dict.dz."
    )


def write_table(output: Path, language: str, files: Sequence[Path]) -> int:
    """Write the different entries of all files as a table with the columns en and `language`; returns their number."""
    rows = sorted({row for path in files for row in entries(path)})
    Random(1).shuffle(rows)
    with gzip.open(output, "wt", encoding="utf-8") as stream:
        stream.write(f"en\t{language}\n")
        stream.writelines(f"{english}\t{target}\n" for english, target in rows)
    return len(rows)


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the table and say how many entries it has."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
    parser.add_argument("--language", required=True)
    parser.add_argument("--output", required=True, type=Path)
    given = parser.parse_args(arguments)
    print(f"{given.output}: {write_table(given.output, given.language, given.files)} entries")


if __name__ == "__main__":
    main()
