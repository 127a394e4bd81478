"""The features of a growing window, block by block; nothing here encodes.

What looks ahead of a block are the convolutions, by one mel frame, and that frame, by half its length: 200 samples and
a step of 10 ms, together 22.5 ms. Features lie at most `SPAN` below the loudest frame up to the block's end.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simul.models.whisper.features import FFT, HOP, TAIL, log_energies, normalize
from simul.units import Samples

Array = NDArray[np.float32]
HALF = FFT // 2


@dataclass(kw_only=True)
class HeardWindow:
    """What is heard of a window: numbers and arrays, none of which is ever changed in place.

    received: samples so far. samples: the last of them, from where the next mel frame begins. energies: log-mel frames
    [n, bands] that are not encoded yet. last: [1, bands], the features before them. top: the loudest energy so far.
    frames: how many encoder frames are encoded.
    """

    samples: Samples
    energies: Array
    last: Array
    received: int = 0
    top: float = -np.inf
    frames: int = 0

    @property
    def bands(self) -> int:
        """How many mel bands there are."""
        return self.last.shape[1]

    def push(self, samples: Samples) -> None:
        """Take in the window's next samples."""
        waiting = np.concatenate([self.samples, samples.astype(np.float32, copy=False)])
        begun = self.received > HALF
        self.received += len(samples)
        if self.received > HALF and not begun:
            waiting = np.concatenate([waiting[HALF:0:-1], waiting])
        if self.received > HALF:
            fresh = log_energies(waiting, self.bands)
            self.energies = np.concatenate([self.energies, fresh])
            waiting = waiting[len(fresh) * HOP :]
        self.samples = waiting.copy()

    def close(self, longest: int) -> None:
        """Half a second of silence ends the window, at most after `longest` frames; it takes no more samples."""
        content = self.received // HOP
        total = min(content + content % 2 + TAIL, 2 * longest)
        lack = total - 2 * self.frames - len(self.energies)
        samples = np.pad(self.samples, (0, max(0, lack) * HOP + FFT))
        if self.received <= HALF:
            samples = np.concatenate([samples[HALF:0:-1], samples])
        energies = np.concatenate([self.energies, log_energies(samples, self.bands)])
        self.energies = energies[: total - 2 * self.frames]

    def features(self, count: int) -> Array:
        """Features of the next `count` mel frames, of the one before and of the one behind; the window moves on."""
        self.top = max(self.top, float(self.energies[:count].max()))
        fresh = normalize(self.energies[: count + 1], self.top)
        if len(fresh) == count:
            # Behind the window's end the convolutions see zeros, as offline.
            fresh = np.concatenate([fresh, np.zeros((1, self.bands), np.float32)])
        features = np.concatenate([self.last, fresh])
        self.last, self.energies = fresh[count - 1 : count], self.energies[count:]
        return features


def silent(bands: int) -> HeardWindow:
    """A window of which nothing was heard."""
    return HeardWindow(
        samples=np.zeros(0, np.float32),
        energies=np.zeros((0, bands), np.float32),
        last=np.zeros((1, bands), np.float32),
    )
