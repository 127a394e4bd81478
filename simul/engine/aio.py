"""The engine for asyncio: streams are opened, fed and listened to from a coroutine; the computing is a thread's."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import CancelledError, Future
from contextlib import suppress
from types import TracebackType
from typing import Any

from policies.base import Policy
from simul.engine.terms import Terms
from simul.engine.thread import EngineStream, EngineThread
from simul.session.events import Event
from simul.session.stream import SessionConfig

MOST_WAITING = 15.0
"""Seconds of audio that may wait before `push` holds its caller up."""


class AsyncStream:
    """A stream that an `AsyncEngine` opened, for the coroutines of one event loop; `async with` closes it."""

    def __init__(self, loop: asyncio.AbstractEventLoop, most_waiting: float = MOST_WAITING) -> None:
        self._loop, self._most = loop, most_waiting
        self._events: asyncio.Queue[list[Event] | None] = asyncio.Queue()
        self._over = False
        self.stream: EngineStream

    def deliver(self, events: list[Event] | None) -> None:
        """Take events from the engine's thread. Raises RuntimeError when the loop is closed."""
        self._loop.call_soon_threadsafe(self._put, events)

    def _put(self, events: list[Event] | None) -> None:
        self._over = self._over or events is None
        self._events.put_nowait(events)

    @property
    def number(self) -> int:
        """The engine's number of the recording."""
        return self.stream.number

    @property
    def waiting(self) -> float:
        """Seconds of audio that were pushed and not taken by the engine yet."""
        return self.stream.waiting

    async def push(self, samples: Any) -> None:
        """Hand in mono samples at 16 kHz, floats in -1..1 or integers; waits while more audio waits than may.

        Raises:
            UsageError: the array is not mono audio; the stream goes on without it.
            SimulError: `end` was called.
        """
        self.stream.push(samples)
        while self.waiting > self._most and not self._over:
            await asyncio.sleep(0.02)

    def end(self, error: str | None = None) -> None:
        """No more samples: what is left is settled, then the events end. error: why the audio stopped early."""
        self.stream.end(error)

    def close(self) -> None:
        """Let go of the stream without waiting for more; its events end. Once it is closed, again does no harm."""
        self.stream.close()

    async def events(self) -> AsyncIterator[Event]:
        """The stream's events as they come, up to the last."""
        while (found := await self._events.get()) is not None:
            for event in found:
                yield event

    async def __aenter__(self) -> AsyncStream:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class AsyncEngine:
    """Opens streams on the engine of a thread. The thread is started and stopped by whoever made it."""

    def __init__(self, thread: EngineThread) -> None:
        self.thread = thread

    async def open(
        self,
        policy: Policy,
        config: SessionConfig | None = None,
        *,
        beside: Sequence[str] = (),
        terms: Terms | None = None,
        most_waiting: float = MOST_WAITING,
    ) -> AsyncStream:
        """A new stream. most_waiting: seconds of audio that may wait before `push` holds its caller up.

        Raises:
            OverloadedError: there is no room now; it says why, and when to ask again.
            EvidenceError: the policy needs evidence that the backend does not provide.
            UsageError: the backend does not serve the languages.
        """
        made = AsyncStream(asyncio.get_running_loop(), most_waiting)
        opening = self.thread.opening(policy, config, beside=beside, terms=terms, deliver=made.deliver)
        try:
            made.stream = await asyncio.wrap_future(opening)
        except asyncio.CancelledError:
            # The thread may have opened it meanwhile.
            opening.add_done_callback(_close_opened)
            raise
        return made


def _close_opened(opening: Future[EngineStream]) -> None:
    """Close what was opened for someone who no longer waits; a cancelled or failed opening has nothing to close."""
    with suppress(Exception, CancelledError):
        opening.result().close()
