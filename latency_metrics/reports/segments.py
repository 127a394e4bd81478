"""What single segments scored: rows for files and tables."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from latency_metrics.base import Instance, Score
from latency_metrics.reports.document import finite, tsv
from latency_metrics.scoring.result import Report


def segment_scores(report: Report) -> list[Score]:
    """Scores of a report that have one value per segment, in order."""
    return [score for score in report.all if score.values and score.per == "instance"]


def segment_chrf(report: Report) -> list[float | None]:
    """chrF of every segment on its own; None without a reference, or when the report has no quality."""
    if "chrF" not in report:
        return [None] * len(report.instances)
    from latency_metrics.ngrams import chrf_of, chrf_rows

    char_level = report.settings.get("latency_unit") == "char"
    references = [(instance.reference or "").strip() for instance in report.instances]
    if char_level:
        references = [text.replace(" ", "") for text in references]
    values = chrf_of(
        chrf_rows([instance.prediction for instance in report.instances], references).astype(float)
    )
    return [
        None if instance.reference is None else float(value)
        for instance, value in zip(report.instances, values, strict=True)
    ]


def segment_records(report: Report) -> list[dict[str, Any]]:
    """One mapping per segment: where it is, its texts, its scores (None where it has none)."""
    scores = segment_scores(report)
    records = []
    for i, (instance, chrf) in enumerate(zip(report.instances, segment_chrf(report), strict=True)):
        record = {
            "index": instance.index,
            "recording": instance.recording,
            "segment": instance.segment,
            "offset": instance.offset,
            "source_length": instance.source_length,
            "units": _units(instance),
            "chrF": chrf,
            **{score.name: score.values[i] for score in scores},
            "prediction": instance.prediction,
            "reference": instance.reference,
        }
        records.append(record)
    return records


def _units(instance: Instance) -> int | None:
    for times in (instance.delays, instance.elapsed):
        if times is not None:
            return len(times)
    return None


def write_segments(path: str | Path, records: Sequence[dict[str, Any]]) -> None:
    """Write records as .jsonl or, with any other suffix, as TSV; the folder is made when missing."""
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.suffix.lower() == ".jsonl":
        lines = [json.dumps(finite(record), ensure_ascii=False) for record in records]
        target.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
        return
    header = list(records[0]) if records else []
    target.write_text(tsv(header, [list(record.values()) for record in records]), encoding="utf-8")
