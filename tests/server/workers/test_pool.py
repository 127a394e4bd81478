"""Workers, as processes and as actors of Ray: they answer, and one that dies is replaced while its sessions go on."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from itertools import count
from typing import Any, Protocol

import numpy as np
import pytest

from server import protocol as p
from server.codec import decode_server, encode
from server.dialects.native import NativeDialect
from server.host import Host
from server.port import ClientPort, Keys
from server.workers.core import WorkerModels
from server.workers.messages import PushAudio
from server.workers.pool import SILENT_SECONDS, ProcessPool, WorkerPool
from simul.config import StreamOptions
from simul.errors import ModelMissingError
from tests.server.proof import MissingModels, ProofModels, expected
from tests.server.rig import noise, settled

AUDIO = noise(6.0, seed=5)


class MakePool(Protocol):
    """A pool of either kind."""

    def __call__(
        self, make_models: Callable[[], WorkerModels], count: int, *, silent: float = SILENT_SECONDS
    ) -> WorkerPool: ...


@pytest.fixture(scope="module")
def ray_pools() -> Iterator[MakePool]:
    """Pools of actors on a Ray that all of them share."""
    if find_spec("ray") is None:
        pytest.skip('Ray is not installed: pip install "simul[ray]"')
    from server.workers.ray_pool import RayPool, ray, start_ray

    before = signal.getsignal(signal.SIGTERM)
    start_ray(2)
    try:
        yield RayPool
    finally:
        ray.shutdown()
        signal.signal(signal.SIGTERM, before)


@pytest.fixture(params=["local", "ray"])
def make_pool(request: pytest.FixtureRequest) -> MakePool:
    """Every test here holds for both."""
    if request.param == "local":
        return ProcessPool
    found: MakePool = request.getfixturevalue("ray_pools")
    return found


class Heard:
    """A client that keeps what it is told."""

    def __init__(self, port: ClientPort) -> None:
        self.port, self.messages = port, list[p.ServerMessage]()
        port.on_change = self.hear

    def hear(self) -> None:
        while (frame := self.port.next_frame()) is not None:
            self.messages.append(decode_server(str(frame)))


async def until(done: Callable[[], bool]) -> None:
    while not done():
        await asyncio.sleep(0.01)


def host_on(pool: WorkerPool) -> Host:
    numbers = count()
    options = StreamOptions(source="en", target="en", chunk_ms=400)
    return Host(options, pool, time.monotonic, lambda: f"n{next(numbers)}")


def client_of(host: Host) -> Heard:
    port = ClientPort(host, NativeDialect({}), Keys(), "here", None, 0.0)
    client = Heard(port)
    port.receive(encode(p.SessionStart(mode="file")), 0.0)
    return client


def pcm_of(audio: Any) -> bytes:
    found: bytes = np.rint(audio * 32768).astype("<i2").tobytes()
    return found


def ended(client: Heard) -> bool:
    return bool(client.messages) and isinstance(client.messages[-1], p.SessionEnd)


def test_sessions_go_on_when_their_worker_is_killed(make_pool: MakePool) -> None:
    async def main() -> None:
        pool = make_pool(ProofModels, 1)
        host, pcm = host_on(pool), pcm_of(AUDIO)
        pool.start()
        try:
            client = client_of(host)
            client.port.receive(pcm[:60_000], 0.0)
            await until(lambda: bool(settled(client.messages)))
            first = pool.process_id(0)
            pool.kill(0)
            await until(lambda: pool.process_id(0) != first)
            for begin in range(60_000, len(pcm), 60_000):
                client.port.receive(pcm[begin : begin + 60_000], 0.0)
            client.port.receive(encode(p.SessionClose()), 0.0)
            await until(lambda: ended(client))
        finally:
            pool.stop()
        assert settled(client.messages) == expected(AUDIO)
        assert pool.restarts == 1
        assert host.metrics.value("worker_losses_total") == 1

    asyncio.run(main())


def test_a_worker_that_stands_still_is_replaced_and_its_sessions_go_on(make_pool: MakePool) -> None:
    async def main() -> None:
        pool = make_pool(ProofModels, 1, silent=2.0)
        host = host_on(pool)
        pool.start()
        try:
            client = client_of(host)
            await until(lambda: host.ready_workers == 1)
            first = pool.process_id(0)
            assert first is not None
            os.kill(first, signal.SIGSTOP)
            client.port.receive(pcm_of(AUDIO), 0.0)
            client.port.receive(encode(p.SessionClose()), 0.0)
            await until(lambda: ended(client))
            assert pool.process_id(0) != first
        finally:
            pool.stop()
        assert settled(client.messages) == expected(AUDIO)
        assert host.metrics.value("worker_losses_total") == 1

    asyncio.run(main())


def test_two_workers_serve_two_sessions_from_two_processes(make_pool: MakePool) -> None:
    async def main() -> None:
        pool = make_pool(ProofModels, 2)
        host = host_on(pool)
        pool.start()
        try:
            await until(lambda: pool.is_ready(0) and pool.is_ready(1))
            clients = [client_of(host) for _ in range(4)]
            for number, client in enumerate(clients):
                client.port.receive(pcm_of(AUDIO[number * 8_000 :]), 0.0)
                client.port.receive(encode(p.SessionClose()), 0.0)
            await until(lambda: all(map(ended, clients)))
            assert pool.process_id(0) != pool.process_id(1)
        finally:
            pool.stop()
        assert [settled(client.messages) for client in clients] == [
            expected(AUDIO[number * 8_000 :]) for number in range(4)
        ]
        assert pool.restarts == 0

    asyncio.run(main())


def test_no_worker_is_ready_before_the_pool_is_started(make_pool: MakePool) -> None:
    assert not make_pool(ProofModels, 2).is_ready(1)


def test_a_pool_that_is_stopped_while_it_starts_restarts_nothing(make_pool: MakePool) -> None:
    async def main() -> None:
        pool = make_pool(ProofModels, 2)
        pool.start()
        pool.stop()
        await asyncio.sleep(0)
        assert pool.restarts == 0
        assert not pool.is_ready(0)

    asyncio.run(main())


def test_models_that_are_missing_are_said_once_and_not_tried_again(make_pool: MakePool) -> None:
    async def main() -> None:
        pool = make_pool(MissingModels, 1)
        pool.start()
        try:
            assert pool.failed is not None
            failed = await pool.failed
        finally:
            pool.stop()
        assert failed.message == "There is no such model; get one."
        assert failed.exit_code == ModelMissingError.exit_code
        assert pool.restarts == 0

    asyncio.run(main())


def test_a_worker_that_does_not_read_holds_up_nobody(make_pool: MakePool) -> None:
    """More than a pipe holds is written to a worker that is still being started; the call returns at once."""

    async def main() -> None:
        pool = make_pool(ProofModels, 1)
        pool.start()
        try:
            for _ in range(100):
                pool.send(0, PushAudio("nobody", bytes(64_000), 0.0))
            assert pool.restarts == 0
        finally:
            pool.stop()

    asyncio.run(main())
