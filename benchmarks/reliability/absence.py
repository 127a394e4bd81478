"""Clients that drop out at a random place and come back after a while. Prints JSON.

python -m benchmarks.reliability.absence [--clients 6] [--away 0.2,2,10,50] [--too-long 62]: so many clients for each
time away, all at once on one server. They go on speaking meanwhile, so that they have the audio of that time to
send; `caught_up` is from the connection's being back until text is no further behind than a second again. The last
group stays away for longer than a session waits (60 s): it must be told so with 4410, and begin anew.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import time
from typing import Any

from benchmarks.machine import describe
from benchmarks.reliability.client import RATE, ProofClient
from benchmarks.reliability.load import Meter, judged, playing, spread
from benchmarks.reliability.processes import ProofServer
from server.codec import CloseCode
from tests.server.rig import noise

BEFORE, AFTER = 5.0, 15.0
"""Seconds of speech before the place where the connection may break, and after the client is back."""
BEHIND = 1.0


class Absentee:
    """A client whose connection breaks once, and who is away for a time."""

    def __init__(self, address: str, away: float, seed: int) -> None:
        self.away, self._random = away, random.Random(seed)
        self.client = ProofClient(address, noise(BEFORE + away + AFTER, seed), seed, ((), ("de",))[seed % 2])
        self.client.hears = self._heard
        self.caught_up: float | None = None
        self._back: float | None = None

    def _heard(self, message: dict[str, Any], now: float) -> None:
        if self.client.resumes and self._back is None:
            self._back = now
        if message["type"] == "settled" and self._back is not None and self.caught_up is None:
            rests = (message["t1"] + message["lag"].get("policy", 0)) / 1000
            if min(self.client.played, len(self.client.audio) / RATE) - rests < BEHIND:
                self.caught_up = now - self._back

    async def drop(self) -> None:
        """Break the connection somewhere in the first seconds."""
        await self.client.ready.wait()
        await asyncio.sleep(self._random.uniform(0.5, BEFORE))
        self.client.away = self.away
        assert self.client.socket is not None
        self.client.socket.transport.abort()


async def group(address: str, away: float, amount: int) -> dict[str, Any]:
    """Some who stay away for as long."""
    all_of_them = [Absentee(address, away, int(away * 10) + seed) for seed in range(amount)]
    drops = [asyncio.create_task(each.drop()) for each in all_of_them]
    await playing([each.client for each in all_of_them])
    await asyncio.gather(*drops)
    late = [each.caught_up for each in all_of_them if each.caught_up is not None]
    return {
        "away": away,
        **judged([each.client for each in all_of_them]),
        "resumes": sum(each.client.resumes for each in all_of_them),
        "caught_up": spread(late),
        "never": amount - len(late),
    }


async def too_long(address: str, away: float, amount: int) -> dict[str, Any]:
    """Some who come back when their session has been forgotten, and begin another one."""
    gone = [Absentee(address, away, 9000 + seed) for seed in range(amount)]
    drops = [asyncio.create_task(each.drop()) for each in gone]
    await playing([each.client for each in gone])
    await asyncio.gather(*drops)
    again = [ProofClient(address, noise(5.0, 9500 + seed), 9500 + seed) for seed in range(amount)]
    await playing(again)
    codes = sorted({code for each in gone for code in each.client.closes})
    told = sum(any("resume_expired" in said for said in each.client.problems) for each in gone)
    return {"away": away, "told": told, "close_codes": codes, "then": judged(again), "sessions": amount}


async def measured(server: ProofServer, given: argparse.Namespace) -> dict[str, Any]:
    """All groups at once."""
    meter, away = Meter(server), [float(part) for part in given.away.split(",")]
    groups = [group(server.address, seconds, given.clients) for seconds in away]
    *found, last = await asyncio.gather(*groups, too_long(server.address, given.too_long, given.clients))
    return {
        "groups": found,
        "too_long": last,
        "expected_code": int(CloseCode.RESUME_EXPIRED),
        **meter.figures(),
    }


def main() -> None:
    """Measure, and print."""
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--clients", type=int, default=6)
    p.add_argument("--away", default="0.2,2,10,50")
    p.add_argument("--too-long", type=float, default=62.0)
    given = p.parse_args()
    with ProofServer() as server:
        found = asyncio.run(measured(server, given))
        found["tracebacks"] = server.errors()
    report = {"machine": describe(("websockets",)), "date": time.strftime("%Y-%m-%d"), **found}
    report["load"] = round(os.getloadavg()[0], 1)
    print(json.dumps(report, indent=1, ensure_ascii=False))


if __name__ == "__main__":
    main()
