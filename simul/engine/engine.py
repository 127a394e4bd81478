"""The engine's core: many streams on one backend, step by step. It has no clock, no thread, no input and no output."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, TypeVar

from policies.base import Candidate, Policy
from simul.backends.base import Backend, DecodeRequest
from simul.engine.cost import CostTable, LoadMeter
from simul.engine.inbox import Inbox
from simul.engine.ladder import Ladder
from simul.engine.recording import Decided, OpenRecording
from simul.engine.scheduler import Choose, Due, Ledger, choose
from simul.engine.terms import Terms
from simul.errors import SimulError
from simul.session.events import Event, from_dict
from simul.session.stream import SessionConfig, Stream
from simul.session.streams import Streams
from simul.units import SAMPLE_RATE, as_samples, finite

Part = TypeVar("Part")
Found = TypeVar("Found")
Now = Callable[[], float]
"""What time it is, in seconds since any moment that is the same for all calls of an engine."""


class StreamEngine:
    """Runs read, decode, judge, write for many recordings at once; each gives the events of a `Session`.

    Every moment is an argument, on a clock of the caller's; events tell seconds since their stream was opened. Calls
    come from one thread at a time, and only `step` computes.

    costs: what decisions are known to cost; it learns what they do. ladder: makes decisions rarer while more is asked
    for than can be computed (None: they are not). most: decisions in a batch at most. choose: who decides next.
    on_failure: told the number of a recording that failed, and what was raised; its events say so too. on_decision:
    told of every decision.
    """

    def __init__(
        self,
        backend: Backend[Any],
        costs: CostTable | None = None,
        ladder: Ladder | None = None,
        most: int = 64,
        choose: Choose = choose,
        on_failure: Callable[[int, Exception], None] = lambda number, error: None,
        on_decision: Callable[[Decided], None] = lambda decided: None,
    ) -> None:
        self.backend, self._on_failure, self._on_decision = backend, on_failure, on_decision
        self._chooser = choose
        self.costs = CostTable() if costs is None else costs
        self.ladder, self.most, self.meter = ladder, most, LoadMeter()
        self._ledger = Ledger()
        self._recordings: dict[int, OpenRecording] = {}
        self._left: dict[int, list[Event]] = {}
        self._opened = 0

    @property
    def open_numbers(self) -> tuple[int, ...]:
        """The recordings that are open."""
        return tuple(self._recordings)

    @property
    def live(self) -> int:
        """How many live recordings are open."""
        return sum(one.terms.live for one in self._recordings.values())

    @property
    def due(self) -> int:
        """How many recordings have something to decide."""
        return sum(self._to_decide(one) for one in self._recordings.values())

    @property
    def ready(self) -> bool:
        """Whether a step would do something."""
        return bool(self._left) or any(map(self._to_decide, self._recordings.values()))

    def _to_decide(self, one: OpenRecording) -> bool:
        return one.busy or self._ready(one) is not None

    def _ready(self, one: OpenRecording) -> float | None:
        """When the audio up to a recording's next decision was there; None: it is not."""
        # Asked of everybody at every step: who has less than a chunk is told apart at once.
        return one.ready(self._stride(one)) if one.ready(1) is not None else None

    def _stride(self, one: OpenRecording) -> int:
        """How many chunks the next decision of a recording takes."""
        if self.ladder is None or not one.terms.live:
            return 1
        # Recordings that began together take turns.
        return self.ladder.rung.stride(one.decided_chunks + one.number)

    def open(
        self,
        policy: Policy,
        config: SessionConfig | None = None,
        at: float = 0.0,
        *,
        beside: Sequence[str] = (),
        terms: Terms | None = None,
    ) -> int:
        """The number of a new recording. beside: further languages that are written on the same audio.

        Raises:
            EvidenceError: the policy needs evidence that the backend does not provide.
            UsageError: the backend does not serve the languages, or no further stream.
        """
        config = config or SessionConfig()
        one = self._admit(config, at, terms, Streams.begin(policy, self.backend, config, beside))
        self._keep(one)
        return one.number

    def _admit(
        self, config: SessionConfig, opened: float, terms: Terms | None, streams: Streams
    ) -> OpenRecording:
        self._opened += 1
        chunk, inbox = config.chunk, Inbox(config.chunk)
        one = OpenRecording(self._opened, terms or Terms(), chunk, opened, inbox, streams)
        self._recordings[one.number] = one
        return one

    def push(self, number: int, samples: Any, at: float) -> None:
        """Mono samples at 16 kHz arrived, floats in -1..1 or integers; those that are not finite count as silence.

        Raises:
            UsageError: the array is not mono audio; the stream goes on without it.
            SimulError: no such recording is open, or it has ended.
        """
        one = self._recording(number)
        if one.inbox.ended is not None:
            raise SimulError("The audio of this stream has ended; open another one.")
        found, bad = finite(as_samples(samples))
        one.streams.bad += bad
        one.inbox.push(found, one.since(at))

    def end(self, number: int, at: float, error: str | None = None, last: bool = True) -> None:
        """No more samples: what is left will be settled. error: why the audio stopped early. last: somebody waits for
        the end, so it comes before what others say meanwhile (not so where one speaker's streams follow each other)."""
        one = self._recording(number)
        one.error, one.last = error, last
        one.inbox.end(one.since(at))

    def close(self, number: int) -> None:
        """Let go of a recording at once, without further events; once it is closed, again does no harm."""
        one = self._recordings.pop(number, None)
        self._left.pop(number, None)
        if one is not None:
            one.streams.release()

    def waiting(self, number: int) -> int:
        """Samples of a recording that arrived and were not taken yet."""
        return self._recording(number).inbox.waiting

    def taken(self, number: int) -> int:
        """Samples of a recording that were taken for decisions."""
        return self._recording(number).inbox.taken

    def _recording(self, number: int) -> OpenRecording:
        try:
            return self._recordings[number]
        except KeyError:
            raise SimulError(f"The engine has no open stream {number}; it has ended or was closed.") from None

    def step(self, now: Now) -> dict[int, list[Event]]:
        """One tick: choose a batch, take its audio in, decode, judge. What happened, by recording, in order.

        Where a segment's end asks for a further pass, the decision goes on in the next step. Where one recording fails,
        its events end with an error and the end; the others go on.
        """
        begun = now()
        going_on = bool(self._deciding())
        chosen = self._choose(begun, now)
        batch = [(due, self._recordings[due.number].terms.weight) for due in chosen]
        self._late = self._passed = 0
        self._heard = 0.0
        self._take([self._recordings[due.number] for due in chosen], now)
        self._decode(now)
        self._finish(now)
        if batch:
            self._learn(begun, now(), batch, going_on)
        self.look(now())
        return self.collect()

    def _choose(self, at: float, now: Now) -> list[Due]:
        """The recordings that decide next."""
        due = [found for one in list(self._recordings.values()) if (found := self._due(one, at, now))]
        live = [one.patience(self._stride(one)) for one in self._recordings.values() if one.terms.live]
        return self._chooser(
            due, at, self.costs, self._ledger.served(min(live, default=float("inf"))), self.most
        )

    def _due(self, one: OpenRecording, at: float, now: Now) -> Due | None:
        """What the scheduler is told of a recording; None where it has nothing to decide."""
        ready = None if one.busy else self._ready(one)
        if ready is None:
            return None
        stride = self._stride(one)
        try:
            length = self._window(one)
        except Exception as error:
            self._fail(one, error, now)
            return None
        deadline = one.next_deadline(ready, stride, at)
        return Due(one.number, deadline, ready, length, one.terms.live, one.terms.owner, one.last)

    def _window(self, one: OpenRecording) -> int:
        """Samples that the next decision of a recording will rest on; 0 where nobody speaks."""
        view = self.backend.view(one.streams.numbers[0])
        return view.heard - view.segment_start + one.inbox.waiting if view.speech else 0

    def _learn(self, begun: float, ended: float, batch: Sequence[tuple[Due, float]], going_on: bool) -> None:
        """Note what a step cost; not as the batch's where earlier decisions went on in it."""
        computed, lengths = ended - begun, [due.length for due, _ in batch]
        if not going_on:
            self.costs.note(len(batch), max(lengths), computed)
        self._ledger.note(ended, computed, batch)
        # Files take what is left over: they ask for nothing that live streams would have to be spared for.
        asked = sum(self.costs.least(due.length, self.most) for due, _ in batch if due.live)
        asked *= 1 + self._passed / len(batch)
        self.meter.note(computed, asked, len(batch) + self._passed, self._late + self._passed, self._heard)

    def look(self, at: float) -> None:
        """Take the load up to the time `at` into account; to be called now and then where no step is made."""
        if self.meter.look(at) and self.ladder is not None:
            self.ladder.follow(self.meter, at)

    def collect(self) -> dict[int, list[Event]]:
        """What happened and was not told yet."""
        events, self._left = self._left, {}
        return events

    def fail(self, number: int, message: str, at: float) -> None:
        """End a recording with an error."""
        self._fail(self._recording(number), SimulError(message), lambda: at)

    def _take(self, recordings: Sequence[OpenRecording], now: Now) -> None:
        """Give the backend what arrived of the recordings, and let it compute."""
        for one in recordings:
            self._attempt(one, now, self._push_on, one, now)
        self._together([(one, one.streams.numbers) for one in recordings], self._advance, now)

    def _push_on(self, one: OpenRecording, now: Now) -> None:
        portion = one.take(now(), self._stride(one))
        self._passed += one.passed_over
        self._heard += len(portion.samples) / SAMPLE_RATE
        one.streams.hear(portion.samples, portion.final)

    def _advance(self, numbers: list[list[int]]) -> list[list[int]]:
        self.backend.advance([number for each in numbers for number in each])
        return numbers

    def _deciding(self) -> list[OpenRecording]:
        """The recordings of which a decision is being worked on."""
        return [one for one in self._recordings.values() if one.deciding]

    def _decode(self, now: Now) -> None:
        """Let every stream look at what was heard, decode what they ask for, and let them judge it."""
        for one in self._deciding():
            if one.streams.waking:
                self._attempt(one, now, one.look, now)
        asked = [(one, pair) for one in self._deciding() for pair in one.streams.asked]
        for one, (stream, _), candidate in self._together(asked, self._candidates, now):
            if one.number in self._recordings:
                self._attempt(one, now, one.streams.answer, stream, candidate, one.since(now()))

    def _candidates(self, asked: list[tuple[Stream, DecodeRequest]]) -> list[Candidate]:
        return self.backend.decode([request for _, request in asked])

    def _together(
        self,
        parts: Sequence[tuple[OpenRecording, Part]],
        work: Callable[[list[Part]], Sequence[Found]],
        now: Now,
    ) -> list[tuple[OpenRecording, Part, Found]]:
        """What `work` finds for all in one call; where that fails, one by one, so that only those fail that must."""
        parts = [(one, part) for one, part in parts if one.number in self._recordings]
        if not parts:
            return []
        try:
            found = work([part for _, part in parts])
            return [(*each, its) for each, its in zip(parts, found, strict=True)]
        except Exception as error:
            if len(parts) > 1:
                return [its for each in parts for its in self._together([each], work, now)]
            self._fail(parts[0][0], error, now)
            return []

    def _finish(self, now: Now) -> None:
        """Collect events, count what was late, and let go of recordings that are over."""
        for one in self._deciding():
            if not one.busy:
                decided = one.decided(now())
                self._late += one.terms.live and not decided.in_time
                self._on_decision(decided)
                if one.final:
                    self._over(one, now)
            self._keep(one)

    def _over(self, one: OpenRecording, now: Now) -> None:
        one.streams.end(one.since(now()), one.error)
        del self._recordings[one.number]
        with suppress(Exception):
            one.streams.release()

    def _attempt(self, one: OpenRecording, now: Now, work: Callable[..., Any], *given: Any) -> None:
        """Work for a recording; where that goes wrong, it fails."""
        try:
            work(*given)
        except Exception as error:
            self._fail(one, error, now)

    def _fail(self, one: OpenRecording, error: Exception, now: Now) -> None:
        """An error and the end for one recording."""
        one.streams.fail(error, one.since(now()))
        del self._recordings[one.number]
        self._keep(one)
        self._on_failure(one.number, error)

    def _keep(self, one: OpenRecording) -> None:
        if events := one.streams.events():
            self._left.setdefault(one.number, []).extend(events)

    def dump(self, number: int, at: float) -> dict[str, Any]:
        """A recording with what the backend knows of it, for `load`; plain values and arrays.

        Raises:
            UsageError: the backend cannot export the state of a stream.
        """
        told = [event.to_dict() for event in self._left.get(number, ())]
        return {**self._recording(number).dump(at), "events": told}

    def load(
        self,
        dumped: Mapping[str, Any],
        policy: Policy,
        config: SessionConfig | None = None,
        at: float = 0.0,
        *,
        beside: Sequence[str] = (),
        terms: Terms | None = None,
    ) -> int:
        """The number of a recording that goes on from what `dump` gave, with the same policy and configuration.

        Events that the other engine had not given out come from this one.

        Raises:
            UsageError: the state is not one of this backend's model; nothing stays open.
        """
        config = config or SessionConfig()
        streams = Streams.load(dumped, policy, self.backend, config, beside)
        one = self._admit(config, at - dumped["time"], terms, streams)
        one.load(dumped)
        self._left[one.number] = [from_dict(event) for event in dumped["events"]]
        return one.number
