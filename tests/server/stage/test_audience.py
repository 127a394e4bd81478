"""The audience's sockets on loopback: the same captions over WebSockets and Server-Sent Events, for many at once."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed

from server import protocol as p
from server.stage.audience import Audience, Frames, event_number, terminal_code
from server.stage.stage import Stage
from tests.server.test_gateway import Served, run


def staged(served: Served) -> Stage:
    """Put a stage on a server; translations come at once."""
    now = served.gateway.now
    stage = Stage(("en", "de"), lambda n, text, code: stage.translated(n, code, f"{code}:{text}", now()))
    served.gateway.audience = Audience(stage, Frames(), served.gateway.now, "http://here/watch")
    return stage


def say(served: Served, stage: Stage, *lines: str) -> None:
    for line in lines:
        now = served.gateway.now()
        stage.heard(p.SettledText("source", 0, line, "en", 0, 500), now)
        stage.heard(p.SegmentDone("source", 0, line, "en", 0, 500, "pause"), now)


async def watched(socket: Any, count: int) -> list[dict[str, Any]]:
    """The next captions."""
    found: list[dict[str, Any]] = []
    while len(found) < count:
        message = json.loads(await socket.recv())
        if message["type"] == "caption":
            found.append(message)
    return found


async def read_events(lines: Any, count: int) -> list[tuple[str, dict[str, Any]]]:
    """The next captions of an event stream, with their numbers."""
    found, number = [], ""
    async for line in lines:
        if line.startswith("id: "):
            number = line[4:]
        elif line.startswith("data: ") and json.loads(line[6:])["type"] == "caption":
            found.append((number, json.loads(line[6:])))
            if len(found) == count:
                break
    return found


def test_captions_over_a_websocket() -> None:
    async def test(served: Served) -> None:
        stage = staged(served)
        async with served.connect("/v1/watch?lang=de") as socket:
            ready = json.loads(await socket.recv())
            assert ready["languages"] == [{"code": "en", "name": "English"}, {"code": "de", "name": "German"}]
            say(served, stage, "Hello.", "Good bye.")
            assert [c["text"] for c in await watched(socket, 2)] == ["de:Hello.", "de:Good bye."]
        while stage.watchers:
            await asyncio.sleep(0.01)

    run(test)


def test_the_same_over_server_sent_events_and_on_from_the_last_number() -> None:
    async def test(served: Served) -> None:
        stage = staged(served)
        address = f"{served.http}/v1/watch/events?lang=de"
        async with httpx.AsyncClient(trust_env=False) as client:
            async with client.stream("GET", address) as response:
                assert response.headers["Content-Type"] == "text/event-stream; charset=utf-8"
                lines = response.aiter_lines()
                while not stage.watchers:
                    await asyncio.sleep(0.01)
                say(served, stage, "One.", "Two.")
                first = await read_events(lines, 2)
            say(served, stage, "Three.")
            async with client.stream("GET", address, headers={"Last-Event-ID": first[-1][0]}) as response:
                lines = response.aiter_lines()
                while not stage.watchers:
                    await asyncio.sleep(0.01)
                say(served, stage, "Four.")
                rest = await read_events(lines, 2)
        texts = [caption["text"].removeprefix("de:") for _, caption in [*first, *rest]]
        assert texts == ["One.", "Two.", "Three.", "Four."]
        while stage.watchers:
            await asyncio.sleep(0.01)

    run(test)


def test_a_message_is_made_into_a_frame_once_for_everybody() -> None:
    async def test(served: Served) -> None:
        stage = staged(served)
        sockets = [await served.connect("/v1/watch?lang=de") for _ in range(50)]
        for socket in sockets:
            await socket.recv()
        assert served.gateway.audience is not None
        before = served.gateway.audience.frames.made
        say(served, stage, "Hello.")
        texts = [(await watched(socket, 1))[0]["text"] for socket in sockets]
        assert texts == ["de:Hello."] * 50
        assert served.gateway.audience.frames.made == before + 1
        for socket in sockets:
            await socket.close()

    run(test)


def test_a_language_that_is_not_offered_is_refused_in_a_sentence() -> None:
    async def test(served: Served) -> None:
        staged(served)
        async with served.connect("/v1/watch?lang=xx") as socket:
            assert "choose one of en, de" in json.loads(await socket.recv())["message"]
            with pytest.raises(ConnectionClosed):
                await socket.recv()
        assert socket.close_code == 4422
        async with httpx.AsyncClient(trust_env=False) as client:
            assert (await client.get(f"{served.http}/v1/watch/events?lang=xx")).status_code == 404

    run(test)


def test_files_for_the_audience() -> None:
    async def test(served: Served) -> None:
        stage = staged(served)
        say(served, stage, "Hello.")
        async with httpx.AsyncClient(base_url=served.http, trust_env=False) as client:
            captions = await client.get("/v1/watch/captions.vtt")
            assert captions.text.startswith("WEBVTT\n\n1\n00:00:00.000 --> ")
            assert "Hello." in captions.text
            code = await client.get("/v1/watch/qr.svg")
            assert code.headers["Content-Type"] == "image/svg+xml"
            assert b"<svg" in code.content
            assert (await client.get("/v1/watch/else")).status_code == 404

    run(test)


def test_without_a_stage_there_is_no_audience() -> None:
    async def test(served: Served) -> None:
        async with httpx.AsyncClient(trust_env=False) as client:
            assert (await client.get(f"{served.http}/v1/watch/captions.vtt")).status_code == 404

    run(test)


def test_numbers_of_events_and_codes() -> None:
    assert [event_number(text) for text in (None, "", "7", "-1", "x", "9" * 30, "²")] == [None, None, 7] + [
        None
    ] * 4
    assert "█" in terminal_code("http://here/watch") or "▄" in terminal_code("http://here/watch")
