"""Where decisions fall: samples are collected and handed on in whole chunks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from simul.units import Samples


@dataclass(frozen=True)
class Turn:
    """Samples up to the next decision, and how many decision points before it were passed over."""

    samples: Samples
    passed_over: int = 0


class Pace:
    """Decisions fall on multiples of `chunk` samples, however the audio was cut."""

    def __init__(self, chunk: int) -> None:
        self.chunk = chunk
        self.taken = 0
        """Samples handed on so far."""
        self._pending: list[Samples] = []
        self._length = 0

    @property
    def waiting(self) -> int:
        """Samples that do not make a chunk yet."""
        return self._length

    def push(self, samples: Samples, coalesce: bool = False) -> Iterator[Turn]:
        """The turns that the samples complete: one for each chunk or, with `coalesce`, a single one for all of them."""
        self._pending.append(samples)
        self._length += len(samples)
        if self._length < self.chunk:
            return
        pending = np.concatenate(self._pending)
        whole = len(pending) - len(pending) % self.chunk
        self._pending, self._length = [pending[whole:]], len(pending) - whole
        step = whole if coalesce else self.chunk
        for begin in range(0, whole, step):
            self.taken += step
            yield Turn(pending[begin : begin + step], step // self.chunk - 1)

    def rest(self) -> Samples:
        """What is left at the end, less than a chunk."""
        rest = np.concatenate(self._pending) if self._pending else np.empty(0, np.float32)
        self._pending, self._length = [], 0
        self.taken += len(rest)
        return rest

    def dump(self) -> dict[str, object]:
        """All that changes, as plain JSON values."""
        pending = [float(x) for piece in self._pending for x in piece]
        return {"taken": self.taken, "pending": pending}

    def load(self, taken: int, pending: list[float]) -> None:
        """Go on from what `dump` gave."""
        self.taken, self._pending = taken, [np.array(pending, np.float32)]
        self._length = len(pending)
