"""Level meter: how loud the input is, whether it clips, and whether there is any signal at all."""

from __future__ import annotations

from dataclasses import dataclass
from math import log10

import numpy as np
from numpy.typing import NDArray

from simul.units import SAMPLE_RATE, as_vector, finite

FLOOR_DBFS = -120.0
"""What digital silence reads as; a number, so that levels can be drawn and written as JSON."""


@dataclass(frozen=True)
class Level:
    """One reading, in dB relative to full scale (a full-scale square wave has 0 dBFS rms and 0 dBFS peak).

    `clipped`: a sample of this reading reached full scale. `no_signal`: nothing rose above the noise
    threshold for the meter's waiting time, as with a muted or unplugged microphone.
    """

    rms_dbfs: float
    peak_dbfs: float
    clipped: bool
    no_signal: bool


class LevelMeter:
    """Reads levels from consecutive pieces of float audio.

    Args:
        rate: samples per second of what is pushed.
        threshold_dbfs: a peak at or below this is no signal; a live room through any microphone is louder.
        patience_seconds: how long the input must stay below before `no_signal` is said.
    """

    def __init__(
        self, rate: int = SAMPLE_RATE, *, threshold_dbfs: float = -66.0, patience_seconds: float = 2.0
    ) -> None:
        self._threshold = threshold_dbfs
        self._patience = round(patience_seconds * rate)
        self._quiet = 0
        self.clipped_samples = 0
        self.peak_dbfs = FLOOR_DBFS

    def push(self, samples: NDArray[np.float32]) -> Level:
        """Read the next samples, shape [n]; `clipped_samples` and `peak_dbfs` of the meter cover all.

        Raises:
            UsageError: they are not mono audio, see `simul.units.as_samples`.
        """
        samples, _ = finite(as_vector(samples))
        magnitudes = np.abs(samples)
        peak = _dbfs(float(magnitudes.max(initial=0.0)))
        rms = _dbfs(float(np.sqrt(np.mean(np.square(samples, dtype=np.float64)))) if len(samples) else 0.0)
        # The largest positive value of 16-bit audio is one step below full scale.
        clipped = int(np.count_nonzero(magnitudes >= 32767 / 32768))
        self.clipped_samples += clipped
        self.peak_dbfs = max(self.peak_dbfs, peak)
        self._quiet = self._quiet + len(samples) if peak <= self._threshold else 0
        return Level(rms, peak, clipped > 0, self._quiet >= self._patience)


def _dbfs(value: float) -> float:
    return max(FLOOR_DBFS, 20 * log10(value)) if value > 0 else FLOOR_DBFS
