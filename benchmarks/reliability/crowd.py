"""Many who come at once, more than there is room for, and one who wants more than the others. Prints JSON.

    python -m benchmarks.reliability.crowd connect [--sessions 500] [--each-second 50]
    python -m benchmarks.reliability.crowd overload [--sessions 20] [--times 3] [--seconds 20]
    python -m benchmarks.reliability.crowd fairness [--sessions 10] [--seconds 30] [--speed 4] [--step-ms 20]

The server is one of `benchmarks.reliability.proof_server`; the clients run on the same machine.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import time
from collections import Counter
from typing import Any

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from benchmarks.machine import describe
from benchmarks.reliability.client import ProofClient
from benchmarks.reliability.load import SPREAD_SECONDS, Meter, judged, ms, playing, spread
from benchmarks.reliability.processes import ProofServer
from server import protocol as p
from server.codec import encode
from tests.server.rig import noise

CHUNK_SECONDS = 0.4
"""Of the proof server: a decision is to be out a chunk after its audio."""
GRACE_SECONDS = 3.0
REFUSAL_SECONDS = 2.5
"""After which a refusal is to have come."""


async def ready(client: ProofClient) -> float:
    """Seconds until a client that runs has its session."""
    began = time.monotonic()
    await client.ready.wait()
    return time.monotonic() - began


async def places(server: ProofServer, wanted: int) -> float:
    """Seconds until so many sessions take up a place, as the server counts them; at most GRACE_SECONDS."""
    began = time.monotonic()
    while server.metrics("sessions").get("sessions") != wanted:
        if time.monotonic() - began > GRACE_SECONDS:
            break
        await asyncio.sleep(0.02)
    return time.monotonic() - began


async def coming(server: ProofServer, given: argparse.Namespace) -> dict[str, Any]:
    """So many sessions of two seconds, so many of them a second."""
    clients = [ProofClient(server.address, noise(2.0, seed), seed) for seed in range(given.sessions)]
    meter, waits, began = Meter(server), list[float](), time.monotonic()

    async def one(number: int, client: ProofClient) -> None:
        await asyncio.sleep(max(0.0, began + number / given.each_second - time.monotonic()))
        running = asyncio.create_task(client.run())
        waits.append(await ready(client))
        await running

    await asyncio.gather(*(one(number, client) for number, client in enumerate(clients)))
    await places(server, 0)
    left = server.metrics("sessions")
    return {**judged(clients), "ready": spread(waits), "places_left": left, **meter.figures()}


async def asking(address: str) -> tuple[str, float, int | None, int | None]:
    """Ask for a session: "ready" or the code of the refusal, seconds, the time to come back (ms), the close code."""
    began = time.monotonic()
    async with connect(f"{address}/v1/session", proxy=None, ping_interval=None) as socket:
        await socket.send(encode(p.SessionStart(client="crowd")))
        said, back = "nothing", None
        try:
            async for frame in socket:
                message = json.loads(frame)
                if message["type"] == "session.ready":
                    await socket.send(encode(p.SessionClose()))
                    return "ready", time.monotonic() - began, None, None
                if message["type"] == "error":
                    said, back = message["code"], message.get("retry_after_ms")
        except ConnectionClosed:
            pass
        return said, time.monotonic() - began, back, socket.close_code


async def overload(server: ProofServer, given: argparse.Namespace) -> dict[str, Any]:
    """As many as there is room for, alone; then with others at the door all the time; then one who comes after."""
    crowds: list[list[ProofClient]] = []
    outside = (given.times - 1) * given.sessions
    refusals: list[tuple[str, float, int | None, int | None]] = []

    async def at_the_door() -> None:
        while True:
            refusals.extend(await asyncio.gather(*(asking(server.address) for _ in range(outside))))

    for crowded in (False, True):
        clients = [
            ProofClient(server.address, noise(given.seconds, seed), seed) for seed in range(given.sessions)
        ]
        crowds.append(clients)
        meter, play = Meter(server), asyncio.create_task(playing(clients))
        await asyncio.gather(*(client.ready.wait() for client in clients))
        door = asyncio.create_task(at_the_door()) if crowded else None
        # Those at the door leave before the first place is free.
        await asyncio.sleep(max(0.0, given.seconds - SPREAD_SECONDS - REFUSAL_SECONDS))
        if door is not None:
            door.cancel()
        await play
        await places(server, 0)
    after = await asking(server.address)
    alone, beside = ([late for client in clients for late in client.late] for clients in crowds)
    return {
        **judged(crowds[1]),
        "at_the_door": outside,
        "refused": dict(Counter(said for said, *_ in refusals)),
        "close_codes": sorted({code for *_, code in refusals if code}),
        "without_a_time": sum(back is None for _, _, back, _ in refusals),
        "refused_after": spread([seconds for _, seconds, *_ in refusals]),
        "alone": spread(alone),
        "beside": spread(beside),
        "next": {"said": after[0], "ms": ms(after[1])},
        **meter.figures(),
    }


async def fairness(server: ProofServer, given: argparse.Namespace) -> dict[str, Any]:
    """Some in real time, and one who sends several times as fast."""
    clients = [
        ProofClient(server.address, noise(given.seconds, seed), seed) for seed in range(given.sessions)
    ]
    fast = ProofClient(server.address, noise(given.seconds * given.speed, 99), 99, speed=given.speed)
    meter = Meter(server)
    await playing([fast, *clients])
    late = [seconds for client in clients for seconds in client.late]
    missed = sum(seconds > CHUNK_SECONDS for seconds in late)
    found = {"texts": len(late), "missed": missed, "missed_percent": round(100 * missed / len(late), 2)}
    return {
        **judged([fast, *clients]),
        "speed": given.speed,
        "step_ms": given.step_ms,
        **found,
        **spread(late),
        "fast": spread(fast.late),
        **meter.figures(),
    }


def main() -> None:
    """Measure, and print."""
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("what", choices=("connect", "overload", "fairness"))
    p.add_argument("--sessions", type=int)
    p.add_argument("--each-second", type=float, default=50.0)
    p.add_argument("--times", type=int, default=3)
    p.add_argument("--seconds", type=float)
    p.add_argument("--speed", type=float, default=4.0)
    p.add_argument("--step-ms", type=float, default=20.0)
    given = p.parse_args()
    given.sessions = given.sessions or {"connect": 500, "overload": 20, "fairness": 10}[given.what]
    given.seconds = given.seconds or {"overload": 20.0, "fairness": 30.0}.get(given.what, 2.0)
    options = {
        "connect": ["--sessions", "1000"],
        "overload": ["--sessions", str(given.sessions)],
        "fairness": ["--step-ms", str(given.step_ms)],
    }[given.what]
    with ProofServer(*options) as server:
        play = {"connect": coming, "overload": overload, "fairness": fairness}[given.what]
        found = asyncio.run(play(server, given))
        found["tracebacks"] = server.errors()
    report = {
        "machine": describe(("websockets",)),
        "what": given.what,
        "date": time.strftime("%Y-%m-%d"),
        **found,
    }
    report["load"] = round(os.getloadavg()[0], 1)
    print(json.dumps(report, indent=1, ensure_ascii=False))


if __name__ == "__main__":
    main()
