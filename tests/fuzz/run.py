"""`make fuzz`: each target on mutated seeds for some minutes; an input that fails is kept as a seed.

Hypothesis draws the mutations and shrinks what fails. A call may take 2 s of processor time, so that a loaded machine
is no failure. Each target has a process of its own: one that dies or hangs inside a library costs one input, which is
kept like any other, and the target goes on. Prints JSON: inputs and failures of each target.
"""

from __future__ import annotations

import argparse
import faulthandler
import hashlib
import json
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import FrameType

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from tests.fuzz.targets import SEEDS, TARGETS, Target, scratch, seeds_of, words_of

MOST_SECONDS = 2.0
"""Of processor time for one input."""

HANGS_SECONDS = 120
"""Of wall time for one input, after which the process is given up."""

MOST_FAILURES = 20
LONGEST = 1 << 16
ROUND = 300
"""Inputs between two looks at the clock."""


class TooSlow(BaseException):
    """A call took too long. No `Exception`, so that nothing on the way takes it for a damaged input."""


@dataclass
class Outcome:
    """What a target was given, and what it failed on."""

    target: str
    inputs: int = 0
    slowest_cpu_s: float = 0.0
    failures: list[str] = field(default_factory=list)


def mutated(kept: Sequence[bytes], words: Sequence[bytes]) -> st.SearchStrategy[bytes]:
    """Seeds with some of their bytes changed, left out, doubled, or replaced by words of the language."""

    @st.composite
    def draw_input(draw: st.DrawFn) -> bytes:
        data = bytearray(draw(st.sampled_from(kept)))
        for _ in range(draw(st.integers(0, 6))):
            place = draw(st.integers(0, len(data)))
            kind = draw(st.integers(0, 6))
            if kind == 0 and place < len(data):
                data[place] = draw(st.integers(0, 255))
            elif kind == 1:
                del data[place : place + draw(st.integers(1, 64))]
            elif kind == 2:
                data[place:place] = draw(st.sampled_from(words))
            elif kind == 3:
                data[place : place + 4] = draw(st.binary(min_size=4, max_size=4))
            elif kind == 4:
                other = draw(st.sampled_from(kept))
                data[place:] = other[draw(st.integers(0, len(other))) :]
            elif kind == 5:
                piece = data[place : place + draw(st.integers(1, 32))]
                data[place:place] = piece * draw(st.integers(1, 20))
            else:
                data[place:place] = draw(st.text(max_size=8)).encode("utf-8", "surrogatepass")
        return bytes(data[:LONGEST])

    return draw_input()


def call(target: Target, data: bytes, folder: Path) -> float:
    """Give the target an input, for as long as it may take; the seconds of processor time that it took.

    Raises:
        TooSlow: It took longer. A library that does not come back is noticed when it does.
    """

    def stop(number: int, frame: FrameType | None) -> None:
        raise TooSlow(f"more than {MOST_SECONDS:g} s of processor time")

    previous = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, MOST_SECONDS)
    began = time.process_time()
    try:
        target(data, folder)
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, previous)
    return time.process_time() - began


