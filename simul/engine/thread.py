"""The engine on a thread of its own: calls come from any thread, events go to whoever opened the stream."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import suppress
from queue import SimpleQueue
from types import TracebackType
from typing import Any, Protocol, TypeVar

from policies.base import Policy
from simul.clock import Clock, WallClock
from simul.engine.engine import StreamEngine
from simul.engine.terms import Terms
from simul.errors import OverloadedError, SimulError, failure_message
from simul.session.events import Event
from simul.session.stream import SessionConfig
from simul.units import SAMPLE_RATE, as_samples

T = TypeVar("T")
LOOK_AROUND = 1.0
"""Seconds without anything to do after which an engine looks at its load."""
STOPPED = "The engine was stopped; what was settled before stays valid."
Deliver = Callable[[list[Event] | None], None]
"""Is given a stream's events, and None when no more will come, on the engine's thread, which it must not hold up."""


class Admission(Protocol):
    """Decides whether there is room for a further stream."""

    def refusal(self, config: SessionConfig, languages: int, terms: Terms) -> str | None:
        """Why there is none, as a sentence; None: there is. languages: how many are written on the audio."""
        ...


class EveryStream:
    """Admits every stream."""

    def refusal(self, config: SessionConfig, languages: int, terms: Terms) -> str | None:
        return None


class EngineStream:
    """A stream that an `EngineThread` opened; its methods may be called from any thread.

    number: of the engine's recording.
    """

    def __init__(self, thread: EngineThread, number: int) -> None:
        self._thread, self.number = thread, number
        self._pushed = self._taken = 0
        self._ended = False
        self._events: SimpleQueue[list[Event] | None] = SimpleQueue()
        self.deliver: Deliver = self._events.put

    @property
    def waiting(self) -> float:
        """Seconds of audio that were pushed and not taken by the engine yet."""
        return max(0, self._pushed - self._taken) / SAMPLE_RATE

    def push(self, samples: Any) -> None:
        """Hand in mono samples at 16 kHz, floats in -1..1 or integers; they arrived now, and are copied.

        Raises:
            UsageError: the array is not mono audio; the stream goes on without it.
            SimulError: `end` was called.
        """
        if self._ended:
            raise SimulError("The audio of this stream has ended; open another one.")
        found = as_samples(samples).copy()
        self._pushed += len(found)
        self._thread.tell(self.number, lambda engine, at: engine.push(self.number, found, at))

    def end(self, error: str | None = None) -> None:
        """No more samples: what is left is settled, then the events end. error: why the audio stopped early."""
        self._ended = True
        self._thread.tell(self.number, lambda engine, at: engine.end(self.number, at, error))

    def close(self) -> None:
        """Let go of the stream without waiting for more; its events end. Once it is closed, again does no harm."""
        self._thread.leave(self.number)

    def events(self) -> Iterator[Event]:
        """The stream's events as they come, up to the last; waits for them."""
        while (found := self._events.get()) is not None:
            yield from found

    def took(self, taken: int) -> None:
        """The engine's thread says how many samples it has taken."""
        self._taken = taken


