"""Speed and memory of a model on recordings: real-time factor, lag p50/p95, cost and memory by the minute, as JSON.

Chunks arrive at the pace of live speech on a clock that counts this process's CPU time, so the figures do not
depend on what else the machine does; `--live` waits in real time instead and measures wall time.

    python -m benchmarks.embedded FILE... [--target de] [--policy NAME] [--chunk-ms 500] [--minutes 60] [--live]

With `--minutes` the recordings are repeated to that length, and the last minute is the audio of the second minute
once more, so that what the same speech costs early and late can be compared. Since a machine's pace changes within
an hour, a new process hears the second minute as the second of its own stream beside it, in turns chunk by chunk.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import multiprocessing
import resource
from array import array
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from benchmarks.machine import describe
from benchmarks.spread import spread
from policies.registry import make_policy
from simul.audio import FileSource, to_samples
from simul.backends.families import ModelConfig, load_backend
from simul.clock import Clock, MeteredClock, WallClock
from simul.config import DEFAULT_POLICY
from simul.memory import freeze
from simul.session import Session, SessionConfig
from simul.session.drive import Step, drive
from simul.session.events import End, Settled
from simul.units import SAMPLE_RATE, Samples

MINUTE = 60 * SAMPLE_RATE


def resident_mib() -> float:
    """Memory of this process in MiB; the kernel's quicker counters lag behind by megabytes on large machines."""
    try:
        lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return next(int(line.split()[1]) for line in lines if line.startswith("Rss:")) / 1024


def chunks(files: list[Path], chunk_ms: int) -> Iterator[Samples]:
    """The recordings one after the other as one stream."""
    for path in files:
        with FileSource(path, chunk_ms=chunk_ms) as source:
            yield from source


def endless(files: list[Path], chunk_ms: int) -> Iterator[Samples]:
    """The recordings over and over."""
    while True:
        yield from chunks(files, chunk_ms)


def between(pieces: Iterator[Samples], begin: int, end: int) -> Iterator[Samples]:
    """The samples of a stream from `begin` to `end`."""
    at = 0
    for piece in pieces:
        kept = piece[max(0, begin - at) : end - at]
        at += len(piece)
        if len(kept):
            yield kept
        if at >= end:
            return


def for_minutes(files: list[Path], chunk_ms: int, minutes: int) -> Iterator[Samples]:
    """The recordings over and over for a minute less than `minutes`, and then the second minute once more.

    It is read once more too: audio that is kept would count as memory.
    """
    yield from between(endless(files, chunk_ms), 0, (minutes - 1) * MINUTE)
    yield from between(endless(files, chunk_ms), MINUTE, 2 * MINUTE)


def open_session(given: argparse.Namespace, clock: Clock) -> Session:
    """A session as the command line asks for it, with everything loaded."""
    loaded = load_backend(ModelConfig(model=given.model, threads=1), "en", given.target)
    freeze()
    for path in given.files:
        # So that the code which reads a format is there before memory is watched.
        with FileSource(path) as source:
            next(iter(source), None)
    config = SessionConfig("en", given.target, to_samples(given.chunk_ms))
    return Session(make_policy(given.policy, {}), loaded.backend, clock, config)


def begin_anew(turns: Connection, given: argparse.Namespace) -> None:
    """In a process of its own: the first minute at once, then a chunk of the second for every word from `turns`."""
    clock = MeteredClock()
    session = open_session(given, clock)
    minutes = (between(endless(given.files, given.chunk_ms), at, at + MINUTE) for at in (0, MINUTE))
    steps = drive(itertools.chain.from_iterable(minutes), session, clock)
    while next(steps).arrived < MINUTE:
        pass
    while True:
        turns.recv()
        turns.send(next(steps).compute)


class Newcomer:
    """Another stream of the same speech in a new process; `turn` takes its second minute on by a chunk."""

    def __init__(self, given: argparse.Namespace) -> None:
        context = multiprocessing.get_context("spawn")
        self._turns, others = context.Pipe()
        self._process = context.Process(target=begin_anew, args=(others, given), daemon=True)
        self._spent: list[float] = []
        self._process.start()
        others.close()

    def turn(self) -> None:
        """Let it have a chunk, and wait until it is done."""
        self._turns.send(None)
        self._spent.append(self._turns.recv())

    @property
    def compute(self) -> float:
        """Mean seconds of a chunk."""
        return float(np.mean(self._spent))

    def close(self) -> None:
        """End the process."""
        self._turns.close()
        self._process.terminate()
        self._process.join()


