"""When speech output is heard: playback intervals, silences between them, and the written audio's length."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from latency_metrics.base import Instance, NoValue
from latency_metrics.errors import MetricsError
from latency_metrics.times import checked_times

SAMPLE_RATE = 16_000
"""Of written audio, in Hz, where nothing else is said."""


@dataclass(frozen=True)
class Playback:
    """Playback of chunks of speech that never overlap (SimulEval 1.1.4).

    Attributes:
        offset: time of the first sound in ms; the source duration when nothing was said, None if unknown.
        intervals: (start, duration) of each chunk in ms.
        silences: silences between chunks in ms, each above 0.
        silence_samples: zero samples that stand for each silence in the written audio.
        sample_rate: rate of the written audio in Hz.
    """

    offset: float | None
    intervals: list[tuple[float, float]]
    silences: list[float]
    silence_samples: list[int]
    sample_rate: int

    @property
    def end(self) -> float | None:
        """Time at which the last chunk has been heard, ms."""
        return sum(self.intervals[-1]) if self.intervals else None

    @property
    def audio_seconds(self) -> float:
        """Length of the written audio (it starts at `offset`) in seconds: SimulEval's `prediction_length`."""
        samples = sum(round(self.sample_rate * duration / 1000) for _, duration in self.intervals)
        return (samples + sum(self.silence_samples)) / self.sample_rate

    @property
    def ends(self) -> list[float]:
        """Time at which each chunk has been heard, ms."""
        return [start + duration for start, duration in self.intervals]


def play(
    delays: Sequence[float],
    durations: Sequence[float],
    *,
    source_length: float | None = None,
    sample_rate: int = SAMPLE_RATE,
) -> Playback:
    """Playback of chunks that arrive at `delays` (ms) and last `durations` (ms).

    start_i = max(cursor, delay_i), cursor = start_i + duration_i; a start later than the cursor is a silence.

    Raises:
        MetricsError: there is not one duration for each delay, or they are not finite numbers.
    """
    delays, durations = checked_times(delays, "The delays"), checked_times(durations, "The durations")
    if len(delays) != len(durations):
        raise MetricsError(
            f"{len(delays)} delays and {len(durations)} durations: each chunk of speech needs one of both."
        )
    if not delays:
        return Playback(source_length, [], [], [], sample_rate)
    intervals: list[tuple[float, float]] = []
    silences: list[float] = []
    cursor = delays[0]
    for delay, duration in zip(delays, durations, strict=True):
        start = max(cursor, delay)
        if start > cursor:
            silences.append(start - cursor)
        intervals.append((start, duration))
        cursor = start + duration
    samples = [int(sample_rate * silence / 1000) for silence in silences]
    return Playback(delays[0], intervals, silences, samples, sample_rate)


def intervals_of(instance: Instance) -> list[tuple[float, float]]:
    """Playback intervals of an instance: those of the log, or those that follow from its durations.

    Raises:
        NoValue: the instance is not speech output, or its lists do not fit together.
    """
    if instance.intervals:
        return list(instance.intervals)
    if instance.durations is None:
        raise NoValue("it is not speech output (no durations)")
    if instance.delays is None or len(instance.delays) != len(instance.durations):
        raise NoValue("it does not have one duration for each delay")
    if not instance.delays:
        raise NoValue("the hypothesis is empty")
    return play(instance.delays, instance.durations).intervals


def silences_of(instance: Instance) -> list[float]:
    """Silences between the playback intervals of an instance, ms.

    Raises:
        NoValue: as `intervals_of`.
    """
    intervals = intervals_of(instance)
    ends = [start + duration for start, duration in intervals]
    return [start - end for (start, _), end in zip(intervals[1:], ends, strict=False) if start > end]


def is_speech(instance: Instance) -> bool:
    """Whether an instance is speech output."""
    return instance.durations is not None or bool(instance.intervals)
