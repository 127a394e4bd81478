"""A session: one recording on one backend under one clock. Feed samples, get events."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from policies.base import Policy
from simul.backends.base import Backend, DecodeRequest, check_evidence
from simul.clock import Clock, WallClock
from simul.closing import Closing
from simul.errors import SimulError, failure_message
from simul.session.events import Event
from simul.session.pace import Pace
from simul.session.stream import SessionConfig, Stream
from simul.session.streams import carry_out, dump_streams, load_streams, open_streams, release
from simul.units import SAMPLE_RATE, Samples, as_samples, finite


class Session(Closing):
    """Runs read, decode, judge, write for one recording.

    beside: further languages that are written on the same audio, decided and decoded together. Each language is then a
    stream of its own, named after it in its events.
    When the backend or the policy fails, the events so far come out, then an error and the end; `failure` holds what
    was raised, and the backend has let go of the stream.

    Raises at construction:
        EvidenceError: the policy needs evidence that the backend does not provide.
        UsageError: the backend does not serve the languages.
    """

    def __init__(
        self,
        policy: Policy,
        backend: Backend[Any],
        clock: Clock | None = None,
        config: SessionConfig | None = None,
        beside: Sequence[str] = (),
    ) -> None:
        check_evidence(policy, backend)
        self.policy, self.backend, self.clock = policy, backend, clock or WallClock()
        self.config, self.beside = config or SessionConfig(), tuple(beside)
        self._streams: list[Stream] = []
        self._open = False
        self.reset()

    def reset(self) -> None:
        """Forget the recording and be ready for a new one."""
        self.close()
        self._begin(open_streams(self.policy, self.backend, self.config, self.beside))

    def _begin(self, streams: list[Stream]) -> None:
        self._streams, self._open = streams, True
        self._pace = Pace(self.config.chunk)
        self._bad, self._shift = 0, 0.0
        self.origin = self.clock.now()
        self.failure: Exception | None = None

    def close(self) -> None:
        """Let go of what the backend holds for the recording; once it is closed, again does no harm."""
        if self._open:
            self._open = False
            release(self.backend, self._streams)

    @property
    def heard(self) -> int:
        """Samples that have been handed to the backend."""
        return self._pace.taken

    @property
    def finished(self) -> bool:
        """Whether the end event was put out."""
        return all(stream.ended for stream in self._streams)

    def now(self) -> float:
        """Seconds since the stream was opened."""
        return self.clock.now() - self.origin

    def feed(self, samples: Samples, arrived: float | None = None, coalesce: bool = False) -> list[Event]:
        """Take in mono samples at 16 kHz, floats in -1..1 or integers (copied), and return what they brought about.

        Samples that are not finite count as silence and are counted in the end event. arrived: when the last of them
        had arrived, in seconds since the stream was opened (None: the audio came in real time from the beginning).
        coalesce: make one decision for all chunks that are there, and say how many were passed over.

        Raises:
            UsageError: the array is not mono audio.
            SimulError: the session has ended or was closed.
        """
        if self.finished or not self._open:
            raise SimulError("The session has ended; call reset() before feeding another stream.")
        # Pieces wait for a chunk to be full, while the caller may put the next ones in the same place.
        samples, bad = finite(as_samples(samples).copy())
        self._bad += bad
        if arrived is not None:
            received = self.heard + self._pace.waiting + len(samples)
            self._shift = arrived - received / SAMPLE_RATE
        with self._guard():
            for turn in self._pace.push(samples, coalesce):
                self.backend.push(self._streams[0].number, turn.samples)
                for stream in self._streams:
                    stream.pass_over(turn.passed_over, self.heard, self.now())
                self._decide()
        return self._events()

    def finish(self, error: str | None = None) -> list[Event]:
        """No more audio: settle everything that is left and close the streams; `error`: why the audio stopped early."""
        if self.finished or not self._open:
            return []
        with self._guard():
            rest = self._pace.rest()
            if len(rest):
                self.backend.push(self._streams[0].number, rest)
            self.backend.end(self._streams[0].number)
            self._decide()
            for stream in self._streams:
                if error is not None:
                    stream.fail(error, self.now(), self._bad)
                stream.end(self.now(), self._bad)
            self.close()
        return self._events()

    def _decide(self) -> None:
        """Compute over the new audio, then plan, decode and judge until every policy reads on or its stream is over."""
        self.backend.advance([stream.number for stream in self._streams])
        again = self._streams
        while again:
            arrived = self._shift + self.heard / SAMPLE_RATE
            asked: list[tuple[Stream, DecodeRequest]] = []
            for stream in again:
                stream.receive(self.backend.view(stream.number), self.now(), arrived)
                request = stream.request(self.now())
                if request is not None:
                    asked.append((stream, request))
            found = self.backend.decode([request for _, request in asked]) if asked else []
            for (stream, _), candidate in zip(asked, found, strict=True):
                stream.answer(candidate, self.now())
            again = [stream for stream, _ in asked if carry_out(stream, self.backend)]

    def _events(self) -> list[Event]:
        return [event for stream in self._streams for event in stream.events()]

    @contextmanager
    def _guard(self) -> Iterator[None]:
        """Within, a failure ends the streams in order instead of leaving them half open."""
        try:
            yield
        except Exception as error:
            self.failure = error
            for stream in self._streams:
                stream.fail(failure_message(error), self.now(), self._bad)
            # What fails while a broken stream is let go of must not hide why it broke, nor its last events.
            with suppress(Exception):
                self.close()

    def dump(self) -> dict[str, Any]:
        """The streams with what the backend knows of them, for `load`; plain values and arrays.

        Raises:
            UsageError: the backend cannot export the state of a stream.
        """
        if not self._open:
            raise SimulError("The session is closed; there is nothing to store.")
        return {
            **dump_streams(self.backend, self._streams),
            "pace": self._pace.dump(),
            "bad": self._bad,
            "shift": self._shift,
            "time": self.now(),
        }

    def load(self, dumped: Mapping[str, Any]) -> None:
        """Go on from what `dump` gave, on a session of the same policy, backend, configuration and languages.

        Raises:
            UsageError: the state is not one of this backend's model; the session is closed then.
        """
        self.close()
        self._begin(load_streams(dumped, self.policy, self.backend, self.config, self.beside))
        self._pace.load(**dumped["pace"])
        self._bad, self._shift = dumped["bad"], dumped["shift"]
        self.origin -= dumped["time"]
