"""The kinds of fault: what is done to a client's connection, to a worker, or to the whole server, and when."""

from __future__ import annotations

import asyncio
import os
import random
import signal
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from benchmarks.reliability.client import ProofClient
from benchmarks.reliability.processes import ProofServer
from benchmarks.reliability.proxy import FaultProxy

SECONDS = 9.0


@dataclass
class Victim:
    """A client, the network in front of it, and what was found beside its text."""

    client: ProofClient
    proxy: FaultProxy
    random: random.Random
    problems: list[str] = field(default_factory=list)

    async def moment(self, first: float = 0.5, last: float = SECONDS - 1.5) -> None:
        """Wait for a random second of the recording."""
        await self.client.ready.wait()
        await asyncio.sleep(max(0.0, self.random.uniform(first, last) - self.client.played))


Fault = Callable[[Victim], Awaitable[None]]
ServerFault = Callable[[ProofServer, random.Random], Awaitable[None]]


async def reset_mid_frame(v: Victim) -> None:
    for _ in range(2):
        await v.moment(last=4.0)
        v.proxy.cut_after = v.random.randrange(1, 9000)


async def end_without_close(v: Victim) -> None:
    await v.moment()
    v.proxy.finish()


async def black_hole(v: Victim) -> None:
    await v.moment()
    v.proxy.hole = asyncio.get_running_loop().time() + v.random.choice([5.0, 15.0, 40.0])


async def tiny_slices(v: Victim) -> None:
    await v.moment()
    v.proxy.slices = 12_000


async def late_and_uneven(v: Victim) -> None:
    await v.moment(0.0, 1.0)
    v.proxy.delay, v.proxy.jitter = 0.3, 0.2


async def slow_way_up(v: Victim) -> None:
    """Below the rate of the audio."""
    await v.moment(0.0, 1.0)
    v.proxy.up = 24_000


async def slow_way_down(v: Victim) -> None:
    await v.moment(0.0, 1.0)
    v.proxy.down = 2_000


async def stops_reading(v: Victim) -> None:
    await v.moment(last=3.0)
    v.client.deaf = asyncio.Event()
    await asyncio.sleep(8.0)
    v.client.deaf.set()


async def two_resume_at_once(v: Victim) -> None:
    await v.moment()
    v.client.race = True
    v.proxy.cut()


async def old_token(v: Victim) -> None:
    await v.moment()
    old = v.client.token
    v.proxy.cut()
    while v.client.token == old and not v.client.problems:
        await asyncio.sleep(0.02)
    if not await v.client.tries(old):
        v.problems.append("an old token let somebody in")


async def storm(v: Victim) -> None:
    """Everybody is cut off at the same moment, twice."""
    for second in (3.0, 6.0):
        await v.client.ready.wait()
        await asyncio.sleep(max(0.0, second - v.client.played))
        v.proxy.cut()


CLIENT_FAULTS: Mapping[str, Fault] = {
    "reset in the middle of a frame": reset_mid_frame,
    "the way up ends without a close": end_without_close,
    "black hole of 5, 15 or 40 s": black_hole,
    "slices of 1 to 7 bytes": tiny_slices,
    "300 ms late, give or take 200": late_and_uneven,
    "24 kB/s up, below the audio": slow_way_up,
    "2 kB/s down": slow_way_down,
    "the client stops reading": stops_reading,
    "two connections resume at once": two_resume_at_once,
    "an old token is tried": old_token,
    "everybody comes back at once": storm,
}


async def one_of(server: ProofServer, rng: random.Random) -> int:
    """A worker, once there is one."""
    while not (workers := server.workers()):
        await asyncio.sleep(0.1)
    return rng.choice(workers)


async def kill_worker(server: ProofServer, rng: random.Random) -> None:
    os.kill(await one_of(server, rng), signal.SIGKILL)


async def stop_worker(server: ProofServer, rng: random.Random) -> None:
    os.kill(await one_of(server, rng), signal.SIGSTOP)


async def out_of_memory(server: ProofServer, rng: random.Random) -> None:
    server.trouble("memory")


async def failing_step(server: ProofServer, rng: random.Random) -> None:
    server.trouble("raise")


async def slow_step(server: ProofServer, rng: random.Random) -> None:
    server.trouble("slow")


async def clock_jumps(server: ProofServer, rng: random.Random) -> None:
    server.signal(signal.SIGUSR1)


async def loop_blocked(server: ProofServer, rng: random.Random) -> None:
    server.signal(signal.SIGUSR2)


async def nothing(server: ProofServer, rng: random.Random) -> None:
    """The fault is there from the start."""


async def restarted(server: ProofServer, *signals: int) -> None:
    """The server is told to stop, and started again at the same port."""
    for number in signals:
        server.signal(number)
        await asyncio.sleep(0.1)
    await asyncio.to_thread(server.wait)
    await asyncio.to_thread(server.start)


async def terminated(server: ProofServer, rng: random.Random) -> None:
    await restarted(server, signal.SIGTERM)


async def terminated_twice(server: ProofServer, rng: random.Random) -> None:
    await restarted(server, signal.SIGTERM, signal.SIGTERM)


async def killed(server: ProofServer, rng: random.Random) -> None:
    await restarted(server, signal.SIGKILL)


@dataclass(frozen=True)
class ServerFaultPlan:
    """What is done to a server: how often in a recording, with which options, at most how large its files may be."""

    act: ServerFault
    times: int = 3
    options: tuple[str, ...] = ()
    file_bytes: int | None = None


JOURNAL = ("--journal", "JOURNAL")
SERVER_FAULTS: Mapping[str, ServerFaultPlan] = {
    "a worker is killed": ServerFaultPlan(kill_worker),
    "a worker stands still": ServerFaultPlan(stop_worker, 1),
    "a step runs out of memory": ServerFaultPlan(out_of_memory),
    "a step fails": ServerFaultPlan(failing_step),
    "a step takes 20 s": ServerFaultPlan(slow_step, 1),
    "the disk of the journal is full": ServerFaultPlan(nothing, 1, JOURNAL, 100_000),
    "the wall clock jumps by an hour": ServerFaultPlan(clock_jumps, 3, JOURNAL),
    "the event loop is held up for 3 s": ServerFaultPlan(loop_blocked, 2),
    "SIGTERM, and started again": ServerFaultPlan(terminated, 1, JOURNAL),
    "SIGTERM twice, and started again": ServerFaultPlan(terminated_twice, 1, JOURNAL),
    "the gateway is killed, and started again": ServerFaultPlan(killed, 1, JOURNAL),
}
DRAINED = "a client comes back while the server drains"
"""Its session is settled to the last sample that the server had."""
