"""Running a source through a session: the loop that translating files, the microphone and evaluation share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from simul.clock import Clock
from simul.errors import SimulError
from simul.session import Session
from simul.session.events import Error, Event
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
    stopped: Callable[[], bool] = lambda: False,
) -> Iterator[Step]:
    """Feed `source` to a fresh stream of `session`, every piece when its last sample would have been heard.

    Under a wall clock that is a simulation of live speech, under a metered or virtual clock nothing waits but
    times are those of live speech all the same. `live`: the source itself delivers in time, as a microphone.
    When `stopped` turns true, no more is read and what was heard is settled. When the source fails, what was
    heard is settled too, an error event follows, and then the failure is raised.

    Raises:
        SimulError: the source failed.
    """
    session.reset()
    start = clock.now()
    pieces = iter(source)
    arrived = 0
    failure: SimulError | None = None
    while not stopped():
        try:
            samples = next(pieces)
        except StopIteration:
            break
        except SimulError as error:
            failure = error
            break
        if not live and not _wait(clock, start + (arrived + len(samples)) / SAMPLE_RATE, stopped):
            break
        arrived += len(samples)
        ready = clock.now() - start
        events = session.feed(samples)
        yield Step(samples, events, arrived, ready, clock.now() - start)
    ready = clock.now() - start
    events = session.finish()
    done = clock.now() - start
    if failure is not None:
        events.append(Error(str(failure), done))
    yield Step(None, events, arrived, ready, done)
    if failure is not None:
        raise failure


def _wait(clock: Clock, moment: float, stopped: Callable[[], bool]) -> bool:
    """Wait for `moment` in naps, so that a stop is noticed; False when it came."""
    while (now := clock.now()) < moment:
        if stopped():
            return False
        clock.sleep_until(min(moment, now + _NAP_SECONDS))
    return True
