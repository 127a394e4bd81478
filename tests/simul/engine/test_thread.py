"""The engine on a thread and under asyncio: events reach whoever opened the stream, and nothing is left behind."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from policies import LocalAgreement
from simul.backends.scripted import ScriptedBackend
from simul.engine import AsyncEngine, EngineThread, OverloadedError, StreamEngine, Terms
from simul.errors import SimulError, UsageError
from simul.session import SessionConfig
from simul.session.events import Event
from tests.policies.scripts import CHUNK
from tests.simul.session.test_session import TALK, WORDS

CONFIG = SessionConfig(chunk=CHUNK)
FILE = Terms(live=False)


def text(events: Sequence[Event]) -> str:
    return "".join(event.text for event in events if event.type == "settled")  # type: ignore[attr-defined]


WHOLE = "".join(WORDS).strip() + "".join(WORDS)


def test_streams_of_several_threads_get_their_own_events() -> None:
    backend = ScriptedBackend(TALK)
    found: dict[int, list[Event]] = {}

    def speak(engine: EngineThread, i: int) -> None:
        stream = engine.open(LocalAgreement(2), CONFIG, terms=FILE)
        for _ in range(i + 1):
            stream.push(np.zeros(8 * CHUNK // (i + 1), np.float32))
        stream.end()
        found[i] = list(stream.events())

    with EngineThread(StreamEngine(backend)) as engine:
        speakers = [threading.Thread(target=speak, args=(engine, i)) for i in range(4)]
        for speaker in speakers:
            speaker.start()
        for speaker in speakers:
            speaker.join()
    for i in range(4):
        kinds = [event.type for event in found[i]]
        assert (kinds[0], kinds[-1]) == ("start", "end")
        assert text(found[i]) == WHOLE
    assert backend.streams == ()


def test_a_coroutine_opens_feeds_and_listens() -> None:
    async def speak() -> list[Event]:
        with EngineThread(StreamEngine(ScriptedBackend(TALK))) as thread:
            async with await AsyncEngine(thread).open(LocalAgreement(2), CONFIG, terms=FILE) as stream:
                for _ in range(8):
                    await stream.push(np.zeros(CHUNK, np.float32))
                stream.end()
                return [event async for event in stream.events()]

    events = asyncio.run(speak())
    assert text(events) == WHOLE
    assert events[-1].type == "end"


def test_a_push_waits_while_too_much_audio_waits() -> None:
    held = threading.Event()

    async def speak() -> None:
        backend = ScriptedBackend(TALK, on_decode=lambda size: held.wait(20) and None)
        with EngineThread(StreamEngine(backend)) as thread:
            stream = await AsyncEngine(thread).open(LocalAgreement(2), CONFIG, terms=FILE, most_waiting=1.0)
            push = asyncio.ensure_future(stream.push(np.zeros(8 * CHUNK, np.float32)))
            await asyncio.sleep(0.1)
            assert not push.done()
            held.set()
            await push
            assert stream.waiting <= 1.0

    asyncio.run(speak())


class Full:
    """Has room for one stream."""

    def __init__(self) -> None:
        self.asked = 0

    def refusal(self, config: SessionConfig, languages: int, terms: Terms) -> str | None:
        self.asked += 1
        return (
            None if self.asked == 1 else "This machine serves one stream, and it is taken; try again later."
        )


def test_a_stream_for_which_there_is_no_room_is_refused_in_words() -> None:
    with EngineThread(StreamEngine(ScriptedBackend(TALK)), admission=Full()) as thread:
        thread.open(LocalAgreement(2), CONFIG)
        with pytest.raises(OverloadedError, match="one stream, and it is taken") as caught:
            thread.open(LocalAgreement(2), CONFIG)
        assert caught.value.retry_after > 0


def test_what_the_backend_refuses_comes_to_whoever_opens() -> None:
    with (
        EngineThread(StreamEngine(ScriptedBackend(TALK))) as thread,
        pytest.raises(UsageError, match="not served"),
    ):
        thread.open(LocalAgreement(2), SessionConfig(target="xx"))


def test_a_stopped_engine_ends_its_streams_with_an_error_and_opens_none() -> None:
    thread = EngineThread(StreamEngine(ScriptedBackend(TALK))).start()
    stream = thread.open(LocalAgreement(2), CONFIG)
    stream.push(np.zeros(CHUNK, np.float32))
    thread.stop()
    thread.stop()
    kinds = [event.type for event in stream.events()]
    assert kinds[-2:] == ["error", "end"]
    assert not thread.running
    with pytest.raises(SimulError, match="stopped"):
        thread.open(LocalAgreement(2), CONFIG)


def test_a_closed_stream_has_no_further_events() -> None:
    backend = ScriptedBackend(TALK)
    with EngineThread(StreamEngine(backend)) as thread:
        stream = thread.open(LocalAgreement(2), CONFIG)
        stream.close()
        stream.close()
        assert {event.type for event in stream.events()} <= {"start"}
        thread.call(lambda: None).result()
        assert backend.streams == ()


def test_a_listener_that_cannot_listen_loses_its_stream_only() -> None:
    def deaf(events: Any) -> None:
        raise RuntimeError("the loop is closed")

    backend = ScriptedBackend(TALK)
    with EngineThread(StreamEngine(backend)) as thread:
        thread.opening(LocalAgreement(2), CONFIG, deliver=deaf).result()
        stream = thread.open(LocalAgreement(2), CONFIG, terms=FILE)
        stream.push(np.zeros(8 * CHUNK, np.float32))
        stream.end()
        assert text(list(stream.events())) == WHOLE
        assert backend.streams == ()


def test_what_breaks_the_thread_itself_is_told_to_every_stream() -> None:
    class Breaks(StreamEngine):
        def step(self, now: Any) -> Any:
            if self.open_numbers and self.waiting(self.open_numbers[0]):
                raise MemoryError("no memory left")
            return super().step(now)

    broken: list[Exception] = []
    with EngineThread(Breaks(ScriptedBackend(TALK)), on_failure=broken.append) as thread:
        stream = thread.open(LocalAgreement(2), CONFIG)
        stream.push(np.zeros(CHUNK, np.float32))
        events = list(stream.events())
    assert [event.type for event in events[-2:]] == ["error", "end"]
    assert "no memory left" in events[-2].message  # type: ignore[attr-defined]
    assert [str(error) for error in broken] == ["no memory left"]


def test_nothing_is_pushed_after_the_end() -> None:
    with EngineThread(StreamEngine(ScriptedBackend(TALK))) as thread:
        stream = thread.open(LocalAgreement(2), CONFIG)
        stream.end()
        with pytest.raises(SimulError, match="ended"):
            stream.push(np.zeros(CHUNK, np.float32))


def test_who_no_longer_waits_for_a_stream_leaves_none_behind() -> None:
    held, decoding = threading.Event(), threading.Event()

    def hold(size: int) -> None:
        decoding.set()
        held.wait(20)

    async def speak(thread: EngineThread) -> None:
        busy = await AsyncEngine(thread).open(LocalAgreement(2), CONFIG, terms=FILE)
        await busy.push(np.zeros(CHUNK, np.float32))
        await asyncio.to_thread(decoding.wait, 20)
        opening = asyncio.ensure_future(AsyncEngine(thread).open(LocalAgreement(2), CONFIG))
        await asyncio.sleep(0)
        opening.cancel()
        with pytest.raises(asyncio.CancelledError):
            await opening
        held.set()
        busy.close()

    backend = ScriptedBackend(TALK, on_decode=hold)
    with EngineThread(StreamEngine(backend)) as thread:
        asyncio.run(speak(thread))
        for _ in range(2):
            thread.call(lambda: None).result()
        assert backend.streams == ()


@pytest.mark.parametrize("terms", [{"slack": -1.0}, {"weight": 0.0}])
def test_terms_that_promise_nothing_are_refused(terms: dict[str, float]) -> None:
    with pytest.raises(UsageError, match="slack"):
        Terms(**terms)  # type: ignore[arg-type]
