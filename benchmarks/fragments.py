"""Fragments: which share of what a reader gets comes in pieces of one or two words while the speaker goes on, as JSON.

Two ways to read are counted. Settled pieces are what an event settles; a program that shows each by itself cuts the
text so. Subtitles are made of the same events as `--format srt` does. Pieces that are the last of their segment, and
subtitles that silence parts from the next, do not count: there the speaker stopped.

    simul translate RECORDING... --target de,es --log LOGS
    python -m benchmarks.fragments LOGS...
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from simul.captions import CueMaker
from simul.session.events import Event, SegmentEnd, Settled, from_dict

FEW = 2
"""Words of a fragment at most."""
PAUSE = 1.0
"""Seconds without a subtitle that part one from the next: the speaker stopped."""


def settled_pieces(events: Iterable[Event]) -> list[str]:
    """The settled pieces that another one of the same segment follows."""
    found: list[str] = []
    last: str | None = None
    for event in events:
        if isinstance(event, SegmentEnd):
            last = None
        elif isinstance(event, Settled) and event.text.strip():
            found += [] if last is None else [last]
            last = event.text
    return found


def subtitles(events: Iterable[Event], language: str) -> tuple[list[str], int]:
    """Subtitles that no silence parts from the next, and how many there are in all."""
    maker = CueMaker(language)
    cues = [cue for event in events for cue in maker.push(event)]
    cues += maker.finish()
    inner = [" ".join(a.lines) for a, b in pairwise(cues) if b.start - a.end < PAUSE]
    return inner, len(cues)


def counted(pieces: Sequence[str]) -> dict[str, Any]:
    """How many pieces there are while speech goes on, and how many of them are fragments."""
    few = [piece.strip() for piece in pieces if len(piece.split()) <= FEW]
    share = round(100 * len(few) / len(pieces), 1) if pieces else 0.0
    return {"pieces": len(pieces), "few": len(few), "percent": share}


def read(path: Path) -> list[Event]:
    """The events of a log."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return [from_dict(json.loads(line)) for line in lines]


def logs(folder: Path) -> Iterator[list[Event]]:
    """The logs below a folder, each the events of one stream in one language."""
    for path in sorted(folder.rglob("events/*.jsonl")):
        yield read(path)


def measure(runs: Iterable[Sequence[Event]]) -> dict[str, Any]:
    """Fragments by language, over all runs."""
    pieces: dict[str, list[str]] = {}
    cues: dict[str, list[str]] = {}
    totals: dict[str, int] = {}
    for events in runs:
        language = next((e.language for e in events if isinstance(e, Settled)), "")
        inner, count = subtitles(events, language)
        pieces.setdefault(language, []).extend(settled_pieces(events))
        cues.setdefault(language, []).extend(inner)
        totals[language] = totals.get(language, 0) + count
    return {
        language: {
            "settled": counted(pieces[language]),
            "subtitles": {**counted(cues[language]), "all": totals[language]},
        }
        for language in sorted(pieces)
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "logs", nargs="+", type=Path, metavar="LOGS", help="what --log of simul translate wrote"
    )
    given = parser.parse_args()
    found = measure(events for folder in given.logs for events in logs(folder))
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
