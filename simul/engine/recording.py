"""One recording on an engine: its audio, the streams that write on it, and what is being worked on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from simul.engine.inbox import Inbox, Portion
from simul.engine.terms import Terms
from simul.session.streams import Streams
from simul.units import SAMPLE_RATE

BEHIND = "computing is behind"
SPARING = "more is asked for than can be computed, so decisions are taken less often"
"""Why decisions are passed over."""

STORED = ("shift", "deadline", "begun", "passed_over", "deciding", "final", "error", "last")
"""What a recording on the way to another engine takes along of its own."""


@dataclass(frozen=True)
class Decided:
    """A decision of a recording that is out, on an engine's clock.

    ready: when its audio was there. deadline: when it was to be out. done: when it was. passed_over: decisions before
    it that were left out since they would have come too late.
    """

    number: int
    ready: float
    deadline: float
    done: float
    passed_over: int

    @property
    def in_time(self) -> bool:
        """Whether it was out when it was to be."""
        return self.done <= self.deadline


@dataclass
class OpenRecording:
    """What an engine keeps of one recording; times are in seconds since it was opened.

    opened: when, on the engine's clock. deciding: whether a decision is being worked on; begun: when its audio was
    there; deadline: when it is to be out; passed_over: how many before it were left out for being late; final: it is
    the last one. error: why the audio stopped early. last: somebody waits for the end.
    """

    number: int
    terms: Terms
    chunk: int
    opened: float
    inbox: Inbox
    streams: Streams
    shift: float = 0.0
    deadline: float = 0.0
    begun: float = 0.0
    passed_over: int = 0
    deciding: bool = False
    final: bool = False
    error: str | None = None
    last: bool = False

    def since(self, at: float) -> float:
        """Seconds from the opening until the time `at`."""
        return at - self.opened

    @property
    def busy(self) -> bool:
        """Whether a decision is being worked on."""
        return bool(self.streams.waking or self.streams.asked)

    @property
    def decided_chunks(self) -> int:
        """How many whole chunks were taken for decisions."""
        return self.inbox.taken // self.inbox.chunk

    def patience(self, stride: int) -> float:
        """Seconds from when a decision's audio is there until it is to be out."""
        return stride * self.chunk / SAMPLE_RATE + self.terms.slack

    def ready(self, stride: int) -> float | None:
        """When the audio up to the next decision was there; None: it is not."""
        ready = self.inbox.ready(stride)
        return None if ready is None else self.opened + ready

    def next_deadline(self, ready: float, stride: int, now: float) -> float:
        """When the next decision is to be out, whose audio was there at `ready`; it is the last one if that is lost."""
        deadline = ready + self.patience(stride)
        newest = self.inbox.newest
        if deadline < now and self.terms.live and newest is not None:
            return self.opened + newest + self.patience(stride)
        return deadline

    def take(self, now: float, stride: int) -> Portion:
        """Take the audio up to the next decision."""
        patience = self.patience(stride)
        stale = self.since(now) - patience if self.terms.live else float("-inf")
        portion = self.inbox.take(stale, stride)
        self.shift, self.final = portion.shift, portion.final
        self.begun, self.deadline = portion.ready, portion.ready + patience
        self.passed_over = portion.passed_over if portion.late else 0
        reason = BEHIND if portion.late else SPARING
        self.streams.pass_over(portion.passed_over, self.inbox.taken, self.since(now), reason)
        self.streams.wake()
        self.deciding = True
        return portion

    def look(self, now: Callable[[], float]) -> None:
        """Let the streams that are awake look at what was taken."""
        self.streams.look(lambda: self.since(now()), self.arrived())

    def decided(self, now: float) -> Decided:
        """The decision that was worked on is out."""
        self.deciding = False
        ready, deadline = self.opened + self.begun, self.opened + self.deadline
        return Decided(self.number, ready, deadline, now, self.passed_over)

    def arrived(self) -> float:
        """When the last of the audio that was taken had arrived, in seconds since the opening."""
        return self.shift + self.inbox.taken / SAMPLE_RATE

    def dump(self, now: float) -> dict[str, Any]:
        """All that changes, with what the backend knows, for `load`; plain values and arrays.

        Raises:
            UsageError: the backend cannot export the state of a stream.
        """
        own = {name: getattr(self, name) for name in STORED}
        return {**self.streams.dump(), **own, "inbox": self.inbox.dump(), "time": self.since(now)}

    def load(self, dumped: Mapping[str, Any]) -> None:
        """Go on from what `dump` gave, with the streams that were loaded from it."""
        self.inbox.load(dumped["inbox"])
        for name in STORED:
            setattr(self, name, dumped[name])
