"""Running a source through a session: the loop that translating files, the microphone and evaluation share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from simul.clock import Clock
from simul.errors import SimulError
from simul.session.events import Event
from simul.session.session import Session
from simul.units import SAMPLE_RATE, Samples

_NAP_SECONDS = 0.1


@dataclass(frozen=True)
class Step:
    """What one piece of audio brought about; `samples` is None for the end of the stream.

    arrived: samples of the stream received so far. ready: seconds since the start at which the piece was there
    and computing began. done: seconds since the start at which its events were out.
    """

    samples: Samples | None
    events: list[Event]
    arrived: int
    ready: float
    done: float

    @property
    def compute(self) -> float:
        """Seconds of work for this piece."""
        return self.done - self.ready

    @property
    def behind(self) -> float:
        """Seconds from the arrival of the piece's last sample until its events were out."""
        return self.done - self.arrived / SAMPLE_RATE


def drive(
    source: Iterable[Samples],
    session: Session,
    clock: Clock,
    *,
    live: bool = False,
    coalesce: bool = False,
    waiting: Callable[[], int] = lambda: 0,
    stopped: Callable[[], bool] = lambda: False,
) -> Iterator[Step]:
    """Feed `source` to a fresh stream of `session`, every piece when its last sample would have been heard.

    Under a wall clock that is a simulation of live speech, under a metered or virtual clock nothing waits but
    times are those of live speech all the same. `live`: the source itself delivers in time, as a microphone;
    `waiting` then says how many samples it has heard that were not taken yet. `coalesce`: when computing is behind,
    take in all audio that has arrived and decide once. When `stopped` turns true, no more is read and what was heard
    is settled. When the source or the session fails, what is settled comes out with an error event, and then the
    failure is raised.

    Raises:
        SimulError: the source failed. Whatever the backend or the policy raised.
    """
    session.reset()
    intake = _Live(source, waiting) if live else _Paced(source, clock, session.origin, stopped)
    failure: Exception | None = None
    arrived = 0
    while not (stopped() or session.finished):
        try:
            samples = intake.take(coalesce)
        except SimulError as error:
            failure = error
            break
        if samples is None:
            break
        arrived += len(samples)
        ready = session.now()
        at = ready - waiting() / SAMPLE_RATE if live else arrived / SAMPLE_RATE
        events = session.feed(samples, at, coalesce)
        yield Step(samples, events, arrived, ready, session.now())
    ready = session.now()
    events = session.finish(None if failure is None else str(failure))
    yield Step(None, events, arrived, ready, session.now())
    failure = failure or session.failure
    if failure is not None:
        raise failure


class _Live:
    """Takes what a source that delivers in time has heard; waits for it if there is nothing."""

    def __init__(self, source: Iterable[Samples], waiting: Callable[[], int]) -> None:
        self._pieces, self._waiting = iter(source), waiting

    def take(self, coalesce: bool) -> Samples | None:
        """The next piece, with `coalesce` together with all that waits; None at the end."""
        pile = [next(self._pieces, None)]
        while coalesce and pile[-1] is not None and self._waiting() >= len(pile[-1]):
            pile.append(next(self._pieces, None))
        found = [piece for piece in pile if piece is not None]
        return np.concatenate(found) if found else None


class _Paced:
    """Gives the pieces of a recording when they would have been heard from `start` on."""

    def __init__(
        self, source: Iterable[Samples], clock: Clock, start: float, stopped: Callable[[], bool]
    ) -> None:
        self._pieces, self._clock, self._start, self._stopped = iter(source), clock, start, stopped
        self._ahead: Samples | SimulError | None = None
        self._given = 0

    def take(self, coalesce: bool) -> Samples | None:
        """The next piece once it is due, with `coalesce` together with all that is due then; None at the end."""
        piece, self._ahead = self._ahead, None
        piece = self._next() if piece is None else piece
        if isinstance(piece, SimulError):
            raise piece
        if piece is None or not _wait(self._clock, self._due(len(piece)), self._stopped):
            return None
        pile = [piece]
        self._given += len(piece)
        while coalesce:
            ahead = self._next()
            if isinstance(ahead, np.ndarray) and self._due(len(ahead)) <= self._clock.now():
                pile.append(ahead)
                self._given += len(ahead)
                continue
            self._ahead = ahead
            break
        return np.concatenate(pile)

    def _next(self) -> Samples | SimulError | None:
        """The next piece; a failure of the source is given out in its turn, after what was heard before."""
        try:
            return next(self._pieces, None)
        except SimulError as error:
            return error

    def _due(self, length: int) -> float:
        return self._start + (self._given + length) / SAMPLE_RATE


def _wait(clock: Clock, moment: float, stopped: Callable[[], bool]) -> bool:
    """Wait for `moment` in naps, so that a stop is noticed; False when it came."""
    while (now := clock.now()) < moment:
        if stopped():
            return False
        clock.sleep_until(min(moment, now + _NAP_SECONDS))
    return True
