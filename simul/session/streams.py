"""The streams of one recording on a backend, one for each language: what a session and an engine do with them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any

from policies.base import Candidate, Policy
from simul.backends.base import Backend, DecodeRequest, check_evidence
from simul.errors import failure_message
from simul.session.events import Event
from simul.session.stream import SessionConfig, Stream, Trim
from simul.units import Samples


class Streams:
    """They hear the same audio, and are decided and decoded together; times are seconds since the recording's opening.

    waking: those that are to look at what was heard. asked: those whose request is open, with it. bad: samples that
    were not finite. open: whether the backend holds them.
    """

    def __init__(self, backend: Backend[Any], streams: Sequence[Stream]) -> None:
        self._backend, self._all = backend, list(streams)
        self.waking: list[Stream] = []
        self.asked: list[tuple[Stream, DecodeRequest]] = []
        self.bad, self.open = 0, True

    @classmethod
    def begin(
        cls, policy: Policy, backend: Backend[Any], config: SessionConfig, beside: Sequence[str]
    ) -> Streams:
        """New streams; none stays open where one is refused. beside: further languages on the same audio.

        Raises:
            EvidenceError: the policy needs evidence that the backend does not provide.
            UsageError: the backend does not serve the languages, or no further stream.
        """
        check_evidence(policy, backend)
        with _all_or_none(backend) as numbers:
            numbers.append(backend.open(config.spec))
            for target in beside:
                numbers.append(backend.beside(numbers[0], target))
            each = zip(numbers, _configs(config, beside), strict=True)
            return cls(backend, [Stream(policy, backend.limits, backend.name, *one) for one in each])

    @classmethod
    def load(
        cls,
        dumped: Mapping[str, Any],
        policy: Policy,
        backend: Backend[Any],
        config: SessionConfig,
        beside: Sequence[str],
    ) -> Streams:
        """Go on from what `dump` gave; none stays open where one cannot.

        Raises:
            EvidenceError: the policy needs evidence that the backend does not provide.
            UsageError: the state is not one of this backend's model.
        """
        check_evidence(policy, backend)
        with _all_or_none(backend) as numbers:
            for exported in dumped["backend"]:
                numbers.append(backend.import_state(exported, *numbers[:1]))
            each = zip(numbers, _configs(config, beside), strict=True)
            stored = zip(dumped["streams"], each, strict=True)
            made = cls(backend, [Stream.load(one, policy, backend.limits, *its) for one, its in stored])
        made.waking, made.bad = [made._all[i] for i in dumped["waking"]], dumped["bad"]
        return made

    def dump(self) -> dict[str, Any]:
        """The streams with what the backend knows of them, for `load`; plain values and arrays. No request is open.

        Raises:
            UsageError: the backend cannot export the state of a stream.
        """
        return {
            "streams": [stream.dump() for stream in self._all],
            "backend": [self._backend.export_state(stream.number) for stream in self._all],
            "waking": [self._all.index(stream) for stream in self.waking],
            "bad": self.bad,
        }

    @property
    def numbers(self) -> list[int]:
        """What the backend calls them."""
        return [stream.number for stream in self._all]

    @property
    def ended(self) -> bool:
        """Whether the end was put out."""
        return all(stream.ended for stream in self._all)

    def hear(self, samples: Samples, final: bool = False) -> None:
        """Hand audio to the backend; final: no more will come."""
        if len(samples):
            self._backend.push(self.numbers[0], samples)
        if final:
            self._backend.end(self.numbers[0])

    def wake(self) -> None:
        """A decision point: all are to look at what was heard."""
        self.waking = list(self._all)

    def pass_over(self, decisions: int, heard: int, at: float, *reason: str) -> None:
        """Take note that decision points up to the sample `heard` are left out."""
        for stream in self._all:
            stream.pass_over(decisions, heard, at, *reason)

    def look(self, now: Callable[[], float], arrived: float) -> None:
        """Those that are awake look at what was heard, and ask for a decoding pass if they want one.

        arrived: when the last of it had arrived.
        """
        waking, self.waking = self.waking, []
        for stream in waking:
            stream.receive(self._backend.view(stream.number), now(), arrived)
            request = stream.request(now())
            if request is not None:
                self.asked.append((stream, request))

    def answer(self, stream: Stream, candidate: Candidate, at: float) -> None:
        """Judge what one of them asked for; where a segment was left, it looks again."""
        self.asked = [pair for pair in self.asked if pair[0] is not stream]
        stream.answer(candidate, at)
        if carry_out(stream, self._backend):
            self.waking.append(stream)

    def fail(self, error: Exception, at: float) -> None:
        """Computing failed: an error and the end, and the backend lets go of them; what was settled stays."""
        self.waking, self.asked = [], []
        for stream in self._all:
            stream.fail(failure_message(error), at, self.bad)
        # What fails while they are let go of must not hide why they broke, nor their last events.
        with suppress(Exception):
            self.release()

    def end(self, at: float, error: str | None = None) -> None:
        """They are over: put out the totals. error: why the audio stopped early."""
        for stream in self._all:
            if error is not None:
                stream.fail(error, at, self.bad)
            stream.end(at, self.bad)

    def release(self) -> None:
        """Let the backend go of them; once that is done, again does no harm."""
        if self.open:
            self.open = False
            for number in self.numbers:
                self._backend.release(number)

    def events(self) -> list[Event]:
        """What happened since the last call, one stream after the other."""
        return [event for stream in self._all for event in stream.events()]


def carry_out(stream: Stream, backend: Backend[Any]) -> bool:
    """Do what the stream orders; whether a segment was left, so that the view after it is to be received."""
    left = False
    for order in stream.orders():
        if isinstance(order, Trim):
            backend.trim(stream.number, order.before)
        else:
            backend.next_segment(stream.number)
            left = True
    return left


@contextmanager
def _all_or_none(backend: Backend[Any]) -> Iterator[list[int]]:
    """Numbers of streams, which are released where something fails within."""
    numbers: list[int] = []
    try:
        yield numbers
    except Exception:
        for number in numbers:
            backend.release(number)
        raise


def _configs(config: SessionConfig, beside: Sequence[str]) -> list[SessionConfig]:
    """What each stream is to do: one for each language, named after it where there are several."""
    if not beside:
        return [config]
    return [replace(config, target=target, name=target) for target in (config.target, *beside)]
