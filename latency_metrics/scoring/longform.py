"""Long-form scoring: recordings are cut into their reference segments, then scored like utterances."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from latency_metrics import registry
from latency_metrics.base import Clock, Instance, Notice, Score
from latency_metrics.long_yaal import RecordingEnd
from latency_metrics.scoring.recordings import RecordingHypothesis, ReferenceSegment
from latency_metrics.scoring.resegmentation import Progress, resegment
from latency_metrics.scoring.result import Report, absent_clocks, clocks_present, merge_notices, score_all
from latency_metrics.scoring.shortform import score_quality
from latency_metrics.stream_laal import StreamLAAL
from latency_metrics.units import LatencyUnit
from latency_metrics.word_lag import lag_quantiles


def score_longform(
    segments: Sequence[ReferenceSegment],
    hypotheses: Sequence[RecordingHypothesis],
    *,
    lang: str | None = None,
    char_level: bool = False,
    bleu_tokenizer: str = "13a",
    quality: bool = True,
    latency: bool = True,
    extra: bool = True,
    stream_laal: bool = False,
    offset_delays: bool = False,
    fix_simuleval_emission_ca: bool = False,
    jobs: int = 1,
    progress: Progress | None = None,
) -> Report:
    """Resegment recordings with SoftSegmenter and score the segments.

    Options that are not named here are those of `latency_metrics.scoring.resegmentation.resegment`.

    Args:
        segments: reference segments of all recordings, with references.
        hypotheses: what the system said, in any order.
        bleu_tokenizer: a sacreBLEU tokenizer.
        quality: whether to score BLEU and chrF.
        latency: whether to score latency.
        extra: whether to add the figures beyond OmniSTEval (`Report.extra`).
        stream_laal: whether to add StreamLAAL, which needs a second alignment.

    Raises:
        MatchError: two hypotheses are for one recording.
        MetricsError: an option is not known.
    """
    common: dict[str, Any] = {"char_level": char_level, "offset_delays": offset_delays, "jobs": jobs}
    found = resegment(
        segments,
        hypotheses,
        lang=lang,
        fix_simuleval_emission_ca=fix_simuleval_emission_ca,
        progress=progress,
        **common,
    )
    report = score_resegmented(
        found.instances,
        char_level=char_level,
        bleu_tokenizer=bleu_tokenizer,
        quality=quality,
        latency=latency,
        extra=extra,
        resegmenter="SoftSegmenter",
    )
    more: list[Score] = []
    if latency and extra and any(recording.stream for recording in found.recordings):
        unit: LatencyUnit = "char" if char_level else "word"
        more += [metric(latency_unit=unit).corpus(found.recordings) for metric in registry.STREAM]
    if latency and stream_laal:
        more += score_stream_laal(segments, hypotheses, **common)
    scores, beyond = ([s.signed(lang=lang or "none") for s in own] for own in (report.scores, report.extra))
    settings = {
        **report.settings,
        "lang": lang,
        "offset_delays": offset_delays,
        "fix_simuleval_emission_ca": fix_simuleval_emission_ca,
        "resegmentation": "SoftSegmenter",
    }
    notices = merge_notices([found.notices, report.notices, *(score.notices for score in more)])
    return replace(
        report,
        scores=scores,
        notices=notices,
        settings=settings,
        extra=[*beyond, *more],
        dropped=found.dropped,
    )


def score_stream_laal(
    segments: Sequence[ReferenceSegment],
    hypotheses: Sequence[RecordingHypothesis],
    *,
    char_level: bool = False,
    offset_delays: bool = False,
    jobs: int = 1,
) -> list[Score]:
    """StreamLAAL v2 in ms for every clock the hypotheses carry, on segments of the mWER segmenter.

    Computed in seconds, as simulstream does: whether a unit falls on the very end of a segment, which decides
    what LAAL counts, is a matter of rounding.

    Raises:
        MatchError: two hypotheses are for one recording.
    """
    found = resegment(
        [replace(s, offset=s.offset / 1000, duration=s.duration / 1000) for s in segments],
        [_in_seconds(hypothesis) for hypothesis in hypotheses],
        method="mwer",
        char_level=char_level,
        offset_delays=offset_delays,
        jobs=jobs,
    )
    unit: LatencyUnit = "stream_char" if char_level else "stream_word"
    scores = [
        StreamLAAL(clock=clock, latency_unit=unit).corpus(found.instances)
        for clock in clocks_present(found.instances)
    ]
    return [
        replace(
            score,
            value=score.value * 1000,
            values=[None if value is None else value * 1000 for value in score.values],
        ).signed(resegmenter="mWER")
        for score in scores
    ]


def _in_seconds(hypothesis: RecordingHypothesis) -> RecordingHypothesis:
    """The hypothesis with its delays and elapsed times in seconds, its other clocks left out."""
    seconds = [
        None if times is None else [time / 1000 for time in times]
        for times in (hypothesis.delays, hypothesis.elapsed)
    ]
    return replace(hypothesis, delays=seconds[0], elapsed=seconds[1], queued=None, playback=None)


def score_resegmented(
    instances: Sequence[Instance],
    *,
    char_level: bool = False,
    bleu_tokenizer: str = "13a",
    quality: bool = True,
    latency: bool = True,
    extra: bool = True,
    recording_end: RecordingEnd = "segmentation",
    resegmenter: str = "given",
) -> Report:
    """Score segments: BLEU, chrF, then LongYAAL, LongAL, LongLAAL, LongAP, LongDAL for every clock.

    Args:
        instances: segments of `resegment` or of `formats.read_resegmented`.
        char_level: units are characters.
        bleu_tokenizer: a sacreBLEU tokenizer.
        quality: whether to score BLEU and chrF.
        latency: whether to score latency.
        extra: whether to add the figures beyond OmniSTEval.
        recording_end: "open" gives what OmniSTEval 0.1.10 gives when it re-reads its own output.
        resegmenter: what cut the recordings, for signatures; "given" when the segments came from a file.

    Raises:
        MetricsError: an option is not known.
    """
    unit: LatencyUnit = "char" if char_level else "word"
    kept = list(instances)
    scores: list[Score] = []
    beyond: list[Score] = []
    notices: list[Notice] = []
    if quality:
        scores += score_quality(kept, unit, bleu_tokenizer, notices)
    if latency:
        notices += absent_clocks(kept)
        for clock in clocks_present(kept):
            scores += _long_block(kept, clock, unit, recording_end)
        if extra:
            every = clocks_present(kept, ("cu", "ca", "queue"))
            beyond = [
                score for clock in every for score in lag_quantiles(kept, clock=clock, latency_unit=unit)
            ]
            others = (registry.LagSlope, registry.FirstTextDelay, registry.SystemLag)
            beyond += score_all(others, kept, every, latency_unit=unit)
            beyond.append(registry.PolicyLag(latency_unit=unit).corpus(kept))
            if "queue" in every:
                beyond += _long_block(kept, "queue", unit, recording_end)[:3]
            if any(instance.playback for instance in kept):
                beyond.append(registry.PlaybackLag(clock=every[-1], latency_unit=unit).corpus(kept))
    settings = {"latency_unit": unit, "bleu_tokenizer": bleu_tokenizer, "recording_end": recording_end}
    scores, beyond = ([s.signed(resegmenter=resegmenter) for s in own] for own in (scores, beyond))
    found = merge_notices([notices, *(score.notices for score in (*scores, *beyond))])
    return Report("longform", scores, kept, found, settings, beyond)


def _long_block(
    instances: Sequence[Instance],
    clock: Clock,
    unit: LatencyUnit,
    recording_end: RecordingEnd,
) -> list[Score]:
    """LongYAAL, LongAL, LongLAAL, LongAP, LongDAL under one clock."""
    first = registry.LongYAAL(recording_end=recording_end, clock=clock, latency_unit=unit).corpus(instances)
    return [first, *score_all(registry.LONG_FORM[1:], instances, [clock], latency_unit=unit)]
