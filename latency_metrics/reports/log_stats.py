"""What is in a log: sizes, order of times, writes, lag of single units, signs of degeneracy."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby, pairwise
from typing import Any

from latency_metrics import registry
from latency_metrics.base import CLOCK_LABELS, Clock, Instance, Notice, Score
from latency_metrics.clocks import with_queue
from latency_metrics.degeneracy import diagnose
from latency_metrics.reports.document import Document, Figure, Table, tsv
from latency_metrics.scoring.result import Report, absent_clocks, clocks_present, merge_notices, score_all
from latency_metrics.scoring.shortform import oddities
from latency_metrics.units import LatencyUnit

RUNAWAY = 0.2
"""Growth of CA over CU lag, s/s, from which CA times are taken to be cumulative."""

EVEN_PACE = (
    "Lag is measured against an even pace through the whole instance; of recordings, cut them into segments with "
    "`simul score longform` to measure it sentence by sentence."
)


@dataclass(frozen=True)
class LogStats:
    """Statistics of one log.

    Attributes:
        name: of the log.
        kind: what wrote it.
        figures: label to (value, unit), in the order they are shown; None where the log cannot say.
        instances: of the log.
        scores: lag scores of the whole log, with the value of every instance.
        notices: everything odd.
    """

    name: str
    kind: str
    figures: dict[str, tuple[float | None, str]]
    instances: list[Instance]
    scores: list[Score]
    notices: list[Notice]


def log_stats(name: str, kind: str, instances: Sequence[Instance], unit: LatencyUnit = "word") -> LogStats:
    """Statistics of a log's instances.

    Args:
        name: what the log is called.
        kind: "simuleval", "simulstream" or "resegmented".
        instances: utterances, recordings or segments.
        unit: how references are counted.
    """
    kept = [instance if kind == "simulstream" else with_queue(instance) for instance in instances]
    clocks = clocks_present(kept, ("cu", "ca", "queue"))
    scores = score_all(registry.LAG, kept, clocks, latency_unit=unit)
    notices = merge_notices(
        [
            absent_clocks(kept),
            *(oddities(instance) for instance in kept),
            *(score.notices for score in scores),
            _cumulative(scores),
        ]
    )
    figures = {**_sizes(kept), **_order(kept), **_lag(scores), **_signs(kept, unit)}
    return LogStats(name, kind, figures, kept, scores, notices)


def _cumulative(scores: Sequence[Score]) -> list[Notice]:
    """A notice when CA times run away from CU times, as SimulEval's cumulative clock does on recordings."""
    slopes = {score.clock: score.value for score in scores if score.metric == "LagSlope"}
    growth = slopes.get("ca", math.nan) - slopes.get("cu", math.nan)
    if not growth > RUNAWAY:
        return []
    reason = (
        f"CA times fall behind CU times by {growth:.2f} s per second of source: they are cumulative, "
        "score recordings with --fix_simuleval_emission_ca"
    )
    return [Notice("corpus", reason)]


def _units(instance: Instance) -> int:
    return len(instance.delays if instance.delays is not None else instance.elapsed or ())


Figures = dict[str, tuple[float | None, str]]


def _sizes(instances: Sequence[Instance]) -> Figures:
    units = sum(map(_units, instances))
    lengths = [
        i.source_length for i in instances if i.source_length is not None and i.source_kind == "speech"
    ]
    seconds = math.fsum(lengths) / 1000 if lengths else None
    runs = [[len(list(run)) for _, run in groupby(i.delays)] for i in instances if i.delays]
    writes = sum(map(len, runs))
    recordings = {i.recording for i in instances if i.recording is not None}
    return {
        "instances": (len(instances), ""),
        **({"recordings": (len(recordings), "")} if recordings else {}),
        "empty outputs": (sum(1 for i in instances if not _units(i)), ""),
        "units": (units, ""),
        "source": (seconds, "s"),
        "longest source": (max(lengths) / 1000 if lengths else None, "s"),
        "units per minute": (60 * units / seconds if seconds else None, ""),
        "writes": (writes or None, ""),
        "units per write": (units / writes if writes else None, ""),
        "largest write": (max((max(run) for run in runs), default=None), ""),
    }


def _order(instances: Sequence[Instance]) -> Figures:
    def back(times: Sequence[float] | None) -> int:
        return sum(1 for early, late in pairwise(times or ()) if late < early)

    late = [
        time >= instance.source_length
        for instance in instances
        if instance.source_length
        for time in instance.delays or ()
    ]
    before = sum(
        1
        for i in instances
        if i.delays and i.elapsed
        for d, e in zip(i.delays, i.elapsed, strict=False)
        if e < d
    )
    return {
        "steps back of CU times": (sum(back(i.delays) for i in instances), ""),
        "steps back of CA times": (sum(back(i.elapsed) for i in instances), ""),
        "units with CA before CU": (before, ""),
        "units at or after the end": (100 * sum(late) / len(late) if late else None, "%"),
    }


