"""Every kind of fault, many times: is the text what was said, to the word? Prints JSON with the machine described.

python -m benchmarks.reliability.faults [--seeds 50] [--kind TEXT]... [--engine ray]. The recordings are noise
of 9 seconds, played in real time by as many clients at once as there are seeds; those of faults of the whole server in
groups of 25.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

from benchmarks.machine import describe
from benchmarks.reliability.client import ProofClient
from benchmarks.reliability.kinds import (
    CLIENT_FAULTS,
    DRAINED,
    SECONDS,
    SERVER_FAULTS,
    Fault,
    ServerFaultPlan,
    Victim,
)
from benchmarks.reliability.processes import ProofServer
from benchmarks.reliability.proxy import FaultProxy
from tests.server.rig import noise

GROUP = 25
TARGETS: tuple[tuple[str, ...], ...] = ((), ("de",), ("de", "fr"))


async def victim(server: ProofServer, seed: int) -> Victim:
    """A client behind a network of its own."""
    proxy = FaultProxy(server.port, seed)
    port = await proxy.start()
    audio = noise(SECONDS, seed)
    client = ProofClient(f"ws://127.0.0.1:{port}", audio, seed, TARGETS[seed % len(TARGETS)])
    return Victim(client, proxy, random.Random(seed))


async def outcome(
    v: Victim, fault: Fault, heard: Callable[[Victim], int | None] = lambda v: None
) -> list[str]:
    """Play under a fault; what was wrong in the end."""
    playing = asyncio.create_task(v.client.run())
    try:
        await fault(v)
        await playing
    except Exception as error:
        v.problems.append(f"{type(error).__name__}: {error}")
    finally:
        playing.cancel()
        await v.proxy.stop()
    return [*v.problems, *v.client.faults(heard(v))]


async def started(v: Victim, fault: Fault, spread: float, **settings: Any) -> list[str]:
    """The same, begun within some seconds."""
    await asyncio.sleep(v.random.uniform(0, spread))
    return await outcome(v, fault, **settings)


async def quiet(v: Victim) -> None:
    """Nothing happens to the connection itself."""


async def client_kind(server: ProofServer, fault: Fault, seeds: range) -> dict[int, list[str]]:
    """All seeds at once."""
    victims = [await victim(server, seed) for seed in seeds]
    found = await asyncio.gather(*(started(v, fault, 2.0) for v in victims))
    return dict(zip(seeds, found, strict=True))


async def server_kind(server: ProofServer, plan: ServerFaultPlan, seeds: range) -> dict[int, list[str]]:
    """A group of clients, and faults that all of them feel."""
    rng = random.Random(seeds.start)
    victims = [await victim(server, seed) for seed in seeds]
    playing = [asyncio.create_task(started(v, quiet, 1.0)) for v in victims]
    await asyncio.gather(*(v.client.ready.wait() for v in victims))
    for moment in sorted(rng.uniform(0.3, SECONDS - 1.5) for _ in range(plan.times)):
        await asyncio.sleep(max(0.0, moment - max(v.client.played for v in victims)))
        await plan.act(server, rng)
    return dict(zip(seeds, await asyncio.gather(*playing), strict=True))


async def drained_kind(server: ProofServer, seeds: range) -> dict[int, list[str]]:
    """The server is told to stop; clients drop out and come back before it has."""
    victims = [await victim(server, seed) for seed in seeds]

    async def comes_back(v: Victim) -> None:
        while not v.client.moving:
            await asyncio.sleep(0.05)
        await asyncio.sleep(v.random.uniform(0.0, 1.0))
        v.proxy.cut()

    def heard(v: Victim) -> int | None:
        return v.client.end["audio_ms"] * 16 if v.client.end else None

    playing = [asyncio.create_task(started(v, comes_back, 1.0, heard=heard)) for v in victims]
    await asyncio.gather(*(v.client.ready.wait() for v in victims))
    await asyncio.sleep(random.Random(seeds.start).uniform(0.5, 2.0))
    server.signal(signal.SIGTERM)
    found = dict(zip(seeds, await asyncio.gather(*playing), strict=True))
    for seed, v in zip(seeds, victims, strict=True):
        if not v.client.resumes:
            found[seed].append("the client did not come back")
        if v.client.acknowledged > (heard(v) or 0):
            found[seed].append("more was acknowledged than was settled")
    return found


def run(kind: str, count: int, engine: str = "local") -> dict[str, Any]:
    """One kind; figures, and the seeds that went wrong. engine: what the workers are."""
    began, load = time.monotonic(), os.getloadavg()[0]
    faults: dict[int, list[str]] = {}
    tracebacks: list[str] = []
    felt: Counter[str] = Counter()

    def with_server(
        play: Callable[[ProofServer], Awaitable[dict[int, list[str]]]], *options: str, **limits: Any
    ) -> None:
        with ProofServer(*options, "--engine", engine, **limits) as server:
            faults.update(asyncio.run(play(server)))
            tracebacks.extend(server.errors())
            felt.update(server.metrics("resumes_total", "worker_losses_total", "retries_total"))

    groups = [range(first, min(first + GROUP, count)) for first in range(0, count, GROUP)]
    if kind in CLIENT_FAULTS:
        with_server(lambda server: client_kind(server, CLIENT_FAULTS[kind], range(count)))
    elif kind == DRAINED:
        for group in groups:
            with_server(lambda server, group=group: drained_kind(server, group), "--drain-seconds", "8")  # type: ignore[misc]
    else:
        plan = SERVER_FAULTS[kind]
        for group in groups:
            with_server(
                lambda server, group=group: server_kind(server, plan, group),  # type: ignore[misc]
                *plan.options,
                file_bytes=plan.file_bytes,
            )
    wrong = {seed: found for seed, found in faults.items() if found}
    return {
        "kind": kind,
        "seeds": len(faults),
        "equal": len(faults) - len(wrong),
        "wrong": wrong,
        "felt": dict(felt),
        "tracebacks": tracebacks,
        "seconds": round(time.monotonic() - began, 1),
        "load": round(load, 1),
    }


def main() -> None:
    """Measure, and print."""
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--seeds", type=int, default=50)
    p.add_argument("--kind", action="append", default=[])
    p.add_argument("--engine", default="local", help="what the workers are: local, or ray")
    given = p.parse_args()
    kinds = [*CLIENT_FAULTS, *SERVER_FAULTS, DRAINED]
    if given.engine != "local":
        # A bound on the size of files would be one on Ray's own as well.
        kinds = [
            kind for kind in kinds if kind not in SERVER_FAULTS or SERVER_FAULTS[kind].file_bytes is None
        ]
    chosen = [kind for kind in kinds if not given.kind or any(word in kind for word in given.kind)]
    found = [run(kind, given.seeds, given.engine) for kind in chosen]
    report = {
        "machine": describe(("websockets",)),
        "engine": given.engine,
        "recording_seconds": SECONDS,
        "kinds": found,
    }
    print(json.dumps(report, indent=1, ensure_ascii=False))


if __name__ == "__main__":
    main()
