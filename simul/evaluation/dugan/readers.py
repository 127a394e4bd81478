"""Models that decode a window of an utterance into timed segments: any with segments, and cascades."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from policies.base import Need
from policies.dugan import ClipSegment
from simul.backends.base import Backend, DecodeRequest, StreamSpec
from simul.backends.cascade import CascadeBackend, Recognizer
from simul.errors import UsageError
from simul.evaluation.trace.meter import Meter
from simul.hearing.pauses import PauseSegmenter
from simul.models.translation.interface import TextRequest
from simul.models.words import Word, stretches
from simul.units import SAMPLE_RATE, Samples

PIECE = SAMPLE_RATE // 10
"""Samples in which a recogniser is given a window."""

Decoded = tuple[tuple[ClipSegment, ...], tuple[float, ...]]
"""Segments of a window, and the CPU seconds after which each was there, with the pass's total as a last entry."""


class WindowReader(Protocol):
    """A model on one utterance."""

    def window(self, begin: float, end: float) -> Decoded:
        """What it makes of the audio between two places, in seconds; segment times count from `begin`."""
        ...

    def whole(self) -> tuple[str, float]:
        """Its translation of the whole utterance, and the CPU seconds that took."""
        ...


class BackendReader:
    """A backend with segments, such as Whisper with timestamps: each window is decoded as a recording of its own."""

    def __init__(self, backend: Backend[Any], samples: Samples, source: str, target: str) -> None:
        self._backend, self._samples, self._spec = backend, samples, StreamSpec(source, target)

    def window(self, begin: float, end: float) -> Decoded:
        """See `WindowReader`."""
        meter = Meter(None, self._backend.meter)
        meter.start()
        stream = self._backend.open(self._spec)
        try:
            found = self._segments(
                stream, self._samples[round(begin * SAMPLE_RATE) : round(end * SAMPLE_RATE)]
            )
        finally:
            self._backend.release(stream)
        return tuple(found), (meter.stop(),) * (len(found) + 1)

    def whole(self) -> tuple[str, float]:
        """See `WindowReader`."""
        segments, elapsed = self.window(0.0, len(self._samples) / SAMPLE_RATE)
        return "".join(segment.text for segment in segments), elapsed[-1]

    def _segments(self, stream: Any, samples: Samples) -> list[ClipSegment]:
        """What the backend makes of a stream of these samples."""
        self._backend.push(stream, samples)
        self._backend.end(stream)
        self._backend.advance([stream])
        found: list[ClipSegment] = []
        while True:
            view = self._backend.view(stream)
            candidate = self._backend.decode([DecodeRequest(stream, 0, view)])[0]
            for s in candidate.segments or ():
                found.append(
                    ClipSegment(s.start / SAMPLE_RATE, s.end / SAMPLE_RATE, s.text, s.no_speech_prob)
                )
            if view.finished:
                return found
            self._backend.next_segment(stream)


class CascadeReader:
    """A cascade in the place of Whisper, an adaptation.

    A segment is a stretch of recognised words between pauses of 0.2 s or more, translated by itself. Its
    no-speech probability is the share of the window without voice activity, which all segments of a window share,
    as Whisper's do. The recogniser hears a window that only grew on where it stopped, so a pass costs what is new.
    """

    def __init__(self, backend: CascadeBackend, samples: Samples, source: str, target: str) -> None:
        self._backend, self._samples = backend, samples
        self._target = None if backend.translator is None or source == target else target
        self._recognizer: Recognizer | None = None
        self._begin = self._place = -1
        self._closed: list[Word] = []

    def window(self, begin: float, end: float) -> Decoded:
        """See `WindowReader`."""
        first, last = round(begin * SAMPLE_RATE), min(round(end * SAMPLE_RATE), len(self._samples))
        meter = Meter(None, self._backend.meter)
        meter.start()
        words = self._hear(first, last)
        spent = meter.stop()
        silence = self._silence(self._samples[first:last])
        segments, elapsed = [], []
        for stretch in stretches(words):
            meter.start()
            text = self._translate(" ".join(word.text for word in stretch))
            spent += meter.stop()
            times = (
                stretch[0].start_sample / SAMPLE_RATE,
                min(stretch[-1].end_sample, last - first) / SAMPLE_RATE,
            )
            segments.append(ClipSegment(*times, " " + text, silence))
            elapsed.append(spent)
        return tuple(segments), (*elapsed, spent)

    def whole(self) -> tuple[str, float]:
        """See `WindowReader`; here the recogniser's final words count."""
        meter = Meter(None, self._backend.meter)
        meter.start()
        recognizer = self._backend.make_recognizer()
        for start in range(0, len(self._samples), PIECE):
            recognizer.push(self._samples[start : start + PIECE])
        texts = [utterance.text for utterance in recognizer.finish()]
        text = " ".join(self._translate(text) for text in texts if text)
        return text, meter.stop()

    def _hear(self, first: int, last: int) -> list[Word]:
        """The words of the audio between two samples, so far as they can be told without its future."""
        if self._recognizer is None or first != self._begin or last < self._place:
            self._recognizer, self._closed = self._fresh(), []
            self._begin = self._place = first
        recognizer = self._recognizer
        while self._place < last:
            step = min(PIECE, last - self._place)
            recognizer.push(self._samples[self._place : self._place + step])
            self._place += step
            self._closed += [word for utterance in recognizer.events() for word in utterance.words]
        return [*self._closed, *recognizer.hypothesis()]

    def _fresh(self) -> Recognizer:
        """A recogniser at the beginning of a stream; loading one anew takes longer than a window."""
        if self._recognizer is not None and (reset := getattr(self._recognizer, "reset", None)) is not None:
            reset()
            return self._recognizer
        return self._backend.make_recognizer()

    def _translate(self, text: str) -> str:
        translator = self._backend.translator
        if self._target is None or translator is None:
            return text
        return "".join(translator.translate([TextRequest(text, self._target)])[0].tokens).strip()

    @staticmethod
    def _silence(samples: Samples) -> float:
        if not len(samples):
            return 1.0
        spoken = sum(len(span) for span in PauseSegmenter(SAMPLE_RATE).speech(samples))
        return 1 - min(1.0, spoken / len(samples))


def reader_of(backend: Backend[Any], samples: Samples, source: str, target: str) -> WindowReader:
    """The reader for a backend.

    Raises:
        UsageError: the backend has no segments and is no cascade.
    """
    samples = np.asarray(samples, np.float32)
    if isinstance(backend, CascadeBackend):
        return CascadeReader(backend, samples, source, target)
    if Need.SEGMENTS in backend.provides:
        return BackendReader(backend, samples, source, target)
    raise UsageError(
        f"The experiment needs timed segments, which the backend {backend.name} does not give; use a Whisper model "
        "or a cascade."
    )