class Fuzzer:
    """Gives a target inputs; what it is given and what has come of it stands in `folder` at every moment."""

    def __init__(self, name: str, folder: Path) -> None:
        self._name, self._folder = name, folder
        self._last, self._state = last_input(folder, name), state_file(folder, name)
        self.outcome = load_outcome(folder, name)

    def run(self, seconds: float, number: int) -> None:
        """Fuzz for so long, or until there are too many failures."""
        for data in seeds_of(self._name)[:3]:
            TARGETS[self._name][0](data, self._folder)  # What is imported and compiled once is not timed.
        end = time.monotonic() + seconds
        inputs = mutated(seeds_of(self._name), words_of(self._name))
        while time.monotonic() < end and len(self.outcome.failures) < MOST_FAILURES:
            number += 1
            options = settings(
                max_examples=ROUND, database=None, deadline=None, suppress_health_check=list(HealthCheck),
                phases=(Phase.generate, Phase.shrink),
            )  # fmt: skip
            try:
                seed(number)(options(given(inputs)(self._one)))()
            except Exception as error:
                self._fail(told(error), self._last.read_bytes())
            self._write()

    def _one(self, data: bytes) -> None:
        self._last.write_bytes(data)
        self.outcome.inputs += 1
        if self.outcome.inputs % 20 == 0:
            self._write()
        faulthandler.dump_traceback_later(HANGS_SECONDS, exit=True)
        try:
            took = call(TARGETS[self._name][0], data, self._folder)
            self.outcome.slowest_cpu_s = round(max(self.outcome.slowest_cpu_s, took), 3)
        except TooSlow as error:
            self._fail(told(error), data)  # Not shrunk: every try would take as long.
        finally:
            faulthandler.cancel_dump_traceback_later()

    def _fail(self, message: str, data: bytes) -> None:
        failure = f"{keep(self._name, data)}: {message}"
        if failure not in self.outcome.failures:
            self.outcome.failures.append(failure)
        self._write()

    def _write(self) -> None:
        self._state.write_text(json.dumps(asdict(self.outcome)), encoding="utf-8")


def last_input(folder: Path, name: str) -> Path:
    """Where the input stands that a target has."""
    return folder / f"last-{name}"


def state_file(folder: Path, name: str) -> Path:
    """Where the outcome of a target stands."""
    return folder / f"outcome-{name}.json"


def load_outcome(folder: Path, name: str) -> Outcome:
    """What has come of a target so far."""
    path = state_file(folder, name)
    return Outcome(**json.loads(path.read_text(encoding="utf-8"))) if path.exists() else Outcome(name)


def watch(name: str, seconds: float, folder: Path, number: int) -> Outcome:
    """Fuzz a target in a process of its own, and in another whenever one dies."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0 and len(load_outcome(folder, name).failures) < MOST_FAILURES:
        command = [sys.executable, "-m", "tests.fuzz.run", "--inside", str(folder), "--target", name,
                   "--seed", str(number), "--minutes", str(left / 60)]  # fmt: skip
        code = subprocess.run(command, check=False).returncode
        if code == 0:
            break
        outcome = load_outcome(folder, name)
        kept = keep(name, last_input(folder, name).read_bytes())
        outcome.failures.append(f"{kept}: the process ended with {code}")
        state_file(folder, name).write_text(json.dumps(asdict(outcome)), encoding="utf-8")
        number += 100_000
    return load_outcome(folder, name)


def told(error: BaseException) -> str:
    """The innermost of several errors, with the place it arose."""
    while several := getattr(error, "exceptions", None):
        error = several[0]
    place = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {str(error)[:200]} ({place.filename}:{place.lineno})"


def keep(name: str, data: bytes) -> str:
    """Keep an input that failed; the tests replay it. Returns its name."""
    folder = SEEDS / name
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"found-{hashlib.sha256(data).hexdigest()[:12]}"
    path.write_bytes(data)
    return path.name


def main() -> int:
    """Fuzz the targets that were asked for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=10, help="for each target")
    parser.add_argument("--target", action="append", choices=list(TARGETS), help="only this one (repeatable)")
    parser.add_argument("--seed", type=int, default=time.time_ns() % 2**32)
    parser.add_argument("--inside", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.inside:
        for name in asked.target:
            Fuzzer(name, asked.inside).run(60 * asked.minutes, asked.seed)
        return 0
    from benchmarks.machine import describe

    results = []
    with tempfile.TemporaryDirectory() as place:
        for name in asked.target or TARGETS:
            results.append(watch(name, 60 * asked.minutes, scratch(place), asked.seed))
            print(json.dumps(asdict(results[-1])), file=sys.stderr, flush=True)
    report = [asdict(result) for result in results]
    print(json.dumps({"machine": describe(), "seed": asked.seed, "results": report}, indent=1))
    return 1 if any(result.failures for result in results) else 0


if __name__ == "__main__":
    sys.exit(main())
