"""Units of audio: sample arrays and the one rate of everything inside."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

SAMPLE_RATE = 16_000
"""Samples in a second of every stream."""
SAMPLES_PER_MS = SAMPLE_RATE // 1000

Samples = NDArray[np.float32]
"""Mono audio, float32 in -1..1, at `SAMPLE_RATE`."""