class EngineThread:
    """Runs an engine, one thread for one device; use it in a `with` block, or `start` and `stop` it.

    admission: decides whether a further stream is opened. on_failure: told what broke the thread itself, which
    ends every stream with an error; streams that fail by themselves are the engine's affair.
    """

    def __init__(
        self,
        engine: StreamEngine,
        clock: Clock | None = None,
        admission: Admission | None = None,
        on_failure: Callable[[Exception], None] = lambda error: None,
    ) -> None:
        self._engine, self._clock = engine, clock or WallClock()
        self._admission, self._on_failure = admission or EveryStream(), on_failure
        self._wake = threading.Condition()
        self._calls: list[tuple[Callable[[], Any], Future[Any] | None]] = []
        self._streams: dict[int, EngineStream] = {}
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)

    def start(self) -> EngineThread:
        """Start the thread."""
        self._thread.start()
        return self

    def stop(self) -> None:
        """Stop the thread; streams that are open get an error and the end. Once it is stopped, again does no harm."""
        with self._wake:
            self._stopping = True
            self._wake.notify()
        if self._thread.is_alive() and threading.current_thread() is not self._thread:
            self._thread.join()

    def __enter__(self) -> EngineThread:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def running(self) -> bool:
        """Whether streams can be opened."""
        return self._thread.is_alive() and not self._stopping

    def open(
        self,
        policy: Policy,
        config: SessionConfig | None = None,
        *,
        beside: Sequence[str] = (),
        terms: Terms | None = None,
    ) -> EngineStream:
        """A new stream, once the engine's thread has opened it.

        Raises:
            OverloadedError: there is no room now; it says why, and when to ask again.
            EvidenceError: the policy needs evidence that the backend does not provide.
            UsageError: the backend does not serve the languages.
        """
        return self.opening(policy, config, beside=beside, terms=terms).result()

    def opening(
        self,
        policy: Policy,
        config: SessionConfig | None = None,
        *,
        beside: Sequence[str] = (),
        terms: Terms | None = None,
        deliver: Deliver | None = None,
    ) -> Future[EngineStream]:
        """As `open`, without waiting. deliver: is given the events, which the stream's `events` does not give then."""
        return self.call(
            lambda: self._open(policy, config or SessionConfig(), beside, terms or Terms(), deliver)
        )

    def call(self, work: Callable[[], T]) -> Future[T]:
        """Let the engine's thread do `work` between two steps."""
        future: Future[T] = Future()
        if not self._order(work, future):
            future.set_exception(SimulError(STOPPED))
        return future

    def _order(self, work: Callable[[], Any], future: Future[Any] | None = None) -> bool:
        with self._wake:
            if not self._stopping:
                self._calls.append((work, future))
                self._wake.notify()
            return not self._stopping

    def _open(
        self,
        policy: Policy,
        config: SessionConfig,
        beside: Sequence[str],
        terms: Terms,
        deliver: Deliver | None,
    ) -> EngineStream:
        refusal = self._admission.refusal(config, 1 + len(beside), terms)
        if refusal is not None:
            raise OverloadedError(refusal)
        number = self._engine.open(policy, config, self._clock.now(), beside=beside, terms=terms)
        stream = self._streams[number] = EngineStream(self, number)
        stream.deliver = deliver or stream.deliver
        return stream

    def tell(self, number: int, work: Callable[[StreamEngine, float], None]) -> None:
        """Let the engine's thread do `work` on a stream, unless that is over; the moment is now."""
        at = self._clock.now()
        self._order(lambda: work(self._engine, at) if number in self._streams else None)

    def leave(self, number: int) -> None:
        """Close a stream; its events end."""
        self._order(lambda: self._close(number))

    def _close(self, number: int) -> None:
        self._engine.close(number)
        stream = self._streams.pop(number, None)
        if stream is not None:
            with suppress(Exception):
                stream.deliver(None)

    def _run(self) -> None:
        message = STOPPED
        try:
            while self._turn():
                pass
        except Exception as error:
            message = failure_message(error)
            self._on_failure(error)
        with self._wake:
            self._stopping = True
            calls, self._calls = self._calls, []
        for _, future in calls:
            if future is not None and future.set_running_or_notify_cancel():
                future.set_exception(SimulError(message))
        self._abandon(message)

    def _turn(self) -> bool:
        """Do what was asked for and one step; wait when there is nothing to do. Whether to go on."""
        with self._wake:
            while not (self._calls or self._stopping or self._engine.ready):
                self._wake.wait(LOOK_AROUND)
                self._engine.look(self._clock.now())
            if self._stopping:
                return False
            calls, self._calls = self._calls, []
        for work, future in calls:
            _do(work, future)
        self._hand_out(self._engine.step(self._clock.now))
        return True

    def _hand_out(self, events: dict[int, list[Event]]) -> None:
        open_numbers = set(self._engine.open_numbers)
        for number, stream in list(self._streams.items()):
            if number in open_numbers:
                stream.took(self._engine.taken(number))
            self._deliver(stream, events.get(number))
            if number not in open_numbers:
                self._close(number)

    def _deliver(self, stream: EngineStream, events: list[Event] | None) -> None:
        """Hand events over; whoever cannot take them loses the stream."""
        if events:
            try:
                stream.deliver(events)
            except Exception:
                self._engine.close(stream.number)
                self._streams.pop(stream.number, None)

    def _abandon(self, message: str) -> None:
        """End every stream with an error."""
        for number in self._engine.open_numbers:
            self._engine.fail(number, message, self._clock.now())
        self._hand_out(self._engine.collect())


def _do(work: Callable[[], Any], future: Future[Any] | None) -> None:
    """Do what was asked for; what it raises goes to whoever waits for it."""
    if future is None:
        work()
    elif future.set_running_or_notify_cancel():
        try:
            future.set_result(work())
        except Exception as error:
            future.set_exception(error)
