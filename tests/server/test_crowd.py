"""What the clients of the reliability benchmarks see: who is let in, who is told to come back, who catches up."""

from __future__ import annotations

import asyncio

from benchmarks.reliability.absence import Absentee
from benchmarks.reliability.client import ProofClient
from benchmarks.reliability.crowd import asking
from server.codec import CloseCode
from tests.server.rig import noise
from tests.server.test_gateway import Served, run


def test_who_finds_no_place_is_told_when_to_come_back_and_who_comes_later_gets_one() -> None:
    async def test(served: Served) -> None:
        address = f"ws://127.0.0.1:{served.port}"
        inside = ProofClient(address, noise(1.0, 1), 1)
        running = asyncio.create_task(inside.run())
        await inside.ready.wait()
        said, _, back, code = await asking(address)
        assert (said, code) == ("overloaded", CloseCode.OVERLOADED)
        assert back is not None
        assert back > 0
        await running
        assert inside.faults() == []
        assert (await asking(address))[0] == "ready"

    run(test, sessions=1, wait=0.0)


def test_a_client_that_sends_faster_than_real_time_says_the_same() -> None:
    async def test(served: Served) -> None:
        fast = ProofClient(f"ws://127.0.0.1:{served.port}", noise(4.0, 2), 2, speed=4.0)
        await fast.run()
        assert fast.faults() == []
        assert fast.sent

    run(test)


def test_a_client_that_was_away_comes_back_once_and_catches_up() -> None:
    async def test(served: Served) -> None:
        absentee = Absentee(f"ws://127.0.0.1:{served.port}", 0.2, 3)
        absentee.client.audio = absentee.client.audio[: 3 * 16_000]
        absentee.client.pcm = absentee.client.pcm[: 2 * 3 * 16_000]
        running = asyncio.create_task(absentee.client.run())
        await absentee.client.ready.wait()
        absentee.client.away = absentee.away
        assert absentee.client.socket is not None
        absentee.client.socket.transport.abort()
        await running
        assert absentee.client.resumes == 1
        assert absentee.client.faults() == []
        assert absentee.caught_up is not None

    run(test)
