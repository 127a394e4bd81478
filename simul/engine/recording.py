"""One recording on an engine: its audio, the streams that write on it, and what is being worked on."""

from __future__ import annotations

from dataclasses import dataclass, field

from simul.backends.base import DecodeRequest
from simul.engine.inbox import Inbox, Portion
from simul.engine.terms import Terms
from simul.session.stream import Stream
from simul.units import SAMPLE_RATE

BEHIND = "computing is behind"
SPARING = "more is asked for than can be computed, so decisions are taken less often"
"""Why decisions are passed over."""


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
    """What an engine keeps of one recording.

    opened: when. waking: the streams that are to look at what was heard; asked: those whose request is open, with it.
    deciding: whether a decision is being worked on; begun: when its audio was there; deadline: when it is to be out;
    passed_over: how many before it were left out for being late; final: it is the last one. bad:
    samples that were not finite. error: why the audio stopped early.
    """

    number: int
    terms: Terms
    chunk: int
    opened: float
    inbox: Inbox
    streams: list[Stream]
    waking: list[Stream] = field(default_factory=list)
    asked: list[tuple[Stream, DecodeRequest]] = field(default_factory=list)
    bad: int = 0
    shift: float = 0.0
    deadline: float = 0.0
    begun: float = 0.0
    passed_over: int = 0
    deciding: bool = False
    final: bool = False
    error: str | None = None

    def since(self, at: float) -> float:
        """Seconds from the opening until the time `at`."""
        return at - self.opened

    @property
    def numbers(self) -> list[int]:
        """What the backend calls the streams."""
        return [stream.number for stream in self.streams]

    @property
    def busy(self) -> bool:
        """Whether a decision is being worked on."""
        return bool(self.waking or self.asked)

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
        self.begun, self.deadline = self.opened + portion.ready, self.opened + portion.ready + patience
        self.passed_over = portion.passed_over if portion.late else 0
        for stream in self.streams:
            reason = BEHIND if portion.late else SPARING
            stream.pass_over(portion.passed_over, self.inbox.taken, self.since(now), reason)
        self.waking, self.deciding = list(self.streams), True
        return portion

    def decided(self, now: float) -> Decided:
        """The decision that was worked on is out."""
        self.deciding = False
        return Decided(self.number, self.begun, self.deadline, now, self.passed_over)

    def arrived(self) -> float:
        """When the last of the audio that was taken had arrived, in seconds since the opening."""
        return self.shift + self.inbox.taken / SAMPLE_RATE
