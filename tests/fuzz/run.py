"""`make fuzz`: each target on mutated seeds for some minutes; an input that fails is kept as a seed.

Hypothesis draws the mutations and shrinks what fails. A call may take 2 s of processor time, so that a loaded machine
is no failure. Prints JSON: inputs and failures of each target.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from tests.fuzz.targets import SEEDS, TARGETS, Target, scratch, seeds_of, words_of

MOST_SECONDS = 2.0
"""Of processor time for one input."""

LONGEST = 1 << 16
ROUND = 300
"""Inputs between two looks at the clock."""


class TooSlow(Exception):
    """A call took too long."""


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


def call(target: Target, data: bytes, folder: Path) -> None:
    """Give the target an input, for as long as it may take."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise TooSlow(f"more than {MOST_SECONDS:g} s of processor time")

    previous = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, MOST_SECONDS)
    try:
        target(data, folder)
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, previous)


def fuzz(name: str, seconds: float, folder: Path, number: int) -> dict[str, Any]:
    """Fuzz one target; what it was given and what it failed on."""
    target, words = TARGETS[name][0], words_of(name)
    kept, last = seeds_of(name), folder / f"last-{name}"
    counted, failures, slowest = 0, [], 0.0
    end = time.monotonic() + seconds

    def body(data: bytes) -> None:
        nonlocal counted, slowest
        counted += 1
        last.write_bytes(data)
        began = time.process_time()
        call(target, data, folder)
        slowest = max(slowest, time.process_time() - began)

    while time.monotonic() < end and len(failures) < 20:
        number += 1
        options = settings(
            max_examples=ROUND, database=None, deadline=None, suppress_health_check=list(HealthCheck),
            phases=(Phase.generate, Phase.shrink),
        )  # fmt: skip
        try:
            seed(number)(options(given(mutated(kept, words))(body)))()
        except BaseException as error:
            if isinstance(error, (KeyboardInterrupt, SystemExit)):
                raise
            failures.append(told(error))
            keep(name, last.read_bytes())
    return {"target": name, "inputs": counted, "slowest_cpu_s": round(slowest, 3), "failures": failures}


def told(error: BaseException) -> str:
    """The innermost of several errors, with the place it arose."""
    while several := getattr(error, "exceptions", None):
        error = several[0]
    place = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {str(error)[:200]} ({place.filename}:{place.lineno})"


def keep(name: str, data: bytes) -> None:
    """Keep an input that failed; the tests replay it."""
    folder = SEEDS / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"found-{hashlib.sha256(data).hexdigest()[:12]}").write_bytes(data)


def main() -> int:
    """Fuzz the targets that were asked for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=10, help="for each target")
    parser.add_argument("--target", action="append", choices=list(TARGETS), help="only this one (repeatable)")
    parser.add_argument("--seed", type=int, default=time.time_ns() % 2**32)
    asked = parser.parse_args()
    from benchmarks.machine import describe

    results = []
    with tempfile.TemporaryDirectory() as place:
        for name in asked.target or TARGETS:
            results.append(fuzz(name, 60 * asked.minutes, scratch(place), asked.seed))
            print(json.dumps(results[-1]), file=sys.stderr, flush=True)
    print(json.dumps({"machine": describe(), "seed": asked.seed, "results": results}, indent=1))
    return 1 if any(result["failures"] for result in results) else 0


if __name__ == "__main__":
    sys.exit(main())