def measure(
    session: Session,
    clock: Clock,
    pieces: Iterator[Samples],
    output: TextIO | None = None,
    between_chunks: Callable[[Step], None] = lambda step: None,
) -> dict[str, Any]:
    """Run the stream; `lag` is from the arrival of a chunk's last sample until its events are out (s).

    output: where settled text goes; text that is kept would count as memory.

    A minute's memory is the median over its chunks, since the recogniser's grows and shrinks with each utterance.
    """
    compute, behind, words_lag, resident = (array("d") for _ in range(4))
    minutes: list[dict[str, float]] = []
    spent, count, heard, characters = 0.0, 0, 0, 0
    end: End | None = None
    for step in drive(pieces, session, clock):
        compute.append(step.compute)
        behind.append(step.behind)
        resident.append(resident_mib())
        spent, count, heard = spent + step.compute, count + 1, step.arrived
        for event in step.events:
            if isinstance(event, Settled):
                characters += len(event.text)
                if output is not None:
                    output.write(event.text)
                if event.spans:
                    words_lag.extend(event.time - last / SAMPLE_RATE for _, last in event.spans)
            elif isinstance(event, End):
                end = event
        if step.arrived >= (len(minutes) + 1) * MINUTE or (step.samples is None and count > 1):
            minutes.append(
                {
                    "minute": len(minutes) + 1,
                    "memory_mib": round(float(np.median(resident)), 1),
                    "compute_ms_per_chunk": round(1000 * spent / max(1, count), 2),
                }
            )
            spent, count, resident = 0.0, 0, array("d")
        between_chunks(step)
    seconds = heard / SAMPLE_RATE
    assert end is not None
    return {
        "audio_seconds": round(seconds, 2),
        "samples_given": heard,
        "samples_processed": end.heard,
        "samples_skipped": end.skipped,
        "segments": end.segments,
        "real_time_factor": round(sum(compute) / seconds, 4),
        "compute_per_chunk_s": spread(compute),
        "lag_s": spread(behind),
        "lag_of_text_behind_its_source_s": spread(words_lag) if words_lag else None,
        "peak_memory_mib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
        "by_minute": minutes,
        "characters": characters,
    }


def compare(minutes: list[dict[str, float]]) -> dict[str, float]:
    """What the last minute takes of what the second took; both hold the same speech."""
    second, last = minutes[1], minutes[-1]
    return {name: round(last[name] / second[name], 4) for name in ("memory_mib", "compute_ms_per_chunk")}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--target", default="de")
    parser.add_argument("--model", default="embedded")
    parser.add_argument("--policy", default=DEFAULT_POLICY)
    parser.add_argument("--chunk-ms", type=int, default=500)
    parser.add_argument("--minutes", type=int, help="repeat the recordings to this length")
    parser.add_argument("--live", action="store_true")
    parser.add_argument("--text", type=Path, help="write the settled text there")
    parser.add_argument("--output", type=Path, help="write the figures there too")
    given = parser.parse_args()
    if given.minutes is not None and given.minutes < 3:
        parser.error(
            f"--minutes is {given.minutes}; the last minute is compared with the second, so give 3 or more"
        )
    clock: Clock = WallClock() if given.live else MeteredClock()
    session = open_session(given, clock)
    pieces = chunks(given.files, given.chunk_ms)
    newcomer = Newcomer(given) if given.minutes else None
    if given.minutes:
        pieces = for_minutes(given.files, given.chunk_ms, given.minutes)

    def in_turns(step: Step) -> None:
        if newcomer is not None and step.samples is not None and step.arrived > (given.minutes - 1) * MINUTE:
            newcomer.turn()

    with contextlib.ExitStack() as stack:
        output = None if given.text is None else stack.enter_context(given.text.open("w", encoding="utf-8"))
        if newcomer is not None:
            stack.callback(newcomer.close)
        figures = measure(session, clock, pieces, output, in_turns)
    report: dict[str, Any] = {
        "machine": describe(("pocketsphinx", "ctranslate2", "numpy")),
        "clock": "wall" if given.live else "CPU time",
        "recordings": [path.name for path in given.files],
        "model": given.model,
        "policy": given.policy,
        "chunk_ms": given.chunk_ms,
        **figures,
    }
    if newcomer is not None:
        report["last_minute_against_second"] = compare(report["by_minute"])
        fresh = 1000 * newcomer.compute
        report["last_minute_against_newcomer"] = {
            "newcomer_compute_ms_per_chunk": round(fresh, 2),
            "compute_ms_per_chunk": round(report["by_minute"][-1]["compute_ms_per_chunk"] / fresh, 4),
        }
    if given.output:
        given.output.parent.mkdir(parents=True, exist_ok=True)
        given.output.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
