"""What `--terms` does to names: right without and with them, the words around them, and false repairs, as JSON.

LIST is a table as for `benchmarks.whisper`. The terms are the names of its recordings: words of the references that
have a capital though no sentence begins there, or that the shipped vocabulary lacks; or those in a file (`--names`).
Counted are names written as in the reference, and edits at all other words. False repairs are words that were
replaced when the terms are 200 unrelated names, the first of the package's list that are not said.

    python -m benchmarks.terms LIST... [--first N] [--names FILE] [--setting "--asr embedded"]
"""

from __future__ import annotations

import argparse
import csv
import json
import re
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rapidfuzz.distance import Levenshtein

from benchmarks.machine import describe
from benchmarks.whisper import PACKAGES, Recording, list_names, read_list, run
from simul.evaluation.word_errors import normalise
from simul.models.embedded.vocabulary import known_words
from simul.session.events import Event, Settled
from simul.session.transcript import settled_text

UNRELATED = 200
NAMES = Path(__file__).resolve().parent.parent / "simul" / "data" / "names.tsv"
_WORD = re.compile(r"\w+(?:'\w+)?")
_INSIDE = re.compile(r"(?<=[\w,;(] )[A-Z]\w+")
_CAPITAL = re.compile(r"\b[A-Z]\w+")


def names_of(recordings: Sequence[Recording]) -> list[str]:
    """Capitalised words inside sentences, and those anywhere that the shipped vocabulary lacks."""
    inside = {name for r in recordings for name in _INSIDE.findall(r.text)}
    rare = {n for r in recordings for n in _CAPITAL.findall(r.text) if n.lower() not in known_words()}
    return sorted(inside | rare)


def unrelated(recordings: Sequence[Recording]) -> list[str]:
    """English names of the package's list that no reference has a word of."""
    said = {word for r in recordings for word in normalise(r.text)}
    with open(NAMES, encoding="utf-8", newline="") as stream:
        rows = [row["en"] for row in csv.DictReader(stream, delimiter="\t")]
    return [name for name in rows if not said & set(normalise(name))][:UNRELATED]


def score(
    recordings: Sequence[Recording], streams: Sequence[Sequence[Event]], names: Sequence[str]
) -> dict[str, Any]:
    """Names said and right, edits at other words, and words that were repaired."""
    said = right = others = edits = 0
    wanted = {name.lower() for name in names}
    for recording, events in zip(recordings, streams, strict=True):
        text = settled_text(events, "en")
        expected, written = normalise(recording.text), normalise(text)
        exact = _WORD.findall(text)
        for name in names:
            count = sum(_bare(word) == name.lower() for word in expected)
            said += count
            right += min(count, sum(_bare(word) == name or word == name for word in exact))
        kept = [word for word in expected if _bare(word) not in wanted]
        others += len(kept)
        edits += _edits(expected, written, wanted)
    repairs = [
        (word.heard, word.text)
        for events in streams
        for event in events
        if isinstance(event, Settled)
        for word in event.words
        if word.heard is not None
    ]
    return {
        "names_said": said,
        "names_right": right,
        "other_words": others,
        "other_words_wer": round(100 * edits / others, 2),
        "repairs": len(repairs),
        "repaired": repairs,
    }


def _bare(word: str) -> str:
    return word.removesuffix("'s")


def _edits(expected: list[str], written: list[str], names: set[str]) -> int:
    """Edits but those at names; what stands for a name in one piece counts as one of its."""
    count = 0
    for operation in Levenshtein.editops(expected, written):
        at_name = operation.src_pos < len(expected) and _bare(expected[operation.src_pos]) in names
        count += not (at_name and operation.tag != "insert")
    return count


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("lists", type=Path, nargs="+", metavar="LIST")
    parser.add_argument("--first", type=int, choices=(0, 1, 2), help="every third recording from this on")
    parser.add_argument("--names", type=Path, help="the names of the lists, one a line")
    parser.add_argument("--setting", default="", help="further options of simul translate")
    given = parser.parse_args(arguments)
    recordings: list[Recording] = []
    for table in given.lists:
        rows = list(read_list(table, "en"))
        recordings += rows if given.first is None else rows[given.first :: 3]
    names = given.names.read_text("utf-8").split("\n") if given.names else names_of(recordings)
    names = [name for name in names if name]
    results = {}
    with tempfile.TemporaryDirectory() as folder:
        for title, terms in (("without", []), ("with", names), ("unrelated", unrelated(recordings))):
            path = Path(folder) / "terms.txt"
            path.write_text("\n".join(terms), encoding="utf-8")
            streams, _ = run(recordings, "en", f"{given.setting} --terms {path}" if terms else given.setting)
            results[title] = {"terms": len(terms), **score(recordings, streams, names)}
    head = {
        "machine": describe(PACKAGES),
        "lists": list_names(given),
        "first": given.first,
        "recordings": len(recordings),
    }
    print(json.dumps({**head, "setting": given.setting, "names": names, "results": results}, indent=2))


if __name__ == "__main__":
    main()