def _lag(scores: Sequence[Score]) -> Figures:
    names = {
        "LagP50": "lag, median", "LagP95": "lag, 95 %", "LagMax": "lag, largest", "LagSlope": "lag, slope",
        "FirstTextDelay": "first unit after",
    }  # fmt: skip
    found: Figures = {}
    for score in scores:
        label = f"{names[score.metric]} ({CLOCK_LABELS[score.clock or 'cu']})"
        scale = 1000.0 if score.unit == "ms" else 1.0
        found[label] = (score.value / scale, "s" if score.unit == "ms" else score.unit)
    return found


def _signs(instances: Sequence[Instance], unit: LatencyUnit) -> Figures:
    diagnosis = diagnose(instances, latency_unit=unit)
    found: Figures = {
        "SWF": (diagnosis.swf, "%"),
        "EFSW": (diagnosis.efsw, "%"),
        "DSPTV": (diagnosis.dsptv, "%"),
        "degenerate": (float(diagnosis.degenerate), "flag"),
    }
    if any(instance.stream for instance in instances):
        for metric in registry.STREAM:
            found[metric.name] = (metric().corpus(instances).value, "ratio")
    return found


def document(logs: Sequence[LogStats], unit: LatencyUnit = "word") -> Document:
    """The document of one log or several, a column each."""
    labels = list(dict.fromkeys(label for log in logs for label in log.figures))
    rows = [[label, *(shown(*log.figures.get(label, (None, ""))) for log in logs)] for label in labels]
    rows.insert(0, ["format", *(log.kind for log in logs)])
    several = len(logs) > 1
    notices = [
        replace(notice, where=f"{log.name}: {notice.where}") if several else notice
        for log in logs
        for notice in log.notices
    ]
    whole = any(log.kind != "resegmented" for log in logs)
    note = EVEN_PACE if whole else ""
    flat = [[log.name, label, value, part] for log in logs for label, (value, part) in log.figures.items()]
    figures = [figure for log in logs for figure in _figures(log, unit, several)]
    return Document(
        title="Statistics of " + (f"{len(logs)} logs" if several else logs[0].name),
        tables=[Table("What is in it", ["", *(log.name for log in logs)], rows, note)],
        data={"logs": [_data(log) for log in logs]},
        tsv=tsv(["log", "figure", "value", "unit"], flat),
        figures=figures,
        details=[_instances(log, several) for log in logs],
        notices=notices,
        settings={"latency_unit": unit},
    )


def shown(value: float | None, unit: str) -> str:
    """A figure with its unit, "n/a" where there is none."""
    if value is None or math.isnan(value):
        return "n/a"
    if unit == "flag":
        return "YES" if value else "NO"
    if float(value).is_integer() and unit == "":
        return f"{value:.0f}"
    digits = {"s/s": 5, "ratio": 4, "%": 2}.get(unit, 2)
    return f"{value:.{digits}f}" + (f" {unit}" if unit not in ("", "ratio") else "")


def _figures(log: LogStats, unit: LatencyUnit, several: bool) -> list[Figure]:
    from latency_metrics.reports.run.figures import histogram, over_time

    clocks: list[Clock] = [
        clock
        for clock in clocks_present(log.instances)
        if any((s.metric, s.clock) == ("LagP50", clock) and s.counted for s in log.scores)
    ]
    if not clocks:
        return []
    named = [
        instance if instance.recording is not None else replace(instance, recording=str(instance.index))
        for instance in log.instances
    ]
    report = Report("stats", [], named, settings={"latency_unit": unit})
    prefix = f"{log.name}: " if several else ""
    drawn = [histogram(report, clocks)]
    long = [i for i in named if (i.source_length or 0) >= 60_000 or i.offset]
    if long:
        recordings = list(dict.fromkeys(str(instance.recording) for instance in long))
        drawn.append(over_time(report, clocks, recordings))
    return [replace(figure, title=prefix + figure.title) for figure in drawn]


def _instances(log: LogStats, several: bool) -> Table:
    """Size and lag of every instance."""
    median = {s.name: s.values for s in log.scores if s.metric in ("LagP50", "LagP95", "LagMax")}
    rows = []
    for i, instance in enumerate(log.instances):
        length = "" if instance.source_length is None else f"{instance.source_length / 1000:.2f}"
        lag = ["" if v[i] is None else f"{(v[i] or 0.0) / 1000:.2f}" for v in median.values()]
        rows.append([str(instance.index), instance.recording or "", str(_units(instance)), length, *lag])
    title = f"Instances of {log.name}" if several else "Instances"
    return Table(
        title, ["instance", "recording", "units", "source, s", *median], rows, "Lag in s.", folded=True
    )


def _data(log: LogStats) -> dict[str, Any]:
    instances = []
    for i, instance in enumerate(log.instances):
        entry: dict[str, Any] = {
            "index": instance.index,
            "recording": instance.recording,
            "units": _units(instance),
            "source_length": instance.source_length,
        }
        for score in log.scores:
            if len(score.values) == len(log.instances):
                entry[score.name] = score.values[i]
        instances.append(entry)
    return {
        "name": log.name,
        "format": log.kind,
        "figures": {label: {"value": value, "unit": unit} for label, (value, unit) in log.figures.items()},
        "instances": instances,
    }
