"""Word errors, lag and cost of Whisper as a user runs it (`simul translate FILES`), per setting, as JSON.

LIST is a table with tab stops and a heading, with the columns file (relative to it) and text, and lang where it holds
several languages. `--first N` takes every third recording from the Nth on: settings are chosen on one third and
judged on another. All costs count: start-up, loading, reading. The lag of a word is the audio heard when it settled
less the end of the word as the model places it. Of each setting: words settled, edits per word of reference; and
`written`, the errors of the same texts with their case and the marks . , ; : ? !, over recordings whose text has both.

    python -m benchmarks.whisper LIST... [--first N] [--clips N] [--setting "--window live --beam 5"]...
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, median
from typing import Any

import soundfile

from benchmarks.machine import describe
from simul.evaluation.word_errors import word_errors, written_errors
from simul.session.events import Event, Settled, from_dict
from simul.session.transcript import settled_text
from simul.units import SAMPLE_RATE

COMMAND = (sys.executable, "-m", "simul", "translate", "-q", "--format", "json", "--threads", "1")
PACKAGES = ("ctranslate2", "onnxruntime", "numpy")


@dataclass(frozen=True)
class Recording:
    """A file, what is said in it, and how long it is."""

    file: Path
    text: str
    seconds: float


def read_list(table: Path, language: str) -> Iterator[Recording]:
    """The recordings of a table in `language`; a table without the column lang is all in it."""
    with open(table, encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream, delimiter="\t", quoting=csv.QUOTE_NONE):
            if row.get("lang", language) == language:
                file = table.parent / row["file"]
                text = row.get("text_spoken_form") or row["text"]
                yield Recording(file, text, soundfile.info(file).duration)


def list_parser(description: str | None) -> argparse.ArgumentParser:
    """The options by which benchmarks choose recordings from lists; see `listed`."""
    parser = argparse.ArgumentParser(description=(description or "").partition("\n")[0])
    parser.add_argument("lists", type=Path, nargs="+", metavar="LIST")
    parser.add_argument("--language", default="en")
    parser.add_argument("--first", type=int, choices=(0, 1, 2), help="every third recording from this on")
    parser.add_argument("--clips", type=int, help="at most so many recordings of each list")
    return parser


def listed(given: argparse.Namespace) -> Iterator[Sequence[Recording]]:
    """Of each list the recordings that were asked for, before `--clips` cuts them."""
    for table in given.lists:
        rows = list(read_list(table, given.language))
        yield rows if given.first is None else rows[given.first :: 3]


def list_names(given: argparse.Namespace) -> list[str]:
    """The lists by folder and file, for results."""
    return [f"{table.parent.name}/{table.name}" for table in given.lists]


def run(recordings: Sequence[Recording], language: str, setting: str) -> tuple[list[list[Event]], Any]:
    """The events of each recording, and what the process took."""
    command = [*COMMAND, "--source", language, "--target", language, "--model", "whisper-base"]
    command += [*shlex.split(setting), *(str(recording.file) for recording in recordings)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"}
    ) as process:
        assert process.stdout is not None
        lines = process.stdout.read()
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{shlex.join(command[:16])} … ended with {process.returncode}.")
    streams: list[list[Event]] = []
    for line in lines.splitlines():
        fields = json.loads(line)
        if fields["type"] == "start":
            streams.append([])
        streams[-1].append(from_dict(fields))
    return streams, used


def lags(streams: Sequence[Sequence[Event]]) -> list[float]:
    """Seconds from the end of each word to the audio heard when it settled."""
    return [
        (event.heard - word.end) / SAMPLE_RATE
        for events in streams
        for event in events
        if isinstance(event, Settled)
        for word in event.words
        if word.end is not None
    ]


def measure(recordings: Sequence[Recording], language: str, setting: str) -> dict[str, Any]:
    """One setting over all recordings, in one process."""
    streams, used = run(recordings, language, setting)
    texts = [settled_text(events, language) for events in streams]
    pairs = [(recording.text, text) for recording, text in zip(recordings, texts, strict=True)]
    errors, forms, behind = word_errors(pairs, language), written_errors(pairs), sorted(lags(streams))
    seconds, cpu = sum(recording.seconds for recording in recordings), used.ru_utime + used.ru_stime
    return {
        "setting": setting,
        "recordings": len(recordings),
        "seconds": round(seconds, 1),
        "words": errors.words,
        "wer": round(errors.rate, 2),
        "written_words": forms.words,
        "written": round(forms.rate, 2) if forms.words else None,
        "cpu_seconds_per_second": round(cpu / seconds, 3),
        "system_share": round(used.ru_stime / cpu, 3),
        "lag_mean": round(mean(behind), 2),
        "lag_median": round(median(behind), 2),
        "lag_p95": round(behind[int(0.95 * (len(behind) - 1))], 2),
        "peak_mib": round(used.ru_maxrss / 2**10),
        "texts": texts,
    }


def main(arguments: Sequence[str] | None = None) -> None:
    parser = list_parser(__doc__)
    parser.add_argument("--setting", action="append", help="options of simul translate (default: none)")
    parser.add_argument("--texts", action="store_true", help="put the texts into the result")
    given = parser.parse_args(arguments)
    recordings = [row for rows in listed(given) for row in rows[: given.clips]]
    results = []
    for setting in given.setting or [""]:
        result = measure(recordings, given.language, setting)
        texts = result.pop("texts")
        print(json.dumps(result), file=sys.stderr)
        results.append({**result, "texts": texts} if given.texts else result)
    print(
        json.dumps({"machine": describe(PACKAGES), "lists": list_names(given), "settings": results}, indent=2)
    )


if __name__ == "__main__":
    main()
