"""A session: one recording on one backend under one clock. Feed samples, get events."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from policies.base import Policy
from simul.backends.base import Backend
from simul.clock import Clock, WallClock
from simul.closing import Closing
from simul.errors import SimulError
from simul.session.events import Event
from simul.session.pace import Pace
from simul.session.stream import SessionConfig
from simul.session.streams import Streams
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
        self.policy, self.backend, self.clock = policy, backend, clock or WallClock()
        self.config, self.beside = config or SessionConfig(), tuple(beside)
        self._begin(Streams.begin(policy, backend, self.config, self.beside))

    def _begin(self, streams: Streams) -> None:
        self._streams, self._pace, self._shift = streams, Pace(self.config.chunk), 0.0
        self.origin = self.clock.now()
        self.failure: Exception | None = None

    def reset(self) -> None:
        """Forget the recording and be ready for a new one."""
        self.close()
        self._begin(Streams.begin(self.policy, self.backend, self.config, self.beside))

    def close(self) -> None:
        """Let go of what the backend holds for the recording; once it is closed, again does no harm."""
        self._streams.release()

    @property
    def heard(self) -> int:
        """Samples that have been handed to the backend."""
        return self._pace.taken

    @property
    def finished(self) -> bool:
        """Whether the end event was put out."""
        return self._streams.ended

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
        if self.finished or not self._streams.open:
            raise SimulError("The session has ended; call reset() before feeding another stream.")
        # Pieces wait for a chunk to be full, while the caller may put the next ones in the same place.
        samples, bad = finite(as_samples(samples).copy())
        self._streams.bad += bad
        if arrived is not None:
            received = self.heard + self._pace.waiting + len(samples)
            self._shift = arrived - received / SAMPLE_RATE
        with self._guard():
            for turn in self._pace.push(samples, coalesce):
                self._streams.hear(turn.samples)
                self._streams.pass_over(turn.passed_over, self.heard, self.now())
                self._decide()
        return self._streams.events()

    def finish(self, error: str | None = None) -> list[Event]:
        """No more audio: settle everything that is left and close the streams; `error`: why the audio stopped early."""
        if self.finished or not self._streams.open:
            return []
        with self._guard():
            self._streams.hear(self._pace.rest(), final=True)
            self._decide()
            self._streams.end(self.now(), error)
            self.close()
        return self._streams.events()

    def _decide(self) -> None:
        """Compute over the new audio, then plan, decode and judge until every policy reads on or its stream is over."""
        self.backend.advance(self._streams.numbers)
        self._streams.wake()
        while self._streams.waking:
            self._streams.look(self.now, self._shift + self.heard / SAMPLE_RATE)
            if asked := self._streams.asked:
                found = self.backend.decode([request for _, request in asked])
                for (stream, _), candidate in zip(asked, found, strict=True):
                    self._streams.answer(stream, candidate, self.now())

    @contextmanager
    def _guard(self) -> Iterator[None]:
        """Within, a failure ends the streams in order instead of leaving them half open."""
        try:
            yield
        except Exception as error:
            self.failure = error
            self._streams.fail(error, self.now())

    def dump(self) -> dict[str, Any]:
        """The streams with what the backend knows of them, for `load`; plain values and arrays.

        Raises:
            UsageError: the backend cannot export the state of a stream.
        """
        if not self._streams.open:
            raise SimulError("The session is closed; there is nothing to store.")
        mine = {"pace": self._pace.dump(), "shift": self._shift, "time": self.now()}
        return {**self._streams.dump(), **mine}

    def load(self, dumped: Mapping[str, Any]) -> None:
        """Go on from what `dump` gave, on a session of the same policy, backend, configuration and languages.

        Raises:
            UsageError: the state is not one of this backend's model; the session is closed then.
        """
        self.close()
        self._begin(Streams.load(dumped, self.policy, self.backend, self.config, self.beside))
        self._pace.load(**dumped["pace"])
        self._shift = dumped["shift"]
        self.origin -= dumped["time"]
