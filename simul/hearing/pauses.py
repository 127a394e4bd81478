"""Speech and pauses of a whole recording from its energy, and segments cut where the speaker pauses.

The level is compared with a noise floor and a speech level that are followed along the recording, so neither the
gain of the recording nor a slow change of the background moves the borders. Offline: needs the whole recording.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

from segmenter.alignment import SegmenterError
from simul.errors import UsageError
from simul.units import SAMPLE_RATE, as_samples

FRAME_S = 0.01
"""Seconds from frame to frame."""
WINDOW_S = 0.032
"""Seconds of sound in a frame."""
BAND_HZ = (150.0, 3800.0)
"""Where the energy of speech lies; hum, rumble and most hiss are left out."""
CONTEXT_S = 6.0
"""Seconds to either side from which noise floor and speech level are taken."""
FLOOR_PERCENTILE, SPEECH_PERCENTILE = 10, 95
MIN_CONTRAST_DB = 8.0
"""Less between floor and speech level than this says nothing; the whole recording's values are used instead."""
START, STAY = (0.25, 5.0, 16.0), (0.08, 2.5, 8.0)
"""Speech starts this share of the way up from floor to speech level, but no less and no more than so many dB above
the floor, and lasts while it stays above the second mark."""
SILENCE_DB = -110.0
"""Below this, relative to full scale, there is no sound at all: less than the last bit of 16."""


@dataclass(frozen=True, order=True)
class SpeechSpan:
    """Samples ``start`` up to, not including, ``end``."""

    start: int
    end: int

    def __len__(self) -> int:
        return self.end - self.start


