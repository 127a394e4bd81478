"""Live streams on an engine under a clock that waits for nothing but counts computing: what was in time, what lost."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from policies.base import Policy
from simul.clock import Clock
from simul.engine import Admission, Decided, StreamEngine, Terms
from simul.engine.cost import Costs
from simul.engine.scheduler import NOBODY, Due, Served
from simul.session.events import End, Event
from simul.session.stream import SessionConfig
from simul.units import SAMPLE_RATE, Samples

WINDOW = 0.05
"""Seconds in which streams gather for a batch where they are taken first come, first served."""
FIRST = 8
"""How many are taken then at most."""


def first_come(
    due: Sequence[Due], now: float, costs: Costs, served: Served = NOBODY, most: int = FIRST
) -> list[Due]:
    """In the order of arrival, whatever their shape, as many as come within a window."""
    return sorted(due, key=lambda each: (each.since, each.number))[:FIRST]


@dataclass(frozen=True)
class Way:
    """How streams are served. gather: seconds that the first waits for others. skips: whether late decisions are."""

    gather: float = 0.0
    skips: bool = True


@dataclass
class ServiceReport:
    """What became of the streams.

    decisions: with those passed over. in_time: those out within a chunk. pushed, heard: samples of the streams that
    were served. failed: streams that ended with an error. refusals: what refused streams were told. waits: seconds from
    when a decision's audio was there until it was out.
    """

    decisions: int = 0
    in_time: int = 0
    streams: int = 0
    pushed: int = 0
    heard: int = 0
    skipped: int = 0
    failed: int = 0
    refusals: list[str] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)

    @property
    def share(self) -> float:
        """The share of decisions that were in time."""
        return self.in_time / max(1, self.decisions)

    def note(self, decided: Decided, chunk: float) -> None:
        """A decision is out."""
        wait = decided.done - decided.ready
        self.decisions += 1 + decided.passed_over
        self.in_time += wait <= chunk
        self.waits.append(wait)

    def close(self, events: Sequence[Event]) -> None:
        """Take in a stream's events."""
        for event in events:
            if isinstance(event, End):
                self.heard += event.heard
                self.skipped += event.skipped
            self.failed += event.type == "error"


@dataclass(frozen=True)
class Talk:
    """Streams to be served: their audio, over and over for `seconds`; the next begins a share of a chunk later."""

    recordings: Sequence[Samples]
    seconds: float
    config: SessionConfig

    def audio(self, stream: int) -> Iterator[Samples]:
        """The chunks of a stream."""
        recording, chunk = self.recordings[stream % len(self.recordings)], self.config.chunk
        whole = len(recording) // chunk * chunk
        for start in range(0, round(self.seconds * SAMPLE_RATE) // chunk * chunk, chunk):
            yield recording[start % whole : start % whole + chunk]

    def arrivals(self, streams: int) -> list[tuple[float, int, Samples | None]]:
        """When which stream has which audio, in real time; None at the end."""
        length = self.config.chunk / SAMPLE_RATE
        found: list[tuple[float, int, Samples | None]] = []
        for stream in range(streams):
            at = length * stream / streams
            for chunk in self.audio(stream):
                at += length
                found.append((at, stream, chunk))
            found.append((at, stream, None))
        return sorted(found, key=lambda each: each[:2])


def serve(
    make: Callable[[Callable[[Decided], None]], StreamEngine],
    policy: Callable[[], Policy],
    talk: Talk,
    streams: int,
    clock: Clock,
    way: Way | None = None,
    admission: Callable[[StreamEngine], Admission] | None = None,
    before_closing: Callable[[], None] = lambda: None,
) -> ServiceReport:
    """Serve so many streams of a talk in real time on the engine that `make` makes, and wait until all is said.

    before_closing: is called when a stream's audio has all arrived, before it ends.
    """
    way, report = way or Way(), ServiceReport()
    length = talk.config.chunk / SAMPLE_RATE
    engine = make(lambda decided: report.note(decided, length))
    start = clock.now()
    numbers: dict[int, int] = {}
    gate = None if admission is None else admission(engine)
    for stream in range(streams):
        said = None if gate is None else gate.refusal(talk.config, 1, Terms())
        if said is None:
            at = start + length * stream / streams
            numbers[stream] = engine.open(policy(), talk.config, at, terms=Terms(live=way.skips))
        else:
            report.refusals.append(said)
    report.streams = len(numbers)
    arrivals = [each for each in talk.arrivals(streams) if each[1] in numbers]
    place, gathered = 0, start
    while place < len(arrivals) or engine.ready:
        now = clock.now()
        while place < len(arrivals) and start + arrivals[place][0] <= now:
            at, stream, samples = arrivals[place]
            if samples is None:
                before_closing()
                engine.end(numbers[stream], start + at)
            elif numbers[stream] in engine.open_numbers:
                engine.push(numbers[stream], samples, start + at)
                report.pushed += len(samples)
            place += 1
        if not engine.ready:
            clock.sleep_until(start + arrivals[place][0])
            gathered = clock.now() + way.gather
        elif now < gathered and engine.due < FIRST and place < len(arrivals):
            clock.sleep_until(min(gathered, start + arrivals[place][0]))
        else:
            for events in engine.step(clock.now).values():
                report.close(events)
            gathered = clock.now() + way.gather
    return report
