"""The document of one scored run: scores with intervals, figures, the segments that lag most, notices."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from latency_metrics.base import Clock, Score
from latency_metrics.legend import paragraph
from latency_metrics.quality import QUALITY
from latency_metrics.reports.document import Document, Table, tsv
from latency_metrics.reports.resampling import Interval, ResamplingPlan
from latency_metrics.reports.segments import segment_chrf
from latency_metrics.reports.statistics import Statistic
from latency_metrics.scoring.result import Report, value_text

SLOWEST = 50
"""Segments that the page lists."""


def document(
    report: Report,
    *,
    title: str,
    statistics: Mapping[str, Statistic] | None = None,
    intervals: Mapping[str, Interval] | None = None,
    plan: ResamplingPlan | None = None,
) -> Document:
    """The document of a report.

    Args:
        report: the scores.
        title: what was scored.
        statistics: of `statistics_of(report)`; with them the plane shows every recording.
        intervals: confidence intervals by name of the score.
        plan: how the intervals were drawn.
    """
    from latency_metrics.reports.run.figures import figures

    found = dict(intervals or {})
    if plan is not None:
        report = _signed(report, found, plan)
    tables = [_scores_table("Scores", report.scores, found, plan)]
    if report.extra:
        tables.append(_scores_table("Beyond the standard scores", report.extra, found, plan))
    settings = dict(report.settings)
    if plan is not None and found:
        settings["bootstrap"] = (
            f"{plan.samples} samples by {plan.by}, seed {plan.seed}, {plan.confidence:.0%} percentile intervals"
        )
    return Document(
        title=title,
        tables=tables,
        data=_data(report, found, plan),
        tsv=_tsv(report, found),
        highlights=_highlights(report, found),
        figures=figures(report, statistics, found),
        details=[*_slowest(report), *_recordings(report), _signatures(report)],
        notices=report.notices,
        settings=settings,
    )


def _signed(report: Report, intervals: Mapping[str, Interval], plan: ResamplingPlan) -> Report:
    """The report whose signatures say how the intervals were drawn."""
    scores, extra = (
        [s.signed(bs=plan.samples, by=plan.by, seed=plan.seed) if s.name in intervals else s for s in own]
        for own in (report.scores, report.extra)
    )
    return replace(report, scores=scores, extra=extra)


def interval_text(interval: Interval | None, digits: int = 2) -> str:
    """An interval as [low, high]; empty without one."""
    if interval is None or math.isnan(interval.low):
        return ""
    return f"[{interval.low:.{digits}f}, {interval.high:.{digits}f}]"


def shown_unit(score: Score) -> str:
    """The unit of a score for a column of a table."""
    known = score.metric in QUALITY or "%" in score.metric or score.unit not in ("ms", "s/s", "%")
    return "" if known else score.unit


def _digits(score: Score) -> int:
    return 1 if score.unit == "ms" else (4 if score.unit in ("ratio", "s/s") else 2)


def _scores_table(
    title: str, scores: Sequence[Score], intervals: Mapping[str, Interval], plan: ResamplingPlan | None
) -> Table:
    with_intervals = bool(intervals) and plan is not None
    header = ["metric", "value", "unit", "counted"]
    if with_intervals and plan is not None:
        header.insert(2, f"{plan.confidence:.0%} interval")
    rows = []
    for score in scores:
        counted = f"{score.counted} of {len(score.values)}" if score.values else ""
        row = [score.name, value_text(score), shown_unit(score), counted]
        if with_intervals:
            row.insert(2, interval_text(intervals.get(score.name), _digits(score)))
        rows.append(row)
    return Table(title, header, rows, paragraph((score.name, score.value) for score in scores))


def _highlights(report: Report, intervals: Mapping[str, Interval]) -> list[tuple[str, str, str]]:
    """Cards for the numbers that papers quote."""
    wanted: tuple[tuple[str, Clock | None], ...] = (
        ("BLEU", None), ("chrF", None), ("COMET", None), ("YAAL", "cu"), ("YAAL", "ca"),
        ("LagP95", "cu"), ("LagSlope", "cu"),
    )  # fmt: skip
    cards = []
    for score in (found for metric, clock in wanted if (found := report.find(metric, clock))):
        digits = {"ms": 0, "s/s": 4, "%": 1}.get(score.unit, 3)
        value = (
            "none"
            if math.isnan(score.value)
            else f"{score.value:,.{digits}f}".replace(",", " ").replace("-", "−")
        )
        unit = shown_unit(score)
        cards.append(
            (score.name, f"{value} {unit}".strip(), interval_text(intervals.get(score.name), digits))
        )
    return cards


def _data(report: Report, intervals: Mapping[str, Interval], plan: ResamplingPlan | None) -> dict[str, Any]:
    def entry(score: Score) -> dict[str, Any]:
        interval = intervals.get(score.name)
        return {
            "name": score.name,
            "value": score.value,
            "unit": score.unit,
            "interval": None if interval is None else [interval.low, interval.high],
            "counted": score.counted if score.values else None,
            "of": len(score.values) or None,
            "signature": score.signature,
            "details": score.details,
        }

    return {
        "mode": report.mode,
        "segments": len(report.instances),
        "bootstrap": None
        if plan is None or not intervals
        else {
            "samples": plan.samples,
            "seed": plan.seed,
            "by": plan.by,
            "confidence": plan.confidence,
        },
        "scores": [entry(score) for score in report.scores],
        "extra": [entry(score) for score in report.extra],
        "dropped": [
            {"recording": recording, "position": position, "unit": unit}
            for recording, position, unit in report.dropped
        ],
    }


def _tsv(report: Report, intervals: Mapping[str, Interval]) -> str:
    """`scores.tsv`; with intervals two more columns, their ends."""
    if not intervals:
        return report.scores_tsv()
    rows = []
    for score in report.scores:
        interval = intervals.get(score.name)
        ends = [None, None] if interval is None else [f"{interval.low:.4f}", f"{interval.high:.4f}"]
        rows.append([score.name, value_text(score), *ends])
    return tsv(["metric", "value", "low", "high"], rows)


def _lag_scores(report: Report) -> list[Score]:
    found = (report.find("YAAL", "cu"), report.find("YAAL", "ca"), report.find("LAAL", "cu"))
    return [score for score in found if score]


def _slowest(report: Report) -> list[Table]:
    """The segments with the largest lag, their texts beside."""
    scores = _lag_scores(report)
    if not scores:
        return []
    values = scores[0].values
    order = sorted(
        (i for i, value in enumerate(values) if value is not None), key=lambda i: -(values[i] or 0.0)
    )[:SLOWEST]
    chrf = segment_chrf(report)
    rows = []
    for i in order:
        instance = report.instances[i]
        place = instance.recording if instance.recording is not None else ""
        lag = ["" if score.values[i] is None else f"{score.values[i]:.0f}" for score in scores]
        quality = "" if chrf[i] is None else f"{chrf[i]:.1f}"
        rows.append(
            [str(instance.index), place, *lag, quality, instance.reference or "", instance.prediction]
        )
    header = ["segment", "recording", *(score.name for score in scores), "chrF", "reference", "prediction"]
    return [
        Table(
            f"The {len(rows)} segments with the largest {scores[0].name}",
            header,
            rows,
            f"Of {len(values)} segments; --per-segment writes all of them.",
            folded=True,
        )
    ]


def _recordings(report: Report) -> list[Table]:
    """Lag slope and segments of every recording."""
    names = list(dict.fromkeys(i.recording for i in report.instances if i.recording is not None))
    if not names:
        return []
    slopes = [score for score in report.extra if score.metric == "LagSlope"]
    lag = _lag_scores(report)
    rows = []
    for position, name in enumerate(names):
        own = [i for i, instance in enumerate(report.instances) if instance.recording == name]
        row = [str(position + 1), str(name), str(len(own))]
        for score in lag:
            kept = [value for i in own if (value := score.values[i]) is not None]
            row.append(f"{math.fsum(kept) / len(kept):.0f}" if kept else "")
        for slope in slopes:
            value = slope.values[position] if position < len(slope.values) else None
            row.append("" if value is None else f"{value:+.4f}")
        rows.append(row)
    header = ["#", "recording", "segments", *(s.name for s in lag), *(s.name for s in slopes)]
    return [Table("Recordings", header, rows, "Lag in ms; slope in seconds of lag per second of source.")]


def _signatures(report: Report) -> Table:
    rows = [[s.name, s.signature] for s in report.all if s.signature]
    return Table("Signatures", ["metric", "signature"], rows, "How every value was computed.", folded=True)
