"""The sockets on loopback: `websockets` as client, pages over plain HTTP, and what is refused at the door."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from itertools import count
from typing import Any

import httpx
import numpy as np
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from server import protocol as p
from server.codec import decode_server, encode
from server.gateway import Gateway
from server.host import Host
from server.hosted import HostLimits
from server.workers.messages import Command
from simul.clock import VirtualClock
from simul.config import StreamOptions
from simul.languages import SPOKEN
from tests.server.proof import ProofModels, expected
from tests.server.rig import InlineWorkers, noise, settled

AUDIO = noise(5.0, seed=3)
UPGRADE = (
    "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)
PCM = np.rint(AUDIO * 32768).astype("<i2").tobytes()


class LoopWorkers(InlineWorkers):
    """Workers that compute in the loop of the gateway, when it is their turn."""

    def send(self, worker: int, command: Command) -> None:
        super().send(worker, command)
        asyncio.get_running_loop().call_soon(self.run)


class Served:
    """A gateway that listens, and its address."""

    def __init__(self, gateway: Gateway, port: int) -> None:
        self.gateway, self.host, self.port = gateway, gateway.host, port
        self.http = f"http://127.0.0.1:{port}"

    def connect(self, path: str = "/v1/session", **settings: Any) -> connect:
        return connect(f"ws://127.0.0.1:{self.port}{path}", proxy=None, **settings)


@contextlib.asynccontextmanager
async def serving(
    tokens: frozenset[str] = frozenset(), origins: frozenset[str] = frozenset(), **limits: Any
) -> AsyncIterator[Served]:
    workers = LoopWorkers(VirtualClock(), 1, ProofModels, ready=True)
    numbers = count()
    options = StreamOptions(source="en", target="en", chunk_ms=400)
    host = Host(options, workers, time.monotonic, lambda: f"n{next(numbers)}", HostLimits(**limits), "0")
    host.offer = workers.offer
    gateway = Gateway(host, time.monotonic, tokens, origins)
    port = await gateway.start("127.0.0.1", 0)
    try:
        yield Served(gateway, port)
    finally:
        await gateway.stop()


def run(test: Callable[[Served], Awaitable[None]], **settings: Any) -> None:
    async def main() -> None:
        async with serving(**settings) as served:
            await test(served)

    asyncio.run(main())


async def heard(socket: ClientConnection) -> list[p.ServerMessage]:
    """All messages until the socket closes."""
    found = []
    with contextlib.suppress(ConnectionClosed):
        async for frame in socket:
            found.append(decode_server(str(frame)))
    return found


async def said(socket: ClientConnection) -> list[p.ServerMessage]:
    """Everything that is said of AUDIO, as a file."""
    await socket.send(encode(p.SessionStart(mode="file")))
    for begin in range(0, len(PCM), 20_000):
        await socket.send(PCM[begin : begin + 20_000])
    await socket.send(encode(p.SessionClose()))
    return await heard(socket)


async def asked(served: Served, text: str) -> str:
    """What the server answers to bytes on a plain socket."""
    reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
    writer.write(text.encode())
    answer = await reader.read()
    writer.close()
    return answer.decode()


def test_a_session_over_a_socket() -> None:
    async def test(served: Served) -> None:
        async with served.connect(subprotocols=[p.SUBPROTOCOL]) as socket:
            assert socket.subprotocol == p.SUBPROTOCOL
            messages = await said(socket)
        assert settled(messages) == expected(AUDIO)
        assert isinstance(messages[-1], p.SessionEnd)
        assert socket.close_code == 1000
        assert served.host.active == 0

    run(test)


def test_four_sessions_at_once_keep_apart() -> None:
    async def one(served: Served, seed: int) -> tuple[str, str]:
        audio = noise(4.0, seed)
        async with served.connect("/asr") as socket:
            await socket.recv()
            pcm = np.rint(audio * 32768).astype("<i2").tobytes()
            for begin in range(0, len(pcm), 3200):
                await socket.send(pcm[begin : begin + 3200])
            await socket.send(b"")
            states = [json.loads(frame) async for frame in socket]
        return " ".join(line["text"] for line in states[-2]["lines"]), expected(audio)

    async def test(served: Served) -> None:
        for shown, wanted in await asyncio.gather(*(one(served, seed) for seed in range(10, 14))):
            assert shown == wanted

    run(test)


def test_a_dropped_socket_is_resumed() -> None:
    async def test(served: Served) -> None:
        async with served.connect() as socket:
            await socket.send(encode(p.SessionStart(mode="file")))
            ready = decode_server(str(await socket.recv()))
            assert isinstance(ready, p.SessionReady)
            await socket.send(PCM[:40_000])
            await socket.send(encode(p.Mark("x")))
            first: list[p.ServerMessage] = []
            while not (first and isinstance(first[-1], p.Marked)):
                first.append(decode_server(str(await socket.recv())))
            socket.transport.abort()
        async with served.connect() as socket:
            await socket.send(encode(p.SessionResume(ready.session, ready.resume_token, first[-1].seq, 0)))
            resumed = decode_server(str(await socket.recv()))
            assert isinstance(resumed, p.SessionResumed)
            assert resumed.next_sample == 20_000
            await socket.send(PCM[40_000:])
            await socket.send(encode(p.SessionClose()))
            rest = await heard(socket)
        assert settled([*first, *rest]) == expected(AUDIO)

    run(test)


@pytest.mark.parametrize(
    ("frame", "close", "code"),
    [
        ("not json", 4400, "bad_message"),
        ('{"type": "end"}', 4400, "bad_message"),
        (b"\0\0", 1003, "bad_message"),
        (
            '{"type": "session.resume", "session": "x", "resume_token": "y", "last_seq": 0, "next_sample": 0}',
            4404,
            "",
        ),
    ],
)
def test_what_cannot_be_begun_is_closed_with_a_code_and_a_sentence(frame: Any, close: int, code: str) -> None:
    async def test(served: Served) -> None:
        async with served.connect() as socket:
            await socket.send(frame)
            [error] = await heard(socket)
        assert isinstance(error, p.ErrorMessage)
        assert error.fatal
        assert error.code == (code or "unknown_session")
        assert socket.close_code == close
        assert socket.close_reason
        assert socket.close_reason in error.message

    run(test)


def test_a_full_server_refuses_with_a_code_a_browser_can_see() -> None:
    async def test(served: Served) -> None:
        async with served.connect() as first, served.connect() as second:
            await first.send(encode(p.SessionStart()))
            await first.recv()
            await second.send(encode(p.SessionStart()))
            messages = await heard(second)
        assert second.close_code == 1013
        assert isinstance(messages[-1], p.ErrorMessage)
        assert messages[-1].retry_after_ms

    run(test, sessions=1, wait=0.2)


def test_a_frame_that_is_too_large_is_closed() -> None:
    async def test(served: Served) -> None:
        async with served.connect() as socket:
            await socket.send(encode(p.SessionStart()))
            await socket.recv()
            await socket.send(bytes(2 << 20))
            await heard(socket)
        assert socket.close_code == 1009

    run(test)


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        (None, True),
        ("http://127.0.0.1:{port}", True),
        ("https://friend.example", True),
        ("http://evil.example", False),
        ("null", False),
    ],
)
def test_pages_of_other_origins_are_refused(origin: str | None, allowed: bool) -> None:
    async def test(served: Served) -> None:
        given = None if origin is None else origin.format(port=served.port)
        with contextlib.ExitStack() as stack:
            if not allowed:
                raised = stack.enter_context(pytest.raises(InvalidStatus))
            async with served.connect(origin=given):
                pass
        if not allowed:
            assert raised.value.response.status_code == 403
            assert b"--origin" in raised.value.response.body

    run(test, origins=frozenset({"https://friend.example"}))


def test_a_server_on_this_machine_answers_to_its_own_names_only() -> None:
    async def test(served: Served) -> None:
        async with httpx.AsyncClient(trust_env=False) as client:
            assert (
                await client.get(f"{served.http}/health", headers={"Host": "evil.example"})
            ).status_code == 403
            assert (
                await client.get(f"{served.http}/health", headers={"Host": "localhost:1"})
            ).status_code == 200

    run(test)


@pytest.mark.parametrize("name", ["Host", "Upgrade", "Origin", "Authorization"])
def test_a_header_that_is_given_twice_is_refused_in_a_sentence(name: str) -> None:
    async def test(served: Served) -> None:
        answer = await asked(served, f"GET /health HTTP/1.1\r\n{name}: 127.0.0.1\r\n{name}: x\r\n\r\n")
        assert answer.startswith("HTTP/1.1 400")
        assert f"The header {name} was given twice" in answer

    run(test)


@pytest.mark.parametrize(
    ("head", "status"),
    [
        ("GET /health HTTP/1.1\r\nHost: [", "403"),
        ("GET //[ HTTP/1.1\r\nHost: localhost", "404"),
        (f"GET /asr HTTP/1.1\r\n{UPGRADE}Host: localhost\r\nOrigin: http://[", "403"),
    ],
)
def test_an_address_that_is_none_is_refused(head: str, status: str, caplog: pytest.LogCaptureFixture) -> None:
    async def test(served: Served) -> None:
        assert (await asked(served, f"{head}\r\n\r\n")).startswith(f"HTTP/1.1 {status}")

    run(test)
    assert caplog.records == []


def test_bytes_that_are_no_http_leave_no_traceback(caplog: pytest.LogCaptureFixture) -> None:
    async def test(served: Served) -> None:
        await asked(served, "\0\0\0\r\n\r\n")
        assert (await asked(served, "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")).startswith(
            "HTTP/1.1 200"
        )

    run(test)
    assert caplog.records == []


@pytest.mark.parametrize(
    ("given", "ready"),
    [({}, False), ({"Authorization": "Bearer secret"}, True), ({"Authorization": "Bearer x"}, False)],
)
def test_a_token_in_the_header(given: dict[str, str], ready: bool) -> None:
    async def test(served: Served) -> None:
        async with served.connect(additional_headers=given) as socket:
            await socket.send(encode(p.SessionStart()))
            answer = decode_server(str(await socket.recv()))
            if not ready:
                await heard(socket)
        assert isinstance(answer, p.SessionReady if ready else p.ErrorMessage)
        assert ready or socket.close_code == 4401

    run(test, tokens=frozenset({"secret"}))


def test_plain_http() -> None:
    async def test(served: Served) -> None:
        async with httpx.AsyncClient(base_url=served.http, trust_env=False) as client:
            health = (await client.get("/health")).json()
            assert (health["status"], health["ready"]) == ("ok", True)
            assert (await client.get("/readyz")).json() == {"ready": True, "reasons": []}
            metrics = (await client.get("/metrics")).text
            assert "# TYPE simul_sessions gauge\nsimul_sessions 0\n" in metrics
            schema = (await client.get("/v1/schema")).json()
            assert "SettledText" in schema["$defs"]
            assert (await client.get("/v1/asyncapi")).json()["asyncapi"] == "3.0.0"
            info = (await client.get("/v1/info")).json()
            assert (info["source"], info["targets"]) == ("en", [])
            models = ProofModels()
            served.host.ready(0, models.load())
            info = (await client.get("/v1/info")).json()
            limits = models.made.limits
            assert info["model"] == "proof"
            assert info["languages"] == {
                "source": sorted(limits.sources),
                "target": sorted(limits.targets - {SPOKEN}),
            }
            assert "local-agreement" in info["policies"]
            assert "gate" not in info["policies"], "it is made of others"
            assert (await client.get("/v1/capacity")).json()["free"] == served.host.limits.sessions
            for path in ("/nowhere", "/../secret.json", "/..%2fx.html", "//etc/passwd.html", "/.hidden.js"):
                assert (await client.get(path)).status_code == 404
            assert (await client.get("/v1/session")).status_code == 426
            served.host.drain(time.monotonic(), 1)
            assert (await client.get("/readyz")).status_code == 503

    run(test)


def test_an_address_that_is_no_protocol_is_refused() -> None:
    async def test(served: Served) -> None:
        with pytest.raises(InvalidStatus) as raised:
            async with served.connect("/v9"):
                pass
        assert raised.value.response.status_code == 404

    run(test)


def test_stopping_closes_sockets_so_that_clients_know_to_come_back() -> None:
    async def test(served: Served) -> None:
        async with served.connect() as socket:
            await socket.send(encode(p.SessionStart()))
            await socket.recv()
            await served.gateway.stop()
            await heard(socket)
        assert socket.close_code == 1012

    run(test)
