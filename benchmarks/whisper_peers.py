"""Our Whisper beside other programs on the same weights and recordings: errors, lag of words, processor time, memory.

    python -m benchmarks.whisper_peers LIST... [--first N] [--clips N] --checkpoint base.pt
        --peer whisper_streaming=PYTHON,FOLDER --peer SimulStreaming=PYTHON,FOLDER --peer WhisperLiveKit=PYTHON

Every program runs in a process of its own on one thread, a peer under the Python it is installed for (FOLDER: its
sources, where it is no package). Lists and thirds as in benchmarks/whisper.py; recordings beyond 28 s are left out.
Lags are those of benchmarks/word_lag.py: computing takes no time in them, which is the same favour to all. What
`--output` has is not measured again.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from statistics import mean
from typing import Any

from benchmarks.cases import run_cases
from benchmarks.watched import WatchedProcess
from benchmarks.whisper import Recording, list_parser, listed
from benchmarks.whisper_robustness import PACKAGES, command, read
from benchmarks.word_lag import LONGEST, TimedWords, lags, timed_words, word_clock
from latency_metrics.quantiles import quantiles
from simul.evaluation.word_errors import word_errors, written_errors
from simul.models.catalogue import locate
from simul.session.events import from_json
from simul.session.transcript import Transcript
from simul.units import SAMPLE_RATE

OURS = {
    "ours": "",
    "ours, a decision a second": "--chunk-ms 1000",
    "ours, live": "--window live",
}
Pieces = list[tuple[str, float]]
CLAIMED = ("lag_mean", "cpu_seconds_per_second", "peak_mib")


def our_pieces(lines: Sequence[str]) -> list[Pieces]:
    """What our events added to the text of each recording, and when."""
    found: list[Pieces] = []
    for event in map(from_json, lines):
        if event.type == "start":
            found.append([])
            transcript = Transcript()
        added = transcript.push(event).added
        if added:
            found[-1].append((added, getattr(event, "heard", 0) / SAMPLE_RATE))
    return found


def peer_pieces(lines: Sequence[str], count: int) -> list[Pieces]:
    """What a peer wrote of each recording, and when."""
    found: list[Pieces] = [[] for _ in range(count)]
    for line in map(json.loads, lines):
        if "text" in line:
            found[line["recording"]].append((line["text"], line["at"]))
    return found


def measure(
    arguments: Sequence[str],
    variables: Mapping[str, str],
    pieces_of: Callable[[Sequence[str]], list[Pieces]],
    recordings: Sequence[Recording],
    clock: Sequence[TimedWords],
    language: str,
) -> dict[str, Any]:
    """One program on all recordings."""
    lines, loaded = [], 0.0
    log = Path("/dev/null")
    with WatchedProcess(arguments, variables=variables, errors=log) as process:
        for line in process.lines():
            loaded = loaded or process.now()[0]
            lines.append(line)
    pieces = pieces_of(lines)
    texts = ["".join(text for text, _ in each) for each in pieces]
    pairs = [(recording.text, text) for recording, text in zip(recordings, texts, strict=True)]
    errors, forms = word_errors(pairs, language), written_errors(pairs)
    behind = [
        lag
        for said, heard in zip(clock, pieces, strict=True)
        for lag in lags(said, timed_words(heard, language))
    ]
    p50, p95 = quantiles(behind, 0.5, 0.95)
    seconds = sum(recording.seconds for recording in recordings)
    return {
        "words": errors.words,
        "edits": errors.edits,
        "wer": round(errors.rate, 2),
        "written_words": forms.words,
        "written": round(forms.rate, 2) if forms.words else None,
        "matched_words": len(behind),
        "lag_mean": round(mean(behind), 2),
        "lag_median": round(p50, 2),
        "lag_p95": round(p95, 2),
        "cpu_seconds_per_second": round(process.cpu / seconds, 3),
        "cpu_seconds_to_load": round(loaded, 1),
        "peak_mib": process.peak_mib,
        "texts": texts,
    }


def claims(cases: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """For each of our settings and each peer: how many words more it errs, and what it needs of the peer's figures."""
    found = []
    for ours in (name for name in cases if name in OURS):
        for peer in (name for name in cases if name not in OURS):
            a, b = cases[ours], cases[peer]
            shares = {f"{name}_share": round(a[name] / b[name], 2) for name in CLAIMED}
            found.append({"ours": ours, "peer": peer, "edits_more": a["edits"] - b["edits"], **shares})
    return found


def peer_case(named: str, given: argparse.Namespace, files: Sequence[str]) -> tuple[str, list[str], str]:
    """Name, command and source folder of a peer."""
    name, _, places = named.partition("=")
    python, _, folder = places.partition(",")
    script = Path(__file__).with_name("whisper_peer.py")
    options = ["--model", str(locate("whisper-base")), "--checkpoint", str(given.checkpoint)]
    return name, [python, str(script), name, *options, "--language", given.language, *files], folder


def main(arguments: Sequence[str] | None = None) -> None:
    parser = list_parser(__doc__)
    parser.add_argument("--checkpoint", type=Path, help="of benchmarks/openai_checkpoint.py")
    parser.add_argument("--peer", action="append", default=[], metavar="NAME=PYTHON[,FOLDER]")
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results/whisper_peers.json"))
    given = parser.parse_args(arguments)
    short = ([row for row in rows if row.seconds <= LONGEST] for rows in listed(given))
    recordings = [row for rows in short for row in rows[: given.clips]]
    sounds = [read(recording.file) for recording in recordings]
    clock = word_clock(locate("whisper-base"), list(zip(recordings, sounds, strict=True)), given.language)
    files = [str(recording.file) for recording in recordings]
    cases: dict[str, Callable[[], Any]] = {}
    for name, setting in OURS.items():
        ours = command(given.language, setting, *files)
        cases[name] = partial(measure, ours, {}, our_pieces, recordings, clock, given.language)
    for named in given.peer:
        name, theirs, folder = peer_case(named, given, files)
        pieces_of = partial(peer_pieces, count=len(recordings))
        # They find their packages and sources alone, not ours.
        places = {"PYTHONPATH": folder}
        cases[name] = partial(measure, theirs, places, pieces_of, recordings, clock, given.language)
    common = {
        "recordings": [f"{r.file.parent.parent.name}/{r.file.name}" for r in recordings],
        "seconds": round(sum(r.seconds for r in recordings), 1),
    }
    report = run_cases(given.output, cases, PACKAGES, common)
    report["claims"] = claims(report["cases"])
    given.output.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(json.dumps(report["claims"], indent=1), file=sys.stdout)


if __name__ == "__main__":
    main()
