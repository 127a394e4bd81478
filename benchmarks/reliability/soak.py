"""Sessions that come and go for a long time, drop out, and lose their workers: is anything left behind? Prints JSON.

python -m benchmarks.reliability.soak [--minutes 8] [--sessions 40] [--kill-every 60]: so many sessions at any time, of
5 to 60 s each, every third of which drops out once; a worker is killed now and then. Every second the gateway's
memory, open files, tasks' count of sessions and how late its event loop is are written down; in the end, once sessions
that are over have been forgotten, files and sessions must be as before. Every text is compared, so that a word of
another session would show.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import signal
import time
import urllib.request
from itertools import count
from typing import Any

import numpy as np

from benchmarks.machine import describe
from benchmarks.reliability.client import ProofClient
from benchmarks.reliability.load import Meter, spread
from benchmarks.reliability.processes import ProofServer
from tests.server.rig import noise

SHORTEST, LONGEST = 5.0, 60.0
FORGOTTEN_SECONDS = 63.0
"""After which a session that is over is known no more."""
TARGETS: tuple[tuple[str, ...], ...] = ((), ("de",), ("de", "fr"))
KNOWN = ("seconds", "gateway_core_share", "client_core_share", "load_before", "load_after")
Sample = tuple[float, float, int, float]
"""Seconds since the beginning, MiB, open files, ms that the loop was late."""


class Soak:
    """The sessions of one server, and what is seen of it meanwhile."""

    def __init__(self, server: ProofServer, given: argparse.Namespace) -> None:
        self._server, self._given = server, given
        self._numbers, self._random = count(), random.Random(1)
        self._until = time.monotonic() + 60 * given.minutes
        self._began = time.monotonic()
        self.clients: list[ProofClient] = []
        self.samples: list[Sample] = []
        self.drops = self.kills = 0

    async def one_place(self) -> None:
        """One session after the other."""
        while (left := self._until - time.monotonic()) > SHORTEST:
            number = next(self._numbers)
            seconds = min(self._random.uniform(SHORTEST, LONGEST), left)
            targets = TARGETS[number % len(TARGETS)]
            client = ProofClient(self._server.address, noise(seconds, number), number, targets)
            drop = asyncio.create_task(self._drop(client, seconds)) if number % 3 == 0 else None
            await client.run()
            if drop is not None:
                drop.cancel()
            # What it sent and heard is not needed any more: only what was wrong is.
            client.problems, client.end = client.faults(), client.end or {"lost": 0}
            self.clients.append(client)

    async def _drop(self, client: ProofClient, seconds: float) -> None:
        await client.ready.wait()
        await asyncio.sleep(self._random.uniform(0.0, seconds))
        if client.socket is not None:
            self.drops += 1
            client.socket.transport.abort()

    async def killing(self) -> None:
        """Take a worker away now and then."""
        while True:
            await asyncio.sleep(self._given.kill_every)
            if workers := self._server.workers():
                os.kill(self._random.choice(workers), signal.SIGKILL)
                self.kills += 1

    async def watching(self) -> None:
        """Write down how the gateway does."""
        while True:
            self.samples.append(await asyncio.to_thread(self._sample))
            await asyncio.sleep(1.0)

    def _sample(self) -> Sample:
        with urllib.request.urlopen(f"http://127.0.0.1:{self._server.port}/health", timeout=30) as answer:
            late = float(json.load(answer)["loop_lag_ms"])
        at = time.monotonic() - self._began
        return at, self._server.memory_mib(), self._server.open_files(), late

    def figures(self) -> dict[str, Any]:
        """Memory after the first third: how much more an hour; files at the beginning and the end; lateness."""
        times, memory, _, late = map(np.array, zip(*self.samples, strict=True))
        settled = times > times[-1] / 3
        slope = np.polyfit(times[settled], memory[settled], 1)[0] * 3600
        return {
            "memory_mib": [
                round(float(memory[0]), 1),
                round(float(memory[settled][0]), 1),
                round(float(memory[-1]), 1),
            ],
            "mib_an_hour": round(float(slope), 1),
            "loop_late": spread([float(value) / 1000 for value in late]),
        }


async def soak(server: ProofServer, given: argparse.Namespace) -> dict[str, Any]:
    """All of it."""
    files, meter, found = server.open_files(), Meter(server), Soak(server, given)
    beside = [asyncio.create_task(each) for each in (found.killing(), found.watching())]
    await asyncio.gather(*(found.one_place() for _ in range(given.sessions)))
    beside[0].cancel()
    # Time of workers that were killed is not known any more.
    told = meter.figures()
    figures = {**found.figures(), **{name: told[name] for name in KNOWN}}
    await asyncio.sleep(FORGOTTEN_SECONDS)
    beside[1].cancel()
    wrong = {client.seed: client.problems for client in found.clients if client.problems}
    return {
        "at_once": given.sessions,
        "minutes": given.minutes,
        "sessions": len(found.clients),
        "equal": len(found.clients) - len(wrong),
        "wrong": wrong,
        "drops": found.drops,
        "resumes": sum(client.resumes for client in found.clients),
        "kills": found.kills,
        "gateway_starts": server.starts,
        "files": [files, server.open_files()],
        "sessions_left": server.metrics("sessions").get("sessions"),
        **figures,
    }


def main() -> None:
    """Measure, and print."""
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--minutes", type=float, default=8.0)
    p.add_argument("--sessions", type=int, default=40)
    p.add_argument("--kill-every", type=float, default=60.0)
    given = p.parse_args()
    with ProofServer() as server:
        found = asyncio.run(soak(server, given))
        found["tracebacks"] = server.errors()
    report = {"machine": describe(("websockets",)), "date": time.strftime("%Y-%m-%d"), **found}
    print(json.dumps(report, indent=1, ensure_ascii=False))


if __name__ == "__main__":
    main()
