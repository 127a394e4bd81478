"""A session: one stream core on one backend under one clock. Feed samples, get events."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Any

import numpy as np

from policies.base import Policy
from simul.backends.base import Backend, StreamSpec, check_evidence
from simul.clock import Clock, WallClock
from simul.errors import SimulError
from simul.session.events import Event
from simul.session.pace import Pace
from simul.session.stream import SessionConfig, Stream, Trim
from simul.units import SAMPLE_RATE, Samples, as_samples


class Session:
    """Runs read, decode, judge, write for one stream.

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
    ) -> None:
        check_evidence(policy, backend)
        self.policy, self.backend, self.clock = policy, backend, clock or WallClock()
        self.config = config or SessionConfig()
        self._number: int | None = None
        self._pace = Pace(self.config.chunk)
        self.reset()

    def reset(self) -> None:
        """Forget the stream and be ready for a new one."""
        if self._pace.taken:
            self.close()
        if self._number is None:
            self._number = self.backend.open(StreamSpec(self.config.source, self.config.target))
        self.origin = self.clock.now()
        self.failure: Exception | None = None
        try:
            self._stream = Stream(
                self.policy, self.backend.limits, self.backend.name, self._number, self.config
            )
        except Exception:
            self.close()
            raise
        self._pace = Pace(self.config.chunk)
        self._bad, self._shift = 0, 0.0

    def close(self) -> None:
        """Let go of what the backend holds for the stream; once it is closed, again does no harm."""
        number, self._number = self._number, None
        if number is not None:
            self.backend.release(number)

    def __enter__(self) -> Session:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def heard(self) -> int:
        """Samples that have been handed to the backend."""
        return self._pace.taken

    @property
    def finished(self) -> bool:
        """Whether the end event was put out."""
        return self._stream.ended

    def now(self) -> float:
        """Seconds since the stream was opened."""
        return self.clock.now() - self.origin

    def feed(self, samples: Samples, arrived: float | None = None, coalesce: bool = False) -> list[Event]:
        """Take in mono samples at 16 kHz, floats in -1..1 or integers, and return what they brought about.

        Samples that are not finite count as silence and are counted in the end event. arrived: when the last of them
        had arrived, in seconds since the stream was opened (None: the audio came in real time from the beginning).
        coalesce: make one decision for all chunks that are there, and say how many were passed over.

        Raises:
            UsageError: the array is not mono audio.
            SimulError: the session has ended or was closed.
        """
        if self.finished or self._number is None:
            raise SimulError("The session has ended; call reset() before feeding another stream.")
        samples = self._finite(as_samples(samples))
        if arrived is not None:
            received = self.heard + self._pace.waiting + len(samples)
            self._shift = arrived - received / SAMPLE_RATE
        with self._guard() as number:
            for turn in self._pace.push(samples, coalesce):
                self.backend.push(number, turn.samples)
                self._stream.pass_over(turn.passed_over, self.heard, self.now())
                self._decide(number)
        return self._stream.events()

    def finish(self, error: str | None = None) -> list[Event]:
        """No more audio: settle everything that is left and close the stream; `error`: why the audio stopped early."""
        if self.finished or self._number is None:
            return []
        with self._guard() as number:
            rest = self._pace.rest()
            if len(rest):
                self.backend.push(number, rest)
            self.backend.end(number)
            self._decide(number)
            if error is not None:
                self._stream.fail(error, self.now(), self._bad)
            self._stream.end(self.now(), self._bad)
            self.close()
        return self._stream.events()

    def _decide(self, number: int) -> None:
        """Compute over the new audio, then plan, decode and judge until the policy reads on or the stream is over."""
        self.backend.advance([number])
        again = True
        while again:
            arrived = self._shift + self.heard / SAMPLE_RATE
            self._stream.receive(self.backend.view(number), self.now(), arrived)
            request = self._stream.request(self.now())
            if request is None:
                return
            candidate = self.backend.decode([request])[0]
            self._stream.answer(candidate, self.now())
            again = carry_out(self._stream, self.backend)

    @contextmanager
    def _guard(self) -> Iterator[int]:
        """Within, a failure ends the stream in order instead of leaving it half open."""
        assert self._number is not None
        try:
            yield self._number
        except Exception as error:
            self.failure = error
            self._stream.fail(failure_message(error), self.now(), self._bad)
            # What fails while a broken stream is let go of must not hide why it broke, nor its last events.
            with suppress(Exception):
                self.close()

    def _finite(self, samples: Samples) -> Samples:
        finite = np.isfinite(samples)
        if finite.all():
            return samples
        self._bad += int(np.count_nonzero(~finite))
        return np.where(finite, samples, np.float32(0))

    def dump(self) -> dict[str, Any]:
        """The stream with what the backend knows of it, for `load`; plain values and arrays.

        Raises:
            UsageError: the backend cannot export the state of a stream.
        """
        if self._number is None:
            raise SimulError("The session is closed; there is nothing to store.")
        return {
            "stream": self._stream.dump(),
            "backend": self.backend.export_state(self._number),
            "pace": self._pace.dump(),
            "bad": self._bad,
            "shift": self._shift,
            "time": self.now(),
        }

    def load(self, dumped: Mapping[str, Any]) -> None:
        """Go on from what `dump` gave, on a session of the same policy, backend and configuration."""
        self.close()
        self._number = self.backend.import_state(dumped["backend"])
        limits, name = self.backend.limits, self.backend.name
        self._stream = Stream.load(dumped["stream"], self.policy, limits, name, self._number, self.config)
        self._pace = Pace(self.config.chunk)
        self._pace.load(**dumped["pace"])
        self._bad, self._shift, self.failure = dumped["bad"], dumped["shift"], None
        self.origin = self.clock.now() - dumped["time"]


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


def failure_message(error: Exception) -> str:
    """What an error event says of an exception."""
    if isinstance(error, SimulError):
        return str(error)
    what = str(error).strip().partition("\n")[0] or "no further message"
    return f"Computing failed ({type(error).__name__}: {what}); what was settled before stays valid."
