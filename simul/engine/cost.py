"""What decisions cost: a table by length of the audio and size of the batch, filled by measurement."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from simul.units import SAMPLE_RATE

BORDERS = tuple(seconds * SAMPLE_RATE for seconds in (0, 5, 10, 15, 20))
"""Samples above which a window belongs to the next shape bucket; the first holds what needs no decoding."""


def bucket(length: int) -> int:
    """The shape bucket of a window of `length` samples, 0 for none, up to 5 for more than 20 s."""
    return bisect_left(BORDERS, length)


class Costs(Protocol):
    """Predicts what a batch takes."""

    def predict(self, batch: int, length: int) -> float:
        """Seconds for a batch of decisions of which the longest window has `length` samples."""
        ...


@dataclass
class _Cell:
    """Mean seconds, over all measurements at first and later mostly over the last ones."""

    mean: float = 0.0
    count: int = 0

    def note(self, seconds: float, memory: int) -> None:
        self.count = min(self.count + 1, memory)
        self.mean += (seconds - self.mean) / self.count


@dataclass
class CostTable:
    """Measured costs; what was not measured is read off its neighbours.

    memory: measurements after which an older one has lost most of its weight.
    """

    memory: int = 50
    _cells: dict[int, dict[int, _Cell]] = field(default_factory=dict)

    def note(self, batch: int, length: int, seconds: float) -> None:
        """A batch of decisions with windows of up to `length` samples took so long."""
        self._cells.setdefault(bucket(length), {}).setdefault(batch, _Cell()).note(seconds, self.memory)

    def predict(self, batch: int, length: int) -> float:
        """Seconds for a batch; 0 as long as nothing was measured.

        Between measured sizes of the bucket by a straight line. Beyond the largest one as steeply as the line of
        least squares through all, since two neighbours differ by chance as well; where only one was measured, half
        of its cost for each of as many more: whoever never tries a larger batch never learns what it costs. Of a
        bucket of which nothing was measured, what the nearest one says.
        """
        if not self._cells:
            return 0.0
        wanted = bucket(length)
        row = self._cells[min(self._cells, key=lambda known: (abs(known - wanted), -known))]
        if batch in row:
            return row[batch].mean
        sizes = sorted(row)
        above = next((size for size in sizes if size > batch), None)
        if above is not None:
            below = max((size for size in sizes if size < batch), default=0)
            low = row[below].mean if below else row[above].mean / 2 / above
            return low + (batch - below) / (above - below) * (row[above].mean - low)
        last = row[sizes[-1]].mean
        slope = max(0.0, _slope(row)) if len(sizes) > 1 else last / sizes[-1] / 2
        return last + slope * (batch - sizes[-1])

    def least(self, length: int, most: int = 64) -> float:
        """Seconds for one decision in a batch as large as can be."""
        return self.predict(most, length) / most


def _slope(row: Mapping[int, _Cell]) -> float:
    """Seconds for one more in a batch: the line of least squares through what was measured, each as often as it was."""
    count = sum(cell.count for cell in row.values())
    size = sum(cell.count * batch for batch, cell in row.items()) / count
    mean = sum(cell.count * cell.mean for cell in row.values()) / count
    spread = sum(cell.count * (batch - size) ** 2 for batch, cell in row.items())
    return sum(cell.count * (batch - size) * (cell.mean - mean) for batch, cell in row.items()) / spread


AUDIO_MEMORY = 300.0
"""Seconds of audio over which costs are averaged."""


class LoadMeter:
    """How much is asked of a device, smoothed over about `window` seconds.

    busy: share of the time in which it computed. offered: seconds of computing asked for in a second, in batches as
    large as can be, were no decision passed over; above 1 the device cannot keep up. late: share of decisions that came
    too late or were passed over, over a quarter of that time. per_second: seconds of computing that a second of audio
    took, over the last minutes of audio; as was told at first until there is any.
    """

    def __init__(self, window: float = 2.0, per_second: float = 0.0) -> None:
        self.window, self.per_second = window, per_second
        self._heard = 0.0
        self.busy = self.offered = self.late = 0.0
        self._at: float | None = None
        self._computed = self._asked = 0.0
        self._decisions = self._lates = 0.0

    def note(self, computed: float, asked: float, decisions: int, late: int, audio: float = 0.0) -> None:
        """A step computed for so many seconds; of its decisions and those passed over in it so many came too late.

        asked: seconds that all of them would take in large batches. audio: seconds of audio that were taken in.
        """
        if audio > 0:
            self._heard = min(self._heard + audio, AUDIO_MEMORY)
            self.per_second += (computed / audio - self.per_second) * audio / self._heard
        self._computed, self._asked = self._computed + computed, self._asked + asked
        self._decisions, self._lates = self._decisions + decisions, self._lates + late

    def look(self, at: float, least: float = 0.25) -> bool:
        """Take what was noted since the last look into account, if that was `least` seconds ago; whether it was."""
        if self._at is None:
            self._at = at
        gone = at - self._at
        if gone < least:
            return False
        self._at = at
        new = 1 - math.exp(-gone / self.window)
        self.busy += new * (min(1.0, self._computed / gone) - self.busy)
        self.offered += new * (self._asked / gone - self.offered)
        share = self._lates / self._decisions if self._decisions else 0.0
        self.late += (1 - math.exp(-4 * gone / self.window)) * (share - self.late)
        self._computed = self._asked = self._decisions = self._lates = 0.0
        return True
