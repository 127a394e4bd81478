"""When speech is heard: one lane of units on integer samples, without overlap, with a bounded backlog."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from tts.base import TtsError
from tts.language import CLAUSE_ENDS, CLOSERS, SENTENCE_ENDS


@dataclass(frozen=True)
class PlayoutConfig:
    """How backlog is worked off; seconds and speaking speeds.

    While less than `limit` seconds of speech wait, speech keeps its own pace and its pauses. Above it the
    speed rises in proportion, to `fastest` at `limit + span`, by at most `step` from one unit to the next
    without a silence between; pauses between units shrink to nothing alongside, and silences inside a unit
    are cut to `silence`.
    Nothing is ever dropped.
    """

    limit: float = 1.0
    span: float = 1.0
    fastest: float = 1.25
    step: float = 0.05
    clause_pause: float = 0.12
    sentence_pause: float = 0.25
    silence: float = 0.15

    def __post_init__(self) -> None:
        if not (self.limit >= 0 and self.span > 0 and self.step > 0):
            raise TtsError("The playout needs a limit of 0 or more and a span and step above 0 seconds.")
        if not 1 <= self.fastest <= 2:
            raise TtsError(f"The fastest speaking speed must lie between 1 and 2, not at {self.fastest}.")
        if self.clause_pause < 0 or self.sentence_pause < 0:
            raise TtsError("The pauses between units cannot be negative.")
        if not self.silence >= 0.01:
            raise TtsError(f"Silences cannot be cut to {self.silence} seconds; leave at least 0.01.")


@dataclass(frozen=True)
class SpeakingPace:
    """How to speak the next unit: its speed, and by how much pauses shrink (0 not at all, 1 to nothing)."""

    speed: float
    hurry: float


@dataclass(frozen=True)
class Slot:
    """Where a unit is played: it was `ready` at this sample and sounds from `onset` up to `end`."""

    unit: int
    ready: int
    onset: int
    end: int
    speed: float

    @property
    def wait(self) -> int:
        """Samples between being ready and being heard."""
        return self.onset - self.ready


@dataclass(frozen=True)
class Timeline:
    """What a listener hears, in seconds: when each unit starts, how long it lasts, the silences between."""

    onsets: tuple[float, ...]
    durations: tuple[float, ...]
    silences: tuple[float, ...]

    @property
    def end(self) -> float:
        """When the last unit ends; 0 without any."""
        return self.onsets[-1] + self.durations[-1] if self.onsets else 0.0


class Playout:
    """Places units one after the other; positions are samples of the session at `rate` Hz.

    `onset_n = max(ready_n, end_{n-1} + pause_{n-1})` with `ready_n` the moment unit n has been synthesised;
    the pause depends on the mark that closes unit n-1 and on the backlog.
    """

    def __init__(self, rate: int, config: PlayoutConfig | None = None) -> None:
        if rate < 1:
            raise TtsError(f"A sampling rate must be above 0, not {rate}.")
        self.rate = rate
        self.config = config or PlayoutConfig()
        self._slots: list[Slot] = []
        self._speed = 1.0
        self._pause = 0

    @property
    def slots(self) -> tuple[Slot, ...]:
        """Every unit placed so far."""
        return tuple(self._slots)

    @property
    def end(self) -> int:
        """The sample at which the last unit ends; 0 before the first."""
        return self._slots[-1].end if self._slots else 0

    def backlog(self, now: int) -> int:
        """Samples from `now` until everything placed has been heard."""
        return max(0, self.end - now)

    def pace(self, now: int) -> SpeakingPace:
        """How to speak the unit that is committed at `now`; after a silence at the engine's own pace."""
        config = self.config
        backlog = self.backlog(now)
        if backlog == 0:
            return SpeakingPace(1.0, 0.0)
        excess = backlog / self.rate - config.limit
        hurry = min(max(excess / config.span, 0.0), 1.0)
        wanted = 1 + hurry * (config.fastest - 1)
        speed = min(max(wanted, self._speed - config.step), self._speed + config.step)
        return SpeakingPace(speed, hurry)

    def place(self, length: int, ready: int, pace: SpeakingPace, text: str) -> Slot:
        """Give `length` samples that were ready at `ready` their place; `text` tells the pause after them."""
        onset = max(ready, self.end + round(self._pause * (1 - pace.hurry)))
        slot = Slot(len(self._slots), ready, onset, onset + length, pace.speed)
        self._slots.append(slot)
        self._speed = pace.speed
        self._pause = round(self._pause_after(text) * self.rate)
        return slot

    def timeline(self) -> Timeline:
        """All that was placed, in seconds, for evaluation."""
        slots = self._slots
        gaps = [b.onset - a.end for a, b in pairwise(slots)]
        return Timeline(
            tuple(slot.onset / self.rate for slot in slots),
            tuple((slot.end - slot.onset) / self.rate for slot in slots),
            tuple(gap / self.rate for gap in gaps),
        )

    def _pause_after(self, text: str) -> float:
        mark = text.rstrip().rstrip(CLOSERS)[-1:]
        if mark and mark in SENTENCE_ENDS:
            return self.config.sentence_pause
        if mark and mark in CLAUSE_ENDS:
            return self.config.clause_pause
        return 0.0
