"""Long-form input: the reference segments of recordings and what a system said in each recording."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import PurePosixPath
from typing import Literal

from latency_metrics.base import Instance, StreamStats
from latency_metrics.errors import MatchError
from latency_metrics.times import checked_time, checked_times


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

    def __post_init__(self) -> None:
        checked_time(self.offset, f"The offset of a segment of {self.recording!r:.60}")
        checked_time(self.duration, f"The duration of a segment of {self.recording!r:.60}")


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

    def __post_init__(self) -> None:
        for name in ("delays", "elapsed", "queued", "playback"):
            if getattr(self, name) is not None:
                times = checked_times(getattr(self, name), f"The {name} of recording {self.recording!r:.60}")
                object.__setattr__(self, name, times)

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
    short = {name: name_parts(name)[-1] for name in names}
    if len(set(short.values())) != len(names):
        short = {name: name for name in names}
    stems = {name: stem_of(given) for name, given in short.items()}
    return stems if len(set(stems.values())) == len(names) else short


def name_parts(name: str) -> list[str]:
    """The folders and the file of a path, be it POSIX, Windows (`D:\\talks\\a.wav`) or UNC."""
    return [part for part in re.split(r"[\\/]+", name) if part and part != "."] or [name]


def stem_of(name: str) -> str:
    """The file of a path without its suffix."""
    return PurePosixPath(name_parts(name)[-1]).stem


def match_recordings(
    segments: Sequence[ReferenceSegment], hypotheses: Sequence[RecordingHypothesis]
) -> dict[str, str]:
    """Which recording of the segmentation each hypothesis belongs to.

    Names are paths or parts of them, with or without suffix: the file's name decides, then as many folders before it
    as both have in common. A hypothesis that fits several recordings equally well belongs to none, and one whose
    recording another hypothesis fits better does not either.

    Returns:
        Name of the hypothesis to name of the recording in the segmentation; unmatched ones are absent.

    Raises:
        MatchError: two hypotheses carry one name or match one recording equally well.
    """
    names = list(dict.fromkeys(segment.recording for segment in segments))
    by_stem: dict[str, list[str]] = {}
    for name in names:
        for key in {_folded(name_parts(name)[-1]), _folded(stem_of(name))}:
            by_stem.setdefault(key, []).append(name)
    taken: dict[str, tuple[tuple[int, int], str]] = {}
    matched: set[str] = set()
    for hypothesis in hypotheses:
        given = hypothesis.recording
        if given in matched:
            raise MatchError(f"Two hypotheses are for the recording {given!r}; keep one of them.")
        last = name_parts(given)[-1]
        keys = dict.fromkeys([_folded(last), _folded(stem_of(given))])
        candidates = dict.fromkeys(name for key in keys for name in by_stem.get(key, ()))
        ranked = sorted(((_likeness(given, name), given == name, name) for name in candidates), reverse=True)
        if not ranked or (len(ranked) > 1 and ranked[0][:2] == ranked[1][:2]):
            continue
        rank, _, found = ranked[0]
        matched.add(given)
        if found in taken and taken[found][0] == rank:
            raise MatchError(
                f"The hypotheses {taken[found][1]!r} and {given!r} both match the recording {found!r}; keep one."
            )
        if found not in taken or taken[found][0] < rank:
            taken[found] = rank, given
    return {given: found for found, (_, given) in taken.items()}


def _likeness(given: str, name: str) -> tuple[int, int]:
    """How well two names fit: how the files agree, then how many folders before them do."""
    ours, theirs = name_parts(given), name_parts(name)
    if ours[-1] == theirs[-1]:
        file = 3
    elif ours[-1] == stem_of(name) or theirs[-1] == stem_of(given):
        file = 2
    elif stem_of(given) == stem_of(name):
        file = 1
    else:  # They differ in case or in how accents are composed.
        file = 0
    pairs = zip(reversed(ours[:-1]), reversed(theirs[:-1]), strict=False)
    return file, len(list(takewhile(lambda pair: _folded(pair[0]) == _folded(pair[1]), pairs)))


def _folded(text: str) -> str:
    return unicodedata.normalize("NFC", text).casefold()
