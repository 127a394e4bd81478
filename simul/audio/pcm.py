"""PCM sample formats: bytes to float32, floats to int16, and the removal of samples that are no numbers.

µ-law and A-law are tables of 256 values: 2 µs for 20 ms of telephone sound, 33 through soundfile, which decodes files
(`python -m benchmarks.own_code companding`; the values are equal).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from simul.errors import UsageError
from simul.units import Samples

BYTES_PER_SAMPLE = {
    "u8": 1,
    "s16le": 2,
    "s24le": 3,
    "s32le": 4,
    "f32le": 4,
    "f64le": 8,
    "mulaw": 1,
    "alaw": 1,
}
"""The encodings that can be read, with their bytes a sample."""

_ALIASES = {
    "pcm_u8": "u8",
    "pcm_s16le": "s16le",
    "s16": "s16le",
    "pcm_s24le": "s24le",
    "s24": "s24le",
    "pcm_s32le": "s32le",
    "s32": "s32le",
    "pcm_f32le": "f32le",
    "f32": "f32le",
    "pcm_f64le": "f64le",
    "f64": "f64le",
    "ulaw": "mulaw",
    "pcm_mulaw": "mulaw",
    "pcm_alaw": "alaw",
}

# Far beyond any recording, integer-scaled floats included; larger values would overflow in the filters below.
_LARGEST_MAGNITUDE = 1e6


def parse_encoding(name: str) -> str:
    """The canonical name of a PCM encoding, a key of `BYTES_PER_SAMPLE` (`pcm_s16le`, `s16` → `s16le`).

    Raises:
        UsageError: no such encoding is known.
    """
    encoding = _ALIASES.get(name.lower(), name.lower())
    if encoding not in BYTES_PER_SAMPLE:
        raise UsageError(f"The PCM encoding {name!r} is not known; use one of {', '.join(BYTES_PER_SAMPLE)}.")
    return encoding


def _mulaw_table() -> Samples:
    code = ~np.arange(256) & 0xFF
    exponent, mantissa = (code >> 4) & 7, code & 15
    magnitude = (((mantissa << 3) + 132) << exponent) - 132
    return (np.where(code & 0x80, -magnitude, magnitude) / 32768).astype(np.float32)


def _alaw_table() -> Samples:
    code = np.arange(256) ^ 0x55
    exponent, mantissa = (code >> 4) & 7, code & 15
    magnitude = np.where(
        exponent == 0, (mantissa << 4) + 8, ((mantissa << 4) + 264) << np.maximum(exponent - 1, 0)
    )
    return (np.where(code & 0x80, magnitude, -magnitude) / 32768).astype(np.float32)


_MULAW, _ALAW = _mulaw_table(), _alaw_table()


def decode_pcm(data: bytes | bytearray | memoryview, encoding: str) -> Samples:
    """Interleaved PCM bytes as float32, full scale at ±1; shape [samples of all channels].

    Integers are divided by their full scale; µ-law and A-law follow ITU-T G.711. Floats are returned as
    they are: pass them through `replace_bad_samples`.

    Raises:
        UsageError: the encoding is not known.
        ValueError: the bytes end within a sample.
    """
    encoding = parse_encoding(encoding)
    if len(data) % BYTES_PER_SAMPLE[encoding]:
        raise ValueError(f"{len(data)} bytes are not a whole number of {encoding} samples")
    if encoding == "u8":
        return (np.frombuffer(data, np.uint8).astype(np.float32) - np.float32(128)) / np.float32(128)
    if encoding == "s16le":
        return np.frombuffer(data, "<i2").astype(np.float32) / np.float32(32768)
    if encoding == "s24le":
        wide = np.zeros((len(data) // 3, 4), np.uint8)
        wide[:, 1:] = np.frombuffer(data, np.uint8).reshape(-1, 3)
        return wide.view("<i4")[:, 0].astype(np.float32) / np.float32(2**31)
    if encoding == "s32le":
        return np.frombuffer(data, "<i4").astype(np.float32) / np.float32(2**31)
    if encoding == "f32le":
        return np.frombuffer(data, "<f4").astype(np.float32)
    if encoding == "f64le":
        doubles = np.frombuffer(data, "<f8")
        return np.where(np.abs(doubles) <= _LARGEST_MAGNITUDE, doubles, np.nan).astype(np.float32)
    return (_MULAW if encoding == "mulaw" else _ALAW)[np.frombuffer(data, np.uint8)]


def to_int16(samples: Samples) -> NDArray[np.int16]:
    """Float samples as int16: clamped to full scale, rounded to nearest; what is not a number becomes 0."""
    scaled = np.rint(np.clip(np.asarray(samples, np.float32) * np.float32(32768), -32768, 32767))
    # Infinite values have been clamped; looking for the others takes less than replacing none.
    if np.isnan(scaled).any():
        scaled = np.nan_to_num(scaled)
    return scaled.astype(np.int16)


def replace_bad_samples(samples: Samples) -> tuple[Samples, int]:
    """Put 0 in place of samples that are not finite or absurdly large (over 10^6), and count them.

    Returns the array itself, untouched, when nothing was bad.
    """
    with np.errstate(invalid="ignore"):
        good = np.abs(samples) <= _LARGEST_MAGNITUDE
    bad = good.size - int(np.count_nonzero(good))
    return (samples, 0) if bad == 0 else (np.where(good, samples, np.float32(0)), bad)
