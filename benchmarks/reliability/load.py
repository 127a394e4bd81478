"""What the server bears: sessions at once, workers that are killed, a drain, an audience. Prints JSON.

    python -m benchmarks.reliability.load capacity [--sessions 100] [--seconds 60] [--engine ray]
    python -m benchmarks.reliability.load kills [--sessions 8] [--minutes 10] [--every 10]
    python -m benchmarks.reliability.load drain [--sessions 20]
    python -m benchmarks.reliability.load audience [--watchers 500] [--seconds 60]

The clients run on the same machine. Processor time is the gateway's, its workers' and the clients' own.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import signal
import time
from collections.abc import Sequence
from typing import Any

from websockets.asyncio.client import connect

from benchmarks.machine import describe
from benchmarks.reliability.client import RATE, ProofClient
from benchmarks.reliability.processes import ProofServer
from latency_metrics.quantiles import quantiles
from tests.server.rig import noise

SPREAD_SECONDS = 5.0
"""Clients begin within so many seconds."""


class Meter:
    """Processor time and memory while something happens."""

    def __init__(self, server: ProofServer) -> None:
        self._server = server
        self._cpu, self._own, self._began = server.cpu(), time.process_time(), time.monotonic()
        self._memory, self._waited = server.memory_mib(), server.waited()
        self._loads = [os.getloadavg()[0]]

    def figures(self) -> dict[str, Any]:
        """Shares of one core, memory that came, how loaded the machine was."""
        seconds = time.monotonic() - self._began
        gateway, workers = self._server.cpu()
        return {
            "seconds": round(seconds, 1),
            "gateway_core_share": round((gateway - self._cpu[0]) / seconds, 3),
            "worker_core_share": round((workers - self._cpu[1]) / seconds, 3),
            "client_core_share": round((time.process_time() - self._own) / seconds, 3),
            "waited_for_processor_seconds": round(self._server.waited() - self._waited, 1),
            "gateway_mib_more": round(self._server.memory_mib() - self._memory, 1),
            "load_before": round(self._loads[0], 1),
            "load_after": round(os.getloadavg()[0], 1),
        }


def spread(values: Sequence[float]) -> dict[str, float]:
    """Milliseconds: the middle, the slow ones, the slowest."""
    if not values:
        return {}
    p50, p95, p99 = quantiles(list(values), 0.5, 0.95, 0.99)
    return {"p50_ms": ms(p50), "p95_ms": ms(p95), "p99_ms": ms(p99), "most_ms": ms(max(values))}


def ms(seconds: float) -> float:
    """With a tenth."""
    return round(seconds * 1000, 1)


async def playing(clients: Sequence[ProofClient]) -> None:
    """All clients to their end, begun one after the other."""

    async def one(number: int, client: ProofClient) -> None:
        await asyncio.sleep(number * SPREAD_SECONDS / len(clients))
        await client.run()

    await asyncio.gather(*(one(number, client) for number, client in enumerate(clients)))


def judged(clients: Sequence[ProofClient]) -> dict[str, Any]:
    """Who heard exactly what was said."""
    wrong = {client.seed: found for client in clients if (found := client.faults())}
    return {"sessions": len(clients), "equal": len(clients) - len(wrong), "wrong": wrong}


async def capacity(server: ProofServer, given: argparse.Namespace) -> dict[str, Any]:
    """Sessions at once, with targets for none: how late is settled text, computing and all?"""
    clients = [
        ProofClient(server.address, noise(given.seconds, seed), seed) for seed in range(given.sessions)
    ]
    meter = Meter(server)
    await playing(clients)
    late = [value for client in clients for value in client.late]
    figures = {"texts": len(late), **spread(late), **meter.figures()}
    figures["gateway_mib_per_session"] = round(figures["gateway_mib_more"] / given.sessions, 2)
    return {**judged(clients), **figures}


async def kills(server: ProofServer, given: argparse.Namespace) -> dict[str, Any]:
    """A worker is killed every so many seconds."""
    clients = [
        ProofClient(server.address, noise(given.minutes * 60, seed), seed) for seed in range(given.sessions)
    ]
    rng, moments = random.Random(1), list[float]()

    async def killer() -> None:
        while True:
            await asyncio.sleep(given.every)
            workers = server.workers()
            if workers:
                os.kill(rng.choice(workers), signal.SIGKILL)
                moments.append(time.monotonic())

    killing, meter = asyncio.create_task(killer()), Meter(server)
    pid = server.pid
    await playing(clients)
    killing.cancel()
    waits = [
        min(after) - moment
        for client in clients
        for moment in moments
        if (after := [at for at in client.arrivals if at > moment])
    ]
    assert server.pid == pid
    later = {"next_text": spread(waits), "kills": len(moments), "gateway_starts": server.starts}
    return {**judged(clients), **later, **meter.figures()}


async def drain(server: ProofServer, given: argparse.Namespace) -> dict[str, Any]:
    """The server is told to stop while everybody speaks: each session is settled up to the sample that was taken in."""
    clients = [ProofClient(server.address, noise(60.0, seed), seed) for seed in range(given.sessions)]
    running = asyncio.create_task(playing(clients))
    await asyncio.sleep(SPREAD_SECONDS + 10.0)
    began = time.monotonic()
    server.signal(signal.SIGTERM)
    over = asyncio.create_task(asyncio.to_thread(server.wait))
    await over
    seconds = time.monotonic() - began
    await asyncio.wait_for(running, 30.0)
    wrong = {}
    for client in clients:
        heard = client.end["audio_ms"] * RATE // 1000 if client.end else 0
        found = client.faults(heard)
        if client.acknowledged > heard:
            found.append("more was acknowledged than was settled")
        if found:
            wrong[client.seed] = found
    closes = sorted({code for client in clients for code in client.closes})
    return {
        "sessions": len(clients),
        "equal": len(clients) - len(wrong),
        "wrong": wrong,
        "close_codes": closes,
        "exit_seconds": round(seconds, 2),
        "deadline_seconds": given.drain,
        "status": over.result(),
    }


async def audience(server: ProofServer, given: argparse.Namespace) -> dict[str, Any]:
    """One speaker, and watchers of two languages; how late does each see a line, from the first who saw it?"""
    speaker = ProofClient(server.address, noise(given.seconds, 1), 1)
    seen: dict[tuple[str, int], list[float]] = {}
    lines: list[int] = []

    async def watch(number: int) -> None:
        language = ("en", "de")[number % 2]
        await asyncio.sleep(number * SPREAD_SECONDS / given.watchers)
        address = f"{server.address}/v1/watch?lang={language}"
        mine: set[int] = set()
        async with connect(address, proxy=None, ping_interval=None) as socket:
            lines_at = len(lines)
            lines.append(0)
            async for frame in socket:
                message = json.loads(frame)
                if message["type"] == "caption":
                    seen.setdefault((language, message["event"]), []).append(time.monotonic())
                    mine.add(message["line"])
                    lines[lines_at] = len(mine)

    watching = [asyncio.create_task(watch(number)) for number in range(given.watchers)]
    await asyncio.sleep(SPREAD_SECONDS + 2.0)
    meter = Meter(server)
    await speaker.run()
    await asyncio.sleep(3.0)
    figures = meter.figures()
    for task in watching:
        task.cancel()
    late = [at - min(times) for times in seen.values() for at in times]
    expected_lines = max(lines)
    return {
        "watchers": len(lines),
        "speaker_equal": not speaker.faults(),
        "lines": expected_lines,
        "watchers_with_every_line": sum(count == expected_lines for count in lines),
        "captions": len(late),
        "after_the_first": spread(late),
        **figures,
    }


def main() -> None:
    """Measure, and print."""
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("what", choices=("capacity", "kills", "drain", "audience"))
    p.add_argument("--sessions", type=int)
    p.add_argument("--seconds", type=float, default=60.0)
    p.add_argument("--minutes", type=float, default=10.0)
    p.add_argument("--every", type=float, default=10.0)
    p.add_argument("--watchers", type=int, default=500)
    p.add_argument("--drain", type=int, default=10)
    p.add_argument("--engine", default="local", help="what the workers are: local, or ray (not for kills)")
    given = p.parse_args()
    given.sessions = given.sessions or {"capacity": 100, "kills": 8, "drain": 20}.get(given.what, 1)
    options = ["--stage"] if given.what == "audience" else ["--drain-seconds", str(given.drain)]
    options += ["--engine", given.engine]
    with ProofServer(*options) as server:
        play = {"capacity": capacity, "kills": kills, "drain": drain, "audience": audience}[given.what]
        found = asyncio.run(play(server, given))
        found["tracebacks"] = server.errors()
    report = {"machine": describe(("websockets",)), "what": given.what, "engine": given.engine, **found}
    print(json.dumps(report, indent=1, ensure_ascii=False))


if __name__ == "__main__":
    main()
