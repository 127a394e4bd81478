"""Long-form input: the reference segments of recordings and what a system said in each recording."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Literal

from latency_metrics.base import Instance, StreamStats
from latency_metrics.errors import MatchError


@dataclass(frozen=True)
class ReferenceSegment:
    """One reference segment of a recording.

    Attributes:
        recording: name of the recording as the segmentation gives it.
        offset: start in the recording, ms.
        duration: length, ms; 0 for text without times.
        reference: reference text, stripped.
        document: number of the recording, from 0, in order of appearance.
        number: number of the segment in its recording, from 0.
        timed: False for text segmentations, which know no recording end.
    """

    recording: str
    offset: float
    duration: float
    reference: str = ""
    document: int = 0
    number: int = 0
    timed: bool = True


@dataclass(frozen=True)
class RecordingHypothesis:
    """What a system said in one recording: units (words or characters) and their times in ms.

    Attributes:
        recording: name, matched with that of the segments by `match_recordings`.
        units: output units, one time each.
        text: the whole output.
        delays: computation-unaware times, or None.
        elapsed: computation-aware times, or None.
        queued: times by the queueing recursion where the log carries every event.
        playback: times at which each unit was heard or shown.
        elapsed_kind: "cumulative" for SimulEval's clock (which `fix_simuleval_emission_ca` repairs), else
            "per_chunk".
        stream: counts of the recording's event log.
    """

    recording: str
    units: Sequence[str]
    text: str = ""
    delays: Sequence[float] | None = None
    elapsed: Sequence[float] | None = None
    queued: Sequence[float] | None = None
    playback: Sequence[float] | None = None
    elapsed_kind: Literal["cumulative", "per_chunk"] = "cumulative"
    stream: StreamStats | None = None

    def as_instance(self) -> Instance:
        """The whole recording as one instance, for the figures of its event log."""
        return Instance(
            index=self.recording,
            prediction=self.text,
            delays=self.delays,
            elapsed=self.elapsed,
            queued=self.queued,
            playback=self.playback,
            recording=self.recording,
            stream=self.stream,
        )


def spoken_hypothesis(recording: str, words: Iterable[tuple[str, float, float]]) -> RecordingHypothesis:
    """Speech output as words on the playback clock, for LongYAAL of speech: a word counts when it ends.

    Args:
        recording: name.
        words: (word, start, end) in ms on the playback clock, in order.
    """
    kept = list(words)
    ends = [end for _, _, end in kept]
    units = [word for word, _, _ in kept]
    return RecordingHypothesis(recording, units, " ".join(units), delays=ends, playback=ends)


def split_text(text: str, char_level: bool) -> list[str]:
    """Units of an output text: pieces between white space, or every code point (spaces included)."""
    return list(text) if char_level else text.split()


def canonical_names(names: Sequence[str]) -> dict[str, str]:
    """The name each recording of a segmentation goes by: base name where unique, then stem where unique.

    Args:
        names: distinct names in order of appearance.
    """
    short = {name: PurePosixPath(name).name for name in names}
    if len(set(short.values())) != len(names):
        short = {name: name for name in names}
    stems = {name: PurePosixPath(given).stem for name, given in short.items()}
    return stems if len(set(stems.values())) == len(names) else short


def match_recordings(
    segments: Sequence[ReferenceSegment], hypotheses: Sequence[RecordingHypothesis]
) -> dict[str, str]:
    """Which recording of the segmentation each hypothesis belongs to.

    A hypothesis matches when its name, base name, stem or stem of its base name is a canonical name of the
    segmentation, or when its name is a full name there.

    Returns:
        Name of the hypothesis to name of the recording in the segmentation; unmatched ones are absent.

    Raises:
        MatchError: two hypotheses carry one name or match one recording.
    """
    names = list(dict.fromkeys(segment.recording for segment in segments))
    by_canonical = {canonical: name for name, canonical in canonical_names(names).items()}
    matches: dict[str, str] = {}
    taken: dict[str, str] = {}
    for hypothesis in hypotheses:
        given = hypothesis.recording
        if given in matches:
            raise MatchError(f"Two hypotheses are for the recording {given!r}; keep one of them.")
        base = PurePosixPath(given).name
        candidates = (given, base, PurePosixPath(given).stem, PurePosixPath(base).stem)
        found = next((by_canonical[name] for name in candidates if name in by_canonical), None)
        if found is None and given in names:
            found = given
        if found is None:
            continue
        if found in taken:
            raise MatchError(
                f"The hypotheses {taken[found]!r} and {given!r} both match the recording {found!r}; keep one."
            )
        taken[found] = given
        matches[given] = found
    return matches
