"""Units of audio: sample arrays and the one rate of everything inside."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from simul.errors import AudioError, UsageError

SAMPLE_RATE = 16_000
"""Samples in a second of every stream."""

Samples = NDArray[np.float32]
"""Mono audio, float32 in -1..1, at `SAMPLE_RATE`."""


_LOUDEST = 64.0
"""Floats beyond this are no samples in -1..1, however far these overshoot, but integers that were made floats."""
_GLITCHES = 0.01


def as_samples(array: Any) -> Samples:
    """Audio that a user hands in as mono float32: integers are scaled by their range, one column may be a matrix.

    Raises:
        UsageError: it is no array of numbers, has several channels, is neither float nor an integer of 8, 16 or 32
            bits, or holds floats far beyond -1..1.
    """
    if not isinstance(array, (np.ndarray, list, tuple)):
        raise UsageError(
            f"Audio is an array of samples, not {type(array).__name__}; give a float32 vector at 16 kHz."
        )
    try:
        found = np.asarray(array)
    except ValueError:
        raise UsageError(
            f"The audio is a {type(array).__name__} of {len(array)} items of different lengths; give a float32 vector "
            "at 16 kHz."
        ) from None
    what = f"The audio is an array of shape {found.shape} and type {found.dtype}"
    if found.ndim == 0:
        raise UsageError(f"{what}, a single number; give a vector of samples at 16 kHz.")
    if found.dtype.kind not in "fiu" or (found.dtype.itemsize > 4 and found.dtype.kind != "f"):
        if not found.size and isinstance(array, (list, tuple)):
            return np.empty(0, np.float32)
        raise UsageError(
            f"{what}; give float32 in -1..1, or integers of 8, 16 or 32 bits, whose full scale is known."
        )
    if not found.size:
        return np.empty(0, np.float32)
    if found.size != max(found.shape):
        raise UsageError(
            f"{what}; a stream is mono, so mix the channels down first, for example with {_mean(found)}."
        )
    found = found.ravel()
    if found.dtype.kind == "f":
        with np.errstate(over="ignore"):
            samples = found.astype(np.float32, copy=False)
        if _beyond(samples):
            raise UsageError(
                f"{what}, but its values are far beyond -1..1; divide them by their full scale (32768 for 16 bits)."
            )
        return samples
    half = 2.0 ** (8 * found.dtype.itemsize - 1)
    centre = half if found.dtype.kind == "u" else 0.0
    return ((found.astype(np.float64) - centre) / half).astype(np.float32)


def _mean(array: NDArray[Any]) -> str:
    shorter = min(range(array.ndim), key=lambda axis: array.shape[axis])
    return f"samples.mean(axis={shorter})" if array.ndim == 2 else "samples.mean(axis=...)"


def _beyond(samples: Samples) -> bool:
    """Whether more than a hundredth of the samples are finite numbers that no sound in -1..1 has."""
    magnitudes = np.abs(samples)
    if not magnitudes.max() > _LOUDEST and not np.isnan(magnitudes).any():
        return False
    return int(np.count_nonzero((magnitudes > _LOUDEST) & (magnitudes < np.inf))) > _GLITCHES * len(samples)


def check_samples(samples: Samples) -> None:
    """Refuse what a recogniser cannot hear.

    Raises:
        AudioError: the samples are not a vector, or not finite.
    """
    if samples.ndim != 1:
        raise AudioError(f"The recogniser takes a vector of samples, not an array of shape {samples.shape}.")
    if not np.isfinite(samples).all():
        raise AudioError("The audio holds samples that are not numbers (NaN or infinite); check its source.")


def finite(samples: Samples) -> tuple[Samples, int]:
    """The samples with silence where they are not finite, and how many are not."""
    good = np.isfinite(samples)
    if good.all():
        return samples, 0
    return np.where(good, samples, np.float32(0)), int(np.count_nonzero(~good))
