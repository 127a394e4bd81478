"""Worker processes: they answer, and one that dies is replaced while the sessions it had go on."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable
from itertools import count

import numpy as np

from server import protocol as p
from server.codec import decode_server, encode
from server.dialects.native import NativeDialect
from server.host import Host
from server.port import ClientPort, Keys
from server.workers.messages import Offer
from server.workers.pool import ProcessPool
from simul.config import StreamOptions
from simul.errors import ModelMissingError
from tests.server.proof import ProofModels, expected
from tests.server.rig import noise, settled

AUDIO = noise(6.0, seed=5)


class MissingModels(ProofModels):
    """A worker whose model is not there."""

    def load(self) -> Offer:
        raise ModelMissingError("There is no such model; get one.")


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


def test_sessions_go_on_when_their_worker_is_killed() -> None:
    async def main() -> None:
        pool = ProcessPool(ProofModels, 1)
        numbers = count()
        options = StreamOptions(source="en", target="en", chunk_ms=400)
        host = Host(options, pool, time.monotonic, lambda: f"n{next(numbers)}")
        port = ClientPort(host, NativeDialect({}), Keys(), "here", None, 0.0)
        client = Heard(port)
        pool.start()
        try:
            port.receive(encode(p.SessionStart(mode="file")), 0.0)
            pcm = np.rint(AUDIO * 32768).astype("<i2").tobytes()
            port.receive(pcm[:60_000], 0.0)
            await until(lambda: bool(settled(client.messages)))
            first = pool.process_id(0)
            pool.kill(0)
            await until(lambda: pool.process_id(0) != first)
            for begin in range(60_000, len(pcm), 60_000):
                port.receive(pcm[begin : begin + 60_000], 0.0)
            port.receive(encode(p.SessionClose()), 0.0)
            await until(lambda: isinstance(client.messages[-1], p.SessionEnd))
        finally:
            pool.stop()
        assert settled(client.messages) == expected(AUDIO)
        assert pool.restarts == 1
        assert host.metrics.value("worker_losses_total") == 1

    asyncio.run(main())


def test_a_worker_that_stands_still_is_replaced_and_its_sessions_go_on() -> None:
    async def main() -> None:
        pool = ProcessPool(ProofModels, 1, silent=2.0)
        numbers = count()
        options = StreamOptions(source="en", target="en", chunk_ms=400)
        host = Host(options, pool, time.monotonic, lambda: f"n{next(numbers)}")
        client = Heard(ClientPort(host, NativeDialect({}), Keys(), "here", None, 0.0))
        pool.start()
        try:
            client.port.receive(encode(p.SessionStart(mode="file")), 0.0)
            await until(lambda: host.ready_workers == 1)
            first = pool.process_id(0)
            assert first is not None
            os.kill(first, signal.SIGSTOP)
            client.port.receive(np.rint(AUDIO * 32768).astype("<i2").tobytes(), 0.0)
            client.port.receive(encode(p.SessionClose()), 0.0)
            await until(lambda: isinstance(client.messages[-1], p.SessionEnd))
            assert pool.process_id(0) != first
        finally:
            pool.stop()
        assert settled(client.messages) == expected(AUDIO)
        assert host.metrics.value("worker_losses_total") == 1

    asyncio.run(main())


def test_no_worker_is_ready_before_the_pool_is_started() -> None:
    assert not ProcessPool(ProofModels, 2).is_ready(1)


def test_models_that_are_missing_are_said_once_and_not_tried_again() -> None:
    async def main() -> None:
        pool = ProcessPool(MissingModels, 1)
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


def test_a_worker_that_does_not_read_holds_up_nobody() -> None:
    """More than a pipe holds is written to a worker that is still being started; the call returns at once."""

    async def main() -> None:
        from server.workers.messages import PushAudio

        pool = ProcessPool(ProofModels, 1)
        pool.start()
        try:
            for _ in range(100):
                pool.send(0, PushAudio("nobody", bytes(64_000), 0.0))
            assert pool.restarts == 0
        finally:
            pool.stop()

    asyncio.run(main())
