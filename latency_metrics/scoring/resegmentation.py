"""Whole recordings cut into their reference segments: every output unit goes to one segment."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal

from latency_metrics import clocks
from latency_metrics.base import Instance, Notice
from latency_metrics.errors import MatchError, MetricsError
from latency_metrics.scoring.oddities import SECONDS, looks_like_seconds
from latency_metrics.scoring.recordings import RecordingHypothesis, ReferenceSegment, match_recordings

if TYPE_CHECKING:
    from segmenter import MwerSegmenter, SoftSegmenter

Progress = Callable[[int, int, str], None]
"""Called after each recording with (recordings done, recordings in all, name of the recording)."""

UNKNOWN = "skipped, the segmentation does not know it"
MISSING = "there is no hypothesis for it; scored as empty output"
"""Notices about recordings that one side lacks."""

_SERIES = ("delays", "elapsed", "queued", "playback")


@dataclass(frozen=True)
class Resegmentation:
    """Recordings cut into reference segments.

    Attributes:
        instances: one per segment, in the order of the segments; times count from the segment's start.
        dropped: (recording, position, unit) of every unit that no segment received.
        notices: everything skipped, dropped or odd, named.
        recordings: one instance per matched recording, uncut, for figures of whole event logs.
    """

    instances: list[Instance]
    dropped: list[tuple[str, int, str]] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)
    recordings: list[Instance] = field(default_factory=list)


@dataclass
class _Recording:
    """One recording on its way through: its segments, its output, and what came of them."""

    name: str
    segments: list[ReferenceSegment]
    positions: list[int]
    hypothesis: RecordingHypothesis
    notices: list[Notice] = field(default_factory=list)
    instances: list[Instance] = field(default_factory=list)
    dropped: list[int] = field(default_factory=list)

    def note(self, reason: str) -> None:
        self.notices.append(Notice(f"recording {self.name}", reason))


def resegment(
    segments: Sequence[ReferenceSegment],
    hypotheses: Sequence[RecordingHypothesis],
    *,
    method: Literal["soft", "mwer"] = "soft",
    lang: str | None = None,
    char_level: bool = False,
    offset_delays: bool = False,
    fix_simuleval_emission_ca: bool = False,
    jobs: int = 1,
    progress: Progress | None = None,
    memory_limit: int | None = None,
) -> Resegmentation:
    """Assign every unit of every recording to a reference segment.

    Args:
        segments: reference segments of all recordings, with references.
        hypotheses: what the system said, in any order; recordings are matched by name.
        method: SoftSegmenter (LongYAAL and its family) or minimum word error rate (StreamLAAL).
        lang: language of the Moses tokenisation inside SoftSegmenter; None compares whole units.
        char_level: units are characters.
        offset_delays: times count from the start of each recording's first segment.
        fix_simuleval_emission_ca: repair cumulative `elapsed`, see `clocks.fix_simuleval_emission`.
        jobs: recordings aligned at the same time, in threads.
        progress: called after each recording.
        memory_limit: bytes of alignment tables kept at a time, see `segmenter.SoftSegmenter`.

    Raises:
        MatchError: two hypotheses are for one recording, or there are hypotheses and none is of a recording of the
            segmentation.
        MetricsError: an option is not known.
    """
    recordings, notices = _gather(segments, hypotheses)
    segmenter = _segmenter(method, lang, char_level, memory_limit)

    def work(recording: _Recording) -> None:
        _prepare(recording, fix_simuleval_emission_ca)
        _cut(recording, segmenter, char_level and method == "soft", offset_delays)

    _run(recordings, work, jobs, progress)
    placed: dict[int, Instance] = {}
    for recording in recordings:
        placed.update(zip(recording.positions, recording.instances, strict=True))
    return Resegmentation(
        instances=[replace(placed[i], index=i) for i in range(len(segments))],
        dropped=[(r.name, i, r.hypothesis.units[i]) for r in recordings for i in r.dropped],
        notices=[*notices, *(notice for recording in recordings for notice in recording.notices)],
        recordings=[recording.hypothesis.as_instance() for recording in recordings],
    )


def _gather(
    segments: Sequence[ReferenceSegment], hypotheses: Sequence[RecordingHypothesis]
) -> tuple[list[_Recording], list[Notice]]:
    """Every recording of the segmentation with its hypothesis; what has no partner is named."""
    matches = match_recordings(segments, hypotheses)
    if hypotheses and not matches:
        raise MatchError(nothing_in_common(segments, hypotheses))
    given = {matches[h.recording]: h for h in hypotheses if h.recording in matches}
    notices = [
        Notice(f"recording {hypothesis.recording}", UNKNOWN)
        for hypothesis in hypotheses
        if hypothesis.recording not in matches
    ]
    recordings: dict[str, _Recording] = {}
    for position, segment in enumerate(segments):
        name = segment.recording
        if name not in recordings:
            recordings[name] = _Recording(name, [], [], given.get(name, RecordingHypothesis(name, ())))
            if name not in given:
                recordings[name].note(MISSING)
        recordings[name].segments.append(segment)
        recordings[name].positions.append(position)
    return list(recordings.values()), notices


def nothing_in_common(segments: Sequence[ReferenceSegment], hypotheses: Sequence[RecordingHypothesis]) -> str:
    """What to say when no hypothesis is for a recording of the segmentation."""
    if not segments:
        return "The segmentation holds no segments, so no recording can be scored."
    ours, theirs = hypotheses[0].recording, segments[0].recording
    count = f"None of the {len(hypotheses)} recordings" if len(hypotheses) > 1 else "The recording"
    verb = "is" if len(hypotheses) > 1 else "is not"
    return (
        f"{count} of the log {verb} in the segmentation: the log names {ours!r}, the segmentation {theirs!r}."
    )


def _segmenter(
    method: str, lang: str | None, char_level: bool, memory_limit: int | None
) -> SoftSegmenter | MwerSegmenter:
    from segmenter import MwerSegmenter, SoftSegmenter

    options: dict[str, Any] = {} if memory_limit is None else {"memory_limit": memory_limit}
    if method == "soft":
        return SoftSegmenter(lang, char_level, **options)
    if method == "mwer":
        return MwerSegmenter(char_level, **options)
    raise MetricsError(f"The segmentation method {method!r} is not known; use soft or mwer.")


def _run(
    recordings: Sequence[_Recording],
    work: Callable[[_Recording], None],
    jobs: int,
    progress: Progress | None,
) -> None:
    """Work on every recording, `jobs` at a time (the compiled kernel runs outside the interpreter's lock)."""
    if jobs < 1:
        raise MetricsError(f"The number of jobs must be at least 1, not {jobs}.")
    with ThreadPoolExecutor(max_workers=jobs) as pool:
        results = map(work, recordings) if jobs == 1 else pool.map(work, recordings)
        for done, (recording, _) in enumerate(zip(recordings, results, strict=True), 1):
            if progress is not None:
                progress(done, len(recordings), recording.name)


def _prepare(recording: _Recording, fix: bool) -> None:
    """Add the queueing clock, repair `elapsed` where asked, and leave out lists that do not fit the units."""
    hypothesis = recording.hypothesis
    count = len(hypothesis.units)
    if count == 0:
        recording.note("its output is empty")
    for series in _SERIES:
        times = getattr(hypothesis, series)
        if times is not None and len(times) != count:
            without: dict[str, Any] = {series: None}
            hypothesis = replace(hypothesis, **without)
            recording.note(f"it has {count} units but {len(times)} {series}; its {series} are not scored")
    if any(late < early for early, late in pairwise(hypothesis.delays or ())):
        recording.note("its delays go backwards; scored as they are")
    delays, elapsed = hypothesis.delays, hypothesis.elapsed
    if delays and elapsed and hypothesis.elapsed_kind == "cumulative":
        if hypothesis.queued is None:
            costs = clocks.compute_times(delays, elapsed)
            hypothesis = replace(hypothesis, queued=clocks.queue(delays, costs))
        if fix:
            hypothesis = replace(hypothesis, elapsed=clocks.fix_simuleval_emission(delays, elapsed))
    recording.hypothesis = hypothesis


def _cut(
    recording: _Recording,
    segmenter: SoftSegmenter | MwerSegmenter,
    spaces_removed: bool,
    offset_delays: bool,
) -> None:
    """Align one recording and build its instances."""
    segments, hypothesis = recording.segments, recording.hypothesis
    references = [s.reference.replace(" ", "") if spaces_removed else s.reference for s in segments]
    alignment = segmenter.align(references, list(hypothesis.units))
    texts = alignment.texts("" if segmenter.char_level else " ")
    recording.dropped = alignment.dropped
    end = max(segment.offset + segment.duration for segment in segments)
    start = segments[0].offset if offset_delays else 0.0
    _name_oddities(recording, any(references), end - start)
    for segment, reference, text, own in zip(
        segments, references, texts, alignment.unit_indices(), strict=True
    ):
        offset = segment.offset - start
        recording.instances.append(
            Instance(
                prediction=text,
                reference=reference,
                delays=_shift(hypothesis.delays, own, offset),
                elapsed=_shift(hypothesis.elapsed, own, offset),
                queued=_shift(hypothesis.queued, own, offset),
                playback=_shift(hypothesis.playback, own, offset),
                source_length=segment.duration if segment.timed else None,
                time_to_recording_end=end - segment.offset if segment.timed else None,
                recording=recording.name,
                segment=segment.number,
                document=segment.document,
                offset=offset,
            )
        )


def _shift(times: Sequence[float] | None, own: Sequence[int], offset: float) -> list[float] | None:
    """The times of a segment's own units, counted from its start."""
    return None if times is None else [times[i] - offset for i in own]


def _name_oddities(recording: _Recording, has_reference: bool, end: float) -> None:
    """Notices for units that were dropped or came after the end of the recording."""
    units = recording.hypothesis.units
    if recording.dropped:
        shown = ", ".join(repr(units[i]) for i in recording.dropped[:5])
        more = ", ..." if len(recording.dropped) > 5 else ""
        why = "no segment received them" if has_reference else "it has no reference text"
        recording.note(f"{len(recording.dropped)} of {len(units)} units dropped ({shown}{more}): {why}")
    elif not has_reference:
        recording.note("it has no reference text")
    late = sum(1 for time in recording.hypothesis.delays or () if time >= end)
    if recording.segments[0].timed and looks_like_seconds(recording.hypothesis.delays, end):
        recording.note(SECONDS)
    if recording.segments[0].timed and late:
        recording.note(f"{late} of {len(units)} units at or after its end; LongYAAL leaves them out")
