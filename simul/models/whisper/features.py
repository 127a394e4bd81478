"""Whisper's log-mel features, and the silence that fills its window (Radford et al. 2023, section 2.2)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from simul.errors import UsageError
from simul.units import SAMPLE_RATE, Samples

HOP = 160
"""Samples per mel frame."""
STEP = 2 * HOP
"""Samples per encoder frame: the encoder halves the frame rate."""
WINDOW_FRAMES = 3000
FFT = 400
"""Samples that a mel frame is computed from; it lies in their middle."""
SPAN = 8.0
"""Powers of ten between the loudest band and the floor."""
SILENCE = -1.5
"""The feature of digital silence, if nothing is loud."""
TAIL = 50
"""Mel frames of silence after the audio of a live window."""
BUCKET = 1000
"""Mel frames; a bucket window's length is a multiple of it."""
MARGIN = 25
"""Encoder frames of silence behind the audio of a thinned window of which none is left out."""
THINNING = 8
"""How many frames of silence behind those one frame of a thinned window stands for."""
TURN = (5**0.5 - 1) / 2
"""Multiples of it, less whole ones, fill the unit interval evenly, however many there are (the golden section)."""
PADDED, BUCKETS, THINNED, LIVE, CAUSAL = WINDOWS = ("padded", "bucket", "thinned", "live", "causal")
"""What is encoded: 30 s, as the model was trained; the audio up to the next multiple of 10 s; 30 s, but of the silence
some frames, which count for the others; the audio and half a second of silence; the same in blocks, each of which is
encoded once."""

Mel = NDArray[np.float32]


def check_window(window: str) -> str:
    """`window`, if a runtime that knows neither a live encoder nor weights of frames can fill it.

    Raises:
        UsageError: it cannot.
    """
    if window not in (PADDED, BUCKETS):
        raise UsageError(f"This runtime has no window {window!r}; choose one of: {PADDED}, {BUCKETS}.")
    return window


def window_frames(window: str, content: int) -> int:
    """How many mel frames a window of `content` frames of audio has, silence included."""
    if window == PADDED:
        return WINDOW_FRAMES
    if window == BUCKETS:
        return min(WINDOW_FRAMES, BUCKET * ((content + TAIL) // BUCKET + 1))
    if window == THINNED:
        return 2 * len(thinned(-(-content // 2)).places)
    return min(WINDOW_FRAMES, content + content % 2 + TAIL)


def audio_frames(samples: int) -> int:
    """How many encoder frames begin with audio, of a window of so many samples."""
    return -(-(samples // HOP) // 2)


@dataclass(frozen=True)
class Thinning:
    """Which encoder frames of a padded window are computed, and what they count for.

    places: int64 [n], rising. weights: float32 [n], the logarithm of how many frames each stands for, added to the
    scores of attention to it, so that it counts as so many that are all like it.
    """

    places: NDArray[np.int64]
    weights: NDArray[np.float32]


@cache
def thinned(content: int) -> Thinning:
    """A thinned window with `content` encoder frames of audio: those, some silence, and of the rest one frame in
    `THINNING`.

    Frames of silence differ by their positions only. At even distances some waves of the positions would never be
    seen but at one height, so each frame lies elsewhere among those that it stands for. The last one, which sees the
    end of the window, stands for itself.
    """
    whole = WINDOW_FRAMES // 2
    dense = min(content + MARGIN, whole - 1)
    edges = np.linspace(dense, whole - 1, -(-(whole - 1 - dense) // THINNING) + 1).round().astype(np.int64)
    sizes = np.diff(edges)
    shares = TURN * np.arange(1, len(edges)) % 1
    places = np.concatenate([np.arange(dense), edges[:-1] + (shares * sizes).astype(np.int64), [whole - 1]])
    return Thinning(places, np.log(np.concatenate([np.ones(dense), sizes, [1]])).astype(np.float32))


@cache
def mel_filters(bands: int) -> NDArray[np.float32]:
    """Triangular filters [frequencies, bands] on Slaney's mel scale, each of area one."""
    low, step = 1000.0, np.log(6.4) / 27

    def to_mel(hertz: float) -> float:
        return 15 + np.log(hertz / low) / step if hertz >= low else 3 * hertz / 200

    mels = np.linspace(0.0, to_mel(SAMPLE_RATE / 2), bands + 2)
    points = np.where(mels >= 15, low * np.exp(step * (mels - 15)), 200 * mels / 3)
    frequencies = np.linspace(0, SAMPLE_RATE / 2, FFT // 2 + 1)
    slopes = points[:, None] - frequencies
    widths = np.diff(points)[:, None]
    filters = np.maximum(0, np.minimum(-slopes[:-2] / widths[:-1], slopes[2:] / widths[1:]))
    return np.ascontiguousarray((filters * (2 / (points[2:] - points[:-2]))[:, None]).T, np.float32)


@cache
def _hann() -> NDArray[np.float32]:
    return (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(FFT) / FFT)).astype(np.float32)


def log_energies(samples: Samples, bands: int) -> NDArray[np.float32]:
    """Log10 mel energies [frames, bands] of frames that begin every 160 of the samples, 400 samples each."""
    count = (len(samples) - FFT) // HOP + 1
    if count <= 0:
        return np.zeros((0, bands), np.float32)
    frames = np.lib.stride_tricks.sliding_window_view(samples, FFT)[::HOP][:count] * _hann()
    spectrum = np.fft.rfft(frames)
    power = (spectrum.real**2 + spectrum.imag**2).astype(np.float32, copy=False)
    return np.log10(np.maximum(power @ mel_filters(bands), 1e-10)).astype(np.float32, copy=False)


def normalize(energies: NDArray[np.float32], top: NDArray[np.float32] | float) -> Mel:
    """Features of log energies: at most `SPAN` below the loudest energy `top`, around zero."""
    return ((np.maximum(energies, top - SPAN) + 4) / 4).astype(np.float32, copy=False)


class LogMel:
    """Makes features of `bands` mel bands in windows of a kind (see `WINDOWS`)."""

    def __init__(self, bands: int, window: str = PADDED) -> None:
        self.bands, self.window = bands, window

    def __call__(self, samples: Samples) -> Mel:
        """Features [bands, frames] of at most 30 s, followed by silence up to the window's end."""
        content = min(len(samples) // HOP, WINDOW_FRAMES)
        total = window_frames(self.window, content)
        # Two frames behind the audio still hear its end.
        padded = np.pad(samples[: content * HOP].astype(np.float32), (FFT // 2, 2 * HOP + FFT // 2))
        padded[: FFT // 2] = padded[FFT : FFT // 2 : -1]
        energies = log_energies(padded, self.bands)[: min(content + 2, total)]
        top = float(energies.max())
        features = np.full((self.bands, total), max(SILENCE, (top - SPAN + 4) / 4), np.float32)
        features[:, : len(energies)] = normalize(energies, top).T
        return features
