"""Units of audio: sample arrays and the one rate of everything inside."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from simul.errors import UsageError

SAMPLE_RATE = 16_000
"""Samples in a second of every stream."""

Samples = NDArray[np.float32]
"""Mono audio, float32 in -1..1, at `SAMPLE_RATE`."""


def as_samples(array: Any) -> Samples:
    """Audio that a user hands in as mono float32: integers are scaled by their range, one column may be a matrix.

    Raises:
        UsageError: it is no array of numbers, has several channels, or is neither float nor integer.
    """
    if not isinstance(array, (np.ndarray, list, tuple)):
        raise UsageError(
            f"Audio is an array of samples, not {type(array).__name__}; give a float32 vector at 16 kHz."
        )
    found = np.asarray(array)
    if not found.size:
        return np.empty(0, np.float32)
    if found.size != max(found.shape):
        raise UsageError(
            f"The audio is an array of shape {found.shape} and type {found.dtype}; a stream is mono, so mix the "
            "channels down first, for example with samples.mean(axis=1)."
        )
    found = found.ravel()
    if found.dtype.kind == "f":
        return found.astype(np.float32, copy=False)
    if found.dtype.kind not in "iu":
        raise UsageError(f"The audio is an array of type {found.dtype}; give float32 in -1..1, or integers.")
    half = 2.0 ** (8 * found.dtype.itemsize - 1)
    centre = half if found.dtype.kind == "u" else 0.0
    return ((found.astype(np.float64) - centre) / half).astype(np.float32)


def finite(samples: Samples) -> tuple[Samples, int]:
    """The samples with silence where they are not finite, and how many are not."""
    good = np.isfinite(samples)
    if good.all():
        return samples, 0
    return np.where(good, samples, np.float32(0)), int(np.count_nonzero(~good))
