"""Units of audio: sample arrays and the one rate of everything inside."""

from __future__ import annotations

from array import array as pyarray
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
_LARGEST = 1e6
"""Far beyond any recording, integers made floats included; larger values would overflow in a model."""


def as_samples(array: Any) -> Samples:
    """Audio that a user hands in as mono float32: integers are scaled by their range, one column may be a matrix.

    Arrays of other libraries that numpy can read are taken too: tensors of torch on the processor, series of pandas,
    `array.array`, memory views of numbers. Masked samples count as not finite.

    Raises:
        UsageError: it is no array of numbers, has several channels, is neither float nor an integer of 8, 16 or 32
            bits, or holds floats far beyond -1..1.
    """
    found = _as_array(array)
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
    masked = np.ma.getmaskarray(found).ravel() if isinstance(found, np.ma.MaskedArray) else None
    samples = _scaled(np.asarray(found).ravel())
    if masked is not None and masked.any():
        samples = np.where(masked, np.float32(np.nan), samples)
    if _beyond(samples):
        raise UsageError(
            f"{what}, but its values are far beyond -1..1; divide them by their full scale (32768 for 16 bits)."
        )
    return samples


def as_frames(array: Any) -> Samples:
    """Audio of one or several channels that a user hands in, as float32 of shape [n, channels]; see `as_samples`.

    Raises:
        UsageError: it is no array of numbers of shape [n] or [n, channels].
    """
    plain = isinstance(array, np.ndarray) and array.dtype == np.float32
    found = array if plain else _as_array(array)
    what = f"The audio is an array of shape {found.shape} and type {found.dtype}"
    if found.ndim not in (1, 2) or (found.ndim == 2 and not found.shape[1]):
        raise UsageError(f"{what}; give frames of shape [n] or [n, channels].")
    if found.dtype.kind not in "fiu" or (found.dtype.itemsize > 4 and found.dtype.kind != "f"):
        raise UsageError(
            f"{what}; give float32 in -1..1, or integers of 8, 16 or 32 bits, whose full scale is known."
        )
    samples = np.asarray(found) if plain else _scaled(np.asarray(found))
    return samples if samples.ndim == 2 else samples[:, None]


def as_vector(array: Any) -> Samples:
    """`array` itself where it is a vector of float32 of any size, and else what `as_samples` makes of it."""
    plain = type(array) is np.ndarray and array.dtype == np.float32 and array.ndim == 1
    return array if plain else as_samples(array)


def _scaled(found: NDArray[Any]) -> Samples:
    """An array as float32, integers divided by their full scale."""
    if found.dtype.kind == "f":
        with np.errstate(over="ignore"):
            return found.astype(np.float32, copy=False)
    half = 2.0 ** (8 * found.dtype.itemsize - 1)
    centre = half if found.dtype.kind == "u" else 0.0
    return ((found.astype(np.float64) - centre) / half).astype(np.float32)


def _as_array(array: Any) -> NDArray[Any]:
    """What was handed in as numpy sees it.

    Raises:
        UsageError: it is no array, its rows have different lengths, or numpy cannot read it.
    """
    kind = type(array).__name__
    if isinstance(array, np.ndarray):
        return array
    if isinstance(array, (list, tuple)):
        try:
            return np.asarray(array)
        except (ValueError, TypeError, OverflowError, RuntimeError):
            raise UsageError(
                f"The audio is a {kind} of {len(array)} items of different lengths or kinds; give a float32 vector "
                "at 16 kHz."
            ) from None
    if _holds_bytes(array):
        raise UsageError(
            f"The audio is {len(array)} bytes ({kind}), which do not say what they are; of 16-bit samples give "
            "numpy.frombuffer(data, 'int16')."
        )
    if not (hasattr(array, "__array__") or isinstance(array, (memoryview, pyarray))) or isinstance(
        array, type
    ):
        raise UsageError(f"Audio is an array of samples, not {kind}; give a float32 vector at 16 kHz.")
    try:
        return np.asarray(_on_processor(array))
    except Exception:  # whatever another library raises
        raise UsageError(
            f"The audio is {_described(array)}, which numpy cannot read; give a float32 array of numpy."
        ) from None


def _described(array: Any) -> str:
    """The shape, type and place of another library's array, as far as it tells them."""
    said = [type(array).__name__]
    for before, name in (("of shape", "shape"), ("and type", "dtype"), ("on", "device")):
        try:
            value = getattr(array, name)
            said.append(f"{before} {tuple(value) if name == 'shape' else value}")
        except Exception:  # as above
            continue
    return " ".join(said)


def _holds_bytes(array: Any) -> bool:
    if isinstance(array, memoryview):
        return array.format in ("B", "b", "c")
    return isinstance(array, (bytes, bytearray)) or (isinstance(array, pyarray) and array.typecode == "B")


def _on_processor(array: Any) -> Any:
    """A tensor of torch without its gradient and, where numpy has no such type (bfloat16), as float32."""
    if not hasattr(array, "detach"):
        return array
    tensor = array.detach()
    return tensor.float() if str(tensor.dtype) == "torch.bfloat16" else tensor


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
    """The samples with silence where they are not finite or absurdly large, and how many are so."""
    with np.errstate(invalid="ignore"):
        good = np.abs(samples) <= _LARGEST
    if good.all():
        return samples, 0
    return np.where(good, samples, np.float32(0)), int(np.count_nonzero(~good))
