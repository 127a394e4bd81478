"""What has arrived of one stream's audio and was not taken yet, and when: in seconds since the stream was opened."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from simul.units import SAMPLE_RATE, Samples


@dataclass(frozen=True)
class Portion:
    """Samples up to the next decision.

    passed_over: decision points before it that are left out. ready: when the last of the samples had arrived.
    shift: by how much the stream began later than if it had come in real time, as far as its last arrival tells.
    final: no more samples will come. late: the next decision would have come too late.
    """

    samples: Samples
    passed_over: int
    ready: float
    shift: float
    final: bool
    late: bool


class Inbox:
    """Decisions fall on multiples of `chunk` samples, however the audio was cut, and one falls at the end."""

    def __init__(self, chunk: int) -> None:
        self.chunk = chunk
        self.received = self.taken = 0
        self.ended: float | None = None
        """When the end came."""
        self.closed = False
        """Whether the end was taken."""
        self._pieces: deque[Samples] = deque()
        self._marks: deque[tuple[int, float]] = deque()
        self._shift = 0.0

    @property
    def waiting(self) -> int:
        """Samples that were not taken."""
        return self.received - self.taken

    def push(self, samples: Samples, at: float) -> None:
        """Samples arrived at the time `at`; they are copied."""
        if len(samples):
            self._pieces.append(samples.copy())
            self.received += len(samples)
            self._marks.append((self.received, at))
            self._shift = at - self.received / SAMPLE_RATE

    def end(self, at: float) -> None:
        """No more samples will come."""
        self.ended = at if self.ended is None else self.ended

    def ready(self, stride: int = 1) -> float | None:
        """When the audio up to the next decision was there, which takes `stride` chunks; None: it is not."""
        if self.waiting >= stride * self.chunk:
            return self._mark(self.taken + stride * self.chunk)[1]
        return self.ended if not self.closed else None

    @property
    def newest(self) -> float | None:
        """When the audio up to the last decision was there for which it is; None: there is none."""
        whole = self.waiting // self.chunk
        return self._mark(self.taken + whole * self.chunk)[1] if whole else self.ended

    def _mark(self, place: int) -> tuple[int, float]:
        """The first arrival that reached `place`: samples received by then, and when."""
        return next(mark for mark in self._marks if mark[0] >= place)

    def take(self, stale: float = -np.inf, stride: int = 1) -> Portion:
        """The audio up to the next decision or, where its audio was there before the time `stale`, up to the last one.

        It is asked for only when `ready` is not None.
        """
        whole = self.waiting // self.chunk
        late = whole >= stride and self._mark(self.taken + stride * self.chunk)[1] < stale
        final = self.ended is not None and (late or whole < stride)
        over = whole if final else whole - 1 if late else stride - 1
        length = self.waiting if final else (over + 1) * self.chunk
        if final:
            ready, shift = self.ended, self._shift
        else:
            received, ready = self._mark(self.taken + length)
            shift = ready - received / SAMPLE_RATE
        samples = self._cut(length)
        self.closed = final
        assert ready is not None
        return Portion(samples, over, ready, shift, final, late)

    def _cut(self, length: int) -> Samples:
        parts = []
        while length:
            piece = self._pieces.popleft()
            if len(piece) > length:
                self._pieces.appendleft(piece[length:])
                piece = piece[:length]
            parts.append(piece)
            length -= len(piece)
            self.taken += len(piece)
        while self._marks and self._marks[0][0] <= self.taken:
            self._marks.popleft()
        return np.concatenate(parts) if parts else np.empty(0, np.float32)

    def dump(self) -> dict[str, Any]:
        """All that changes, as plain values and one array."""
        return {
            "received": self.received,
            "taken": self.taken,
            "ended": self.ended,
            "closed": self.closed,
            "samples": np.concatenate([np.empty(0, np.float32), *self._pieces]),
            "marks": [list(mark) for mark in self._marks],
            "shift": self._shift,
        }

    def load(self, dumped: Mapping[str, Any]) -> None:
        """Go on from what `dump` gave."""
        self.received, self.taken = dumped["received"], dumped["taken"]
        self.ended, self.closed, self._shift = dumped["ended"], dumped["closed"], dumped["shift"]
        self._pieces = deque([np.asarray(dumped["samples"], np.float32)])
        self._marks = deque((count, at) for count, at in dumped["marks"])
