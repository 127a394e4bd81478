"""The server in a process of its own, on the proof engine of the tests; signals and files bring faults about.

python -m benchmarks.reliability.proof_server PORT --trouble FOLDER [options of a server]. In the folder, a file called
`raise`, `memory` or `slow` makes one pass of one worker raise, run out of memory, or take 20 seconds; whoever finds it
takes it away. SIGUSR1 moves the wall clock by an hour to and fro; SIGUSR2 holds the event loop up for three seconds.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
import time
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import Any

from server.options import ServeOptions
from server.run import run_server
from simul.config import StreamOptions
from tests.server.proof import ProofModels

SLOW_SECONDS = 20.0
HOUR = 3600.0


@dataclass(frozen=True)
class TroubledModels:
    """Makes the models of a worker: each pass looks for trouble first."""

    folder: str
    step_seconds: float = 0.0

    def __call__(self) -> ProofModels:
        """The models, not loaded yet."""
        return ProofModels(self.look)

    def look(self, batch: int) -> None:
        """Do what a file says, once; take the time that a pass is to take."""
        time.sleep(self.step_seconds)
        for name in ("raise", "memory", "slow"):
            try:
                (Path(self.folder) / name).unlink()
            except FileNotFoundError:
                continue
            if name == "slow":
                time.sleep(SLOW_SECONDS)
            else:
                raise MemoryError if name == "memory" else RuntimeError("this pass was to fail")


def unsettle_clocks() -> None:
    """Let signals move the wall clock, and hold the loop up."""
    real, offsets = time.time, cycle((HOUR, -HOUR, 0.0))
    wall: dict[str, Any] = {"offset": 0.0}
    time.time = lambda: real() + wall["offset"]
    signal.signal(signal.SIGUSR1, lambda *_: wall.update(offset=next(offsets)))
    signal.signal(signal.SIGUSR2, lambda *_: time.sleep(3.0))


def main() -> None:
    """Serve until a signal says stop."""
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("port", type=int)
    p.add_argument("--trouble", required=True)
    p.add_argument("--sessions", type=int, default=128)
    p.add_argument("--workers", type=int, default=2)
    p.add_argument("--journal")
    p.add_argument("--drain-seconds", type=int, default=10)
    p.add_argument("--stage", action="store_true")
    p.add_argument("--engine", default="local")
    p.add_argument("--step-ms", type=float, default=0.0, help="what a pass of a worker takes at least")
    given = p.parse_args()
    options = ServeOptions(
        port=given.port,
        sessions=given.sessions,
        workers=given.workers,
        journal=given.journal,
        drain_seconds=given.drain_seconds,
        stage=given.stage,
        engine=given.engine,
        stage_language=("de", "fr") if given.stage else (),
    )
    unsettle_clocks()
    stream = StreamOptions(source="en", target="en", chunk_ms=400)
    models = TroubledModels(given.trouble, given.step_ms / 1000)
    asyncio.run(run_server(options, stream, models, lambda said: print(said, file=sys.stderr), "proof"))


if __name__ == "__main__":
    main()
