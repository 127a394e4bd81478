"""A recording of a list, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from policies.base import SAMPLES_PER_MS
from simul.evaluation.records import StreamRecord, instance_of

if TYPE_CHECKING:
    from latency_metrics.base import Instance


@dataclass(frozen=True)
class Item:
    """One recording: `reference` in the target language, `transcript` in the source language, where known."""

    name: str
    audio: str
    reference: str | None = None
    transcript: str | None = None


@dataclass(frozen=True)
class ItemResult:
    """What came of one recording.

    delays, elapsed: ms, one per unit of `text` (word, or character in languages without spaces). length: ms of
    audio. compute: seconds. behind: seconds from each piece's arrival until its events were out. word_lags:
    seconds from the end of the source a text rests on until it settled, where the backend knows.
    """

    name: str
    audio: str
    text: str
    source_text: str
    delays: list[float]
    elapsed: list[float]
    length: float
    segments: int
    compute: float
    behind: list[float]
    word_lags: list[float]
    bad_samples: int = 0

    @classmethod
    def of(cls, item: Item, record: StreamRecord, bad_samples: int = 0) -> ItemResult:
        """The result of a stream that has ended; `bad_samples`: those that the source mended."""
        return cls(
            name=item.name,
            audio=item.audio,
            text=record.text,
            source_text=record.source_text,
            delays=[round(value, 4) for value in record.delays()],
            elapsed=[round(value, 4) for value in record.elapsed()],
            length=record.heard / SAMPLES_PER_MS,
            segments=record.segments,
            compute=record.compute,
            behind=[round(value, 6) for value in record.behind],
            word_lags=[round(value, 6) for value in record.word_lags],
            bad_samples=bad_samples + (record.end.bad_samples if record.end else 0),
        )

    def instance(self, index: int | str, reference: str | None) -> Instance:
        """As `latency_metrics` reads it."""
        return instance_of(index, self.text, reference, self.delays, self.elapsed, self.length)
