"""The document of a comparison: values, differences with p values, planes of quality and latency."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from latency_metrics.base import Clock
from latency_metrics.legend import paragraph
from latency_metrics.reports.comparison.compare import Comparison, stars
from latency_metrics.reports.comparison.figures import figures
from latency_metrics.reports.document import Document, Table, tsv
from latency_metrics.reports.resampling import Interval
from latency_metrics.reports.run.document import interval_text

_LATENCY = ("YAAL", "LAAL", "LagP95")


def document(comparison: Comparison, title: str) -> Document:
    """The document of a comparison."""
    key = key_metrics(comparison)
    plan = comparison.plan
    rest = [name for name in comparison.metrics if name not in key]
    details = [_differences(comparison, rest, "Differences in the other scores", folded=True)] if rest else []
    return Document(
        title=title,
        tables=[_values(comparison, key), _differences(comparison, key, _heading(comparison))],
        data=_data(comparison),
        tsv=_tsv(comparison),
        figures=figures(comparison),
        details=details,
        notices=comparison.notices,
        settings={
            **comparison.baseline.report.settings,
            "baseline": comparison.baseline.name,
            "samples": plan.samples,
            "drawn by": plan.by,
            "seed": plan.seed,
            "confidence": plan.confidence,
        },
    )


def _heading(comparison: Comparison) -> str:
    return f"Differences from {comparison.baseline.name}"


def key_metrics(comparison: Comparison) -> list[str]:
    """The scores that the first tables show: quality, YAAL, LAAL and the 95th percentile of lag."""
    report = comparison.baseline.report
    wanted = [report.find(metric) for metric in ("BLEU", "chrF", "COMET")]
    clocks: tuple[Clock, ...] = ("cu", "ca")
    wanted += [report.find(metric, clock) for clock in clocks for metric in _LATENCY]
    return [score.name for score in wanted if score and score.name in comparison.metrics]


def _digits(comparison: Comparison, metric: str) -> int:
    """Digits after the point that a score is shown with."""
    return {"%": 2, "ms": 0, "count": 0}.get(comparison.baseline.report[metric].unit, 4)


def _figure(value: float, digits: int) -> str:
    return "NaN" if math.isnan(value) else f"{value:.{digits}f}"


def _values(comparison: Comparison, metrics: Sequence[str]) -> Table:
    rows = []
    for number, system in enumerate(comparison.systems):
        row = [str(number + 1), system.name]
        for name in metrics:
            mark = stars(comparison.adjusted[number - 1][name]) if number else ""
            row.append(_figure(comparison.value(number, name), _digits(comparison, name)) + mark)
        rows.append(row)
    note = (
        f"Latency in ms. Stars: different from {comparison.baseline.name} by approximate randomisation, "
        "p adjusted after Holm over the systems: * < 0.05, ** < 0.01, *** < 0.001."
    )
    legend = paragraph((name, comparison.value(0, name)) for name in metrics)
    return Table("Systems", ["#", "system", *metrics], rows, f"{note} {legend}")


def _differences(comparison: Comparison, metrics: Sequence[str], title: str, folded: bool = False) -> Table:
    rows = []
    for number, system in enumerate(comparison.systems[1:]):
        for name in metrics:
            found, digits = comparison.differences[number][name], _digits(comparison, name)
            rows.append(
                [
                    system.name,
                    name,
                    _figure(found.value, digits),
                    _signed(found.difference, digits),
                    interval_text(found.interval, digits),
                    _p(found.p_bootstrap),
                    _p(found.p_randomisation),
                    _p(comparison.adjusted[number][name]),
                ]
            )
    header = [
        "system", "metric", "value", "difference", f"{comparison.plan.confidence:.0%} interval",
        "p bootstrap", "p randomisation", "p adjusted",
    ]  # fmt: skip
    exact = any(own[name].exact for own in comparison.differences for name in metrics)
    note = "Two-sided paired tests. Adjusted: approximate randomisation after Holm, one family per score."
    if exact:
        groups = len(set(comparison.plan.groups(comparison.baseline.report.instances).tolist()))
        least = f"{2 / 2**groups:.3g}"
        note += f" All 2^{groups} exchanges were tried, so no p of randomisation is below {least}."
    return Table(title, header, rows, note, folded)


def _signed(value: float, digits: int) -> str:
    return "NaN" if math.isnan(value) else f"{value:+.{digits}f}".replace("-", "−")


def _p(value: float) -> str:
    if math.isnan(value):
        return "n/a"
    return "<0.001" if value < 0.001 else f"{value:.3f}"


def _pair(interval: Interval | None) -> list[float] | None:
    return None if interval is None else [interval.low, interval.high]


def _records(comparison: Comparison) -> list[dict[str, Any]]:
    records = []
    for number, system in enumerate(comparison.systems):
        for name in comparison.metrics:
            record: dict[str, Any] = {
                "system": system.name,
                "metric": name,
                "value": comparison.value(number, name),
                "interval": _pair(comparison.intervals[number].get(name)),
            }
            if number:
                found = comparison.differences[number - 1][name]
                record |= {
                    "difference": found.difference,
                    "difference_interval": _pair(found.interval),
                    "p_bootstrap": found.p_bootstrap,
                    "p_randomisation": found.p_randomisation,
                    "exact": found.exact,
                    "p_adjusted": comparison.adjusted[number - 1][name],
                }
            records.append(record)
    return records


def _data(comparison: Comparison) -> dict[str, Any]:
    plan = comparison.plan
    return {
        "mode": comparison.baseline.report.mode,
        "segments": len(comparison.baseline.report.instances),
        "baseline": comparison.baseline.name,
        "bootstrap": {
            "samples": plan.samples,
            "seed": plan.seed,
            "by": plan.by,
            "confidence": plan.confidence,
        },
        "systems": [system.name for system in comparison.systems],
        "results": _records(comparison),
    }


def _tsv(comparison: Comparison) -> str:
    header = [
        "system", "metric", "value", "low", "high", "difference", "difference_low", "difference_high",
        "p_bootstrap", "p_randomisation", "p_adjusted",
    ]  # fmt: skip
    rows = []
    for record in _records(comparison):
        cells = [
            record["value"],
            *(record["interval"] or (None, None)),
            record.get("difference"),
            *(record.get("difference_interval") or (None, None)),
            record.get("p_bootstrap"),
            record.get("p_randomisation"),
            record.get("p_adjusted"),
        ]
        rows.append([record["system"], record["metric"], *(None if c is None else f"{c:.4f}" for c in cells)])
    return tsv(header, rows)