@dataclass(frozen=True)
class PauseSegmenter:
    """Finds speech, and segments between pauses, in recordings of one sample rate.

    sample_rate: Hz. min_pause_s: shorter pauses do not part. min_speech_s: shorter sounds are taken for noise.
    margin_s: kept before and after speech where the pause has room. max_segment_s: longer segments are parted at
    their quietest place. Raises SegmenterError for values that make no sense.
    """

    sample_rate: int = SAMPLE_RATE
    min_pause_s: float = 0.3
    min_speech_s: float = 0.08
    margin_s: float = 0.1
    max_segment_s: float = 20.0

    def __post_init__(self) -> None:
        if self.sample_rate < 1000:
            raise SegmenterError(f"sample_rate must be at least 1000 Hz, not {self.sample_rate}.")
        if min(self.min_pause_s, self.min_speech_s, self.margin_s) < 0:
            raise SegmenterError("min_pause_s, min_speech_s and margin_s must not be negative.")
        if self.max_segment_s < 1.0:
            raise SegmenterError(f"max_segment_s must be at least 1 second, not {self.max_segment_s}.")

    def speech(self, audio: ArrayLike) -> list[SpeechSpan]:
        """Stretches of speech, apart by at least ``min_pause_s``, without margins.

        audio: mono samples, shape (n,); floats relative to full scale 1, or integers of their type's scale.
        Raises SegmenterError for another shape or samples that are not finite.
        """
        samples = _as_float(audio)
        return self._speech(_levels(samples, self.sample_rate), len(samples))

    def segments(self, audio: ArrayLike) -> list[SpeechSpan]:
        """Segments in order, not overlapping: speech with its margins, none longer than ``max_segment_s``."""
        samples = _as_float(audio)
        levels = _levels(samples, self.sample_rate)
        spans = self._with_margins(self._speech(levels, len(samples)), len(samples))
        return [part for span in spans for part in self._parted(span, levels)]

    def _speech(self, levels: NDArray[np.float64], length: int) -> list[SpeechSpan]:
        active = _active(levels)
        active = _without_short_runs(active, True, self.min_speech_s)
        active = _without_short_runs(active, False, self.min_pause_s)
        frame = self.sample_rate * FRAME_S
        return [SpeechSpan(round(a * frame), min(length, round(b * frame))) for a, b in _runs(active)]

    def _with_margins(self, spans: list[SpeechSpan], length: int) -> list[SpeechSpan]:
        if not spans:
            return []
        margin = round(self.margin_s * self.sample_rate)
        middles = [(a.end + b.start) // 2 for a, b in pairwise(spans)]
        return [
            SpeechSpan(max(span.start - margin, left), min(span.end + margin, right))
            for span, left, right in zip(spans, [0, *middles], [*middles, length], strict=True)
        ]

    def _parted(self, span: SpeechSpan, levels: NDArray[np.float64]) -> list[SpeechSpan]:
        limit = round(self.max_segment_s * self.sample_rate)
        if len(span) <= limit:
            return [span]
        # A cut near either end would leave a crumb: stay a quarter of the limit away from both.
        frame = self.sample_rate * FRAME_S
        first, last = (round(place / frame) for place in (span.start + limit / 4, span.end - limit / 4))
        cut = round((first + int(np.argmin(levels[first:last])) + 0.5) * frame)
        return [
            *self._parted(SpeechSpan(span.start, cut), levels),
            *self._parted(SpeechSpan(cut, span.end), levels),
        ]


def _as_float(audio: ArrayLike) -> NDArray[np.float64]:
    samples = np.asarray(audio) if isinstance(audio, np.ndarray) else None
    if samples is not None and samples.ndim != 1:
        raise SegmenterError(
            f"audio must be mono, shape (samples,), not {samples.shape}; mix channels first."
        )
    if samples is None or samples.dtype.kind != "f":
        try:
            samples = as_samples(audio)
        except UsageError as error:
            raise SegmenterError(str(error)) from None
    if not np.all(np.isfinite(samples)):
        raise SegmenterError("audio has samples that are not finite; replace them before segmenting.")
    return samples.astype(np.float64)


def _levels(samples: NDArray[np.float64], rate: int) -> NDArray[np.float64]:
    """Level of each frame within the band, in dB relative to full scale; frame k is centred on k * FRAME_S."""
    hop, size = rate * FRAME_S, round(rate * WINDOW_S)
    window = np.hanning(size)
    bins = np.fft.rfftfreq(size, 1 / rate)
    inside = (bins >= BAND_HZ[0]) & (bins <= BAND_HZ[1])
    if not len(samples):
        return np.zeros(0)
    padded = np.pad(samples, (size // 2, size), mode="edge")
    starts = np.round(np.arange(int(np.ceil(len(samples) / hop))) * hop).astype(np.int64)
    energy = np.empty(len(starts))
    for first in range(0, len(starts), 1000):  # in blocks, so that memory does not grow with the recording
        block = starts[first : first + 1000]
        pieces = padded[block[:, None] + np.arange(size)]
        pieces -= pieces.mean(axis=1, keepdims=True)
        spectrum = np.fft.rfft(pieces * window)[:, inside]
        energy[first : first + 1000] = np.sum(np.abs(spectrum) ** 2, axis=1)
    scale = 2 / (size * np.sum(window**2))
    return 10 * np.log10(np.maximum(energy * scale, 10 ** (SILENCE_DB / 10)))


def _references(levels: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Noise floor and speech level around each frame."""
    overall = np.percentile(levels, [FLOOR_PERCENTILE, SPEECH_PERCENTILE])
    context, step = round(CONTEXT_S / FRAME_S), round(1 / FRAME_S)
    centres = np.arange(0, len(levels), step)
    local = np.array(
        [
            np.percentile(
                levels[max(0, centre - context) : centre + context], [FLOOR_PERCENTILE, SPEECH_PERCENTILE]
            )
            for centre in centres
        ]
    )
    local[local[:, 1] - local[:, 0] < MIN_CONTRAST_DB] = overall
    places = np.arange(len(levels))
    return np.interp(places, centres, local[:, 0]), np.interp(places, centres, local[:, 1])


def _active(levels: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Frames of speech: runs above the lower threshold that pass the upper one somewhere."""
    if not len(levels):
        return np.zeros(0, np.bool_)
    floor, speech = _references(levels)
    span = speech - floor
    if span.max() < MIN_CONTRAST_DB:
        # One steady level from end to end: all sound or no sound, but no pauses.
        return np.full(len(levels), bool(speech.max() > SILENCE_DB))
    start, stay = (np.clip(share * span, least, most) for share, least, most in (START, STAY))
    loud = levels > floor + start
    active = levels > floor + stay
    for first, last in _runs(active):
        active[first:last] = loud[first:last].any()
    return active


def _runs(flags: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """First and one past the last index of each run of True."""
    edges = np.flatnonzero(np.diff(flags.astype(np.int8), prepend=0, append=0))
    return [(int(first), int(last)) for first, last in edges.reshape(-1, 2)]


def _without_short_runs(flags: NDArray[np.bool_], value: bool, seconds: float) -> NDArray[np.bool_]:
    """Flags with runs of ``value`` shorter than ``seconds`` turned over; pauses at the ends are left alone."""
    out = flags.copy()
    for first, last in _runs(flags == value):
        at_end = first == 0 or last == len(flags)
        if (last - first) * FRAME_S < seconds and (value or not at_end):
            out[first:last] = not value
    return out
