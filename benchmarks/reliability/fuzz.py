"""Mutated messages and raw bytes against the server, with a healthy session beside them. Prints JSON.

python -m benchmarks.reliability.fuzz [--messages 100000] [--streams 10000]. Messages go through the rig of the tests:
every answer is validated against the schema, the neighbour's text is compared, places are counted. Byte streams are
mutations of the kept ones (tests/fuzz/seeds/server-bytes), sent to a server in a process of its own.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import random
import time
from typing import Any

from benchmarks.machine import describe
from benchmarks.reliability.client import ProofClient
from benchmarks.reliability.load import spread
from benchmarks.reliability.processes import ProofServer
from tests.fuzz.server_targets import Complaints, knock
from tests.fuzz.targets import seeds_of, words_of
from tests.server.rig import noise
from tests.server.test_fuzz import fuzz

ROUNDS = 2_000
AT_ONCE = 40
RESUME_SECONDS = 60.0


def messages(wanted: int) -> dict[str, Any]:
    """Mutated messages of the native protocol and of the dialects, half and half."""
    complaints = Complaints()
    logging.getLogger("simul.server").addHandler(complaints)
    began, load, sent, seed = time.process_time(), os.getloadavg()[0], 0, 1000
    while sent < wanted:
        for native in (True, False):
            sent += fuzz(ROUNDS, seed, native)
            seed += 1
    return {
        "messages": sent,
        "seeds": [1000, seed - 1],
        "exceptions": complaints.found,
        "cpu_seconds": round(time.process_time() - began, 1),
        "load": round(load, 1),
    }


def mutant(rng: random.Random, kept: list[bytes], words: list[bytes]) -> bytes:
    """A kept stream with something in it put out of order."""
    data = bytearray(rng.choice(kept))
    for _ in range(rng.randrange(1, 6)):
        place = rng.randrange(len(data) + 1)
        kind = rng.randrange(5)
        if kind == 0:
            data[place : place + 1] = rng.randbytes(1)
        elif kind == 1:
            del data[place : place + rng.randrange(1, 64)]
        elif kind == 2:
            data[place:place] = rng.choice(words)
        elif kind == 3:
            data[place:] = rng.choice(kept)[rng.randrange(40) :]
        else:
            data[place:place] = rng.randbytes(rng.randrange(200))
    return bytes(data)


async def streams(server: ProofServer, wanted: int) -> dict[str, Any]:
    """Raw bytes, so many connections at once, and a neighbour who speaks before and during that."""
    rng, kept, words = random.Random(1), seeds_of("server-bytes"), words_of("server-bytes")
    alone = ProofClient(server.address, noise(20.0, 1), 1)
    await alone.run()
    neighbours, answered, left = [alone], 0, wanted

    async def knocking() -> None:
        nonlocal answered, left
        while left > 0:
            left -= 1
            answer = await knock(server.port, mutant(rng, kept, words), 0.3)
            answered += bool(answer)

    async def speaking() -> None:
        while left > 0:
            neighbours.append(ProofClient(server.address, noise(20.0, len(neighbours)), len(neighbours)))
            await neighbours[-1].run()

    began, load = time.monotonic(), os.getloadavg()[0]
    await asyncio.gather(speaking(), *(knocking() for _ in range(AT_ONCE)))
    seconds = time.monotonic() - began
    # Sessions that streams began wait for their clients to come back.
    await asyncio.sleep(RESUME_SECONDS + 2)
    health = await knock(server.port, b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n", 5.0)
    places = next(line for line in health.decode().splitlines() if line.startswith("simul_sessions "))
    return {
        "streams": wanted,
        "answered": answered,
        "seconds": round(seconds, 1),
        "load": round(load, 1),
        "tracebacks": server.errors(),
        "sessions_left": float(places.split()[1]),
        "neighbours": len(neighbours),
        "neighbours_equal": sum(not client.faults() for client in neighbours),
        "neighbour_alone": spread(alone.late),
        "neighbour_beside": spread([value for client in neighbours[1:] for value in client.late]),
    }


def main() -> None:
    """Measure, and print."""
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--messages", type=int, default=100_000)
    p.add_argument("--streams", type=int, default=10_000)
    given = p.parse_args()
    found: dict[str, Any] = {"machine": describe(("websockets",))}
    if given.streams:
        with ProofServer() as server:
            found["byte_streams"] = asyncio.run(streams(server, given.streams))
    if given.messages:
        found["mutated_messages"] = messages(given.messages)
    print(json.dumps(found, indent=1, ensure_ascii=False))


if __name__ == "__main__":
    main()
