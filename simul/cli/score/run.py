"""What scoring one run has in common: COMET, intervals, the document, OmniSTEval's files."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from simul.cli.context import Context
from simul.cli.score.output import deliver, rendered, writing
from simul.errors import ExitCode

if TYPE_CHECKING:
    from latency_metrics.base import Notice
    from latency_metrics.reports.document import Document
    from latency_metrics.reports.resampling import ResamplingPlan
    from latency_metrics.scoring.result import Report


def finish(report: Report, title: str, given: argparse.Namespace, context: Context) -> int:
    """Complete a report and write everything that was asked for; the exit code says whether parts are missing.

    Raises:
        MetricsError: no score has a value.
        SimulError: a file cannot be written.
        MetricsError: an interval or COMET cannot be computed with what was given.
    """
    check_scored(report, title)
    if given.comet and not given.no_quality:
        report = with_comet(report, given)
    document = build(report, title, given)
    write_per_segment(report, given, context)
    if given.output_folder:
        _write_folder(report, document, Path(given.output_folder), context)
    deliver(document, given, context)
    return exit_code(report)


def exit_code(report: Report) -> int:
    """6 where a recording is missing on either side, as where `simul eval` misses recordings."""
    from latency_metrics.scoring.resegmentation import MISSING, UNKNOWN

    missing = any(notice.reason in (MISSING, UNKNOWN) for notice in report.notices)
    return ExitCode.PARTIAL if missing else ExitCode.OK


def check_scored(report: Report, title: str) -> None:
    """Refuse a report without any value.

    Raises:
        MetricsError: it has none, with the reason that its notices give.
    """
    from latency_metrics.errors import MetricsError

    if any(score.value == score.value for score in report.scores):
        return
    what = title.partition(": ")[2] or title
    why = next((f" ({notice})" for notice in report.notices), "")
    raise MetricsError(f"Nothing in {what} can be scored{why}.")


def write_per_segment(report: Report, given: argparse.Namespace, context: Context) -> None:
    """Write the scores of every segment where --per-segment asks for them.

    Raises:
        SimulError: the file cannot be written.
    """
    if not given.per_segment:
        return
    from latency_metrics.reports.segments import segment_records, write_segments

    with writing(given.per_segment):
        write_segments(given.per_segment, segment_records(report))
    context.note(f"Wrote {given.per_segment}.")


def plan_of(given: argparse.Namespace) -> ResamplingPlan:
    """How corpora are drawn, by the flags."""
    from latency_metrics.reports.resampling import ResamplingPlan

    return ResamplingPlan(given.bootstrap, given.seed, given.bootstrap_by, given.confidence)


def build(report: Report, title: str, given: argparse.Namespace) -> Document:
    """The document of a report, with intervals when they are asked for; pages also compare recordings."""
    from latency_metrics.errors import MetricsError
    from latency_metrics.reports.run.document import document

    if not given.bootstrap:
        return document(report, title=title)
    from latency_metrics.base import Notice
    from latency_metrics.reports.resampling import intervals
    from latency_metrics.reports.statistics import statistics_of

    plan = plan_of(given)
    statistics = statistics_of(report)
    try:
        found = intervals(statistics, report.instances, plan)
    except MetricsError as error:
        notices: list[Notice] = [*report.notices, Notice("corpus", f"no confidence intervals: {error}")]
        return document(replace(report, notices=notices), title=title, statistics=statistics)
    return document(report, title=title, statistics=statistics, intervals=found, plan=plan)


def with_comet(report: Report, given: argparse.Namespace) -> Report:
    """The report with COMET after chrF, or with a notice why there is none."""
    from latency_metrics.base import Notice
    from latency_metrics.errors import MetricsError
    from latency_metrics.formats import read_lines
    from latency_metrics.reports.comet import comet

    sources = read_lines(given.source_sentences_file)
    try:
        score = comet(report.instances, sources, model=given.comet_model, download=given.allow_download)
    except MetricsError as error:
        return replace(report, notices=[*report.notices, Notice("corpus", f"no COMET: {error}")])
    position = next((i + 1 for i, s in enumerate(report.scores) if s.name == "chrF"), 0)
    scores = [*report.scores[:position], score, *report.scores[position:]]
    return replace(report, scores=scores, notices=[*report.notices, *score.notices])


def _write_folder(report: Report, document: Document, folder: Path, context: Context) -> None:
    """scores.tsv, evaluation_report.txt and, for recordings cut here, instances.resegmented.jsonl."""
    from latency_metrics.formats import write_resegmented

    with writing(folder):
        report.write_scores_tsv(folder)
        (folder / "evaluation_report.txt").write_text(rendered(document, "table", context), encoding="utf-8")
        if report.settings.get("resegmentation"):
            write_resegmented(folder / "instances.resegmented.jsonl", report.instances)
    context.note(f"Wrote the scores to {folder}.")
