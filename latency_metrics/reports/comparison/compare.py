"""Several systems on the same segments: scores, differences from a baseline, and how sure they are."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from latency_metrics.base import Notice
from latency_metrics.errors import MetricsError
from latency_metrics.reports.resampling import Difference, Interval, ResamplingPlan, holm, intervals, paired
from latency_metrics.reports.statistics import Statistic, statistics_of
from latency_metrics.scoring.result import Report


@dataclass(frozen=True)
class System:
    """One system's run under the name it is shown by."""

    name: str
    report: Report


@dataclass(frozen=True)
class Comparison:
    """Systems against the first of them.

    Attributes:
        systems: the baseline first.
        metrics: scores that every system has, in the order of the baseline's report.
        statistics, intervals: per system, by name of the score.
        differences: per system after the baseline, by name of the score.
        adjusted: Holm-adjusted p of approximate randomisation per system, by name of the score; one family
            per score.
        plan: how corpora were drawn.
        notices: of the comparison, then those of every run, with the system's name.
    """

    systems: list[System]
    metrics: list[str]
    statistics: list[dict[str, Statistic]]
    intervals: list[dict[str, Interval]]
    differences: list[dict[str, Difference]]
    adjusted: list[dict[str, float]]
    plan: ResamplingPlan
    notices: list[Notice] = field(default_factory=list)

    @property
    def baseline(self) -> System:
        """The system that the others are compared with."""
        return self.systems[0]

    def value(self, system: int, metric: str) -> float:
        """A system's score."""
        return self.systems[system].report[metric].value


Step = Callable[[int, int, str], None]
"""Called after each system with (systems done, systems in all, name)."""


def compare(systems: Sequence[System], plan: ResamplingPlan, progress: Step | None = None) -> Comparison:
    """Compare systems with the first of them on every score that is a function of segments.

    Args:
        systems: runs on the same segments, the baseline first.
        plan: how corpora are drawn.
        progress: called after each system.

    Raises:
        MetricsError: there are fewer than two systems, two share a name, their segments differ in number, or
            there are too few segments or documents to draw from.
    """
    found = list(systems)
    notices = _matching(found)
    statistics = [statistics_of(system.report) for system in found]
    metrics = [name for name in statistics[0] if all(name in other for other in statistics)]
    notices += _left_out(found, statistics, metrics)
    least = (len(found) - 1) / (plan.samples + 1)
    if least > 0.05:
        reason = (
            f"{plan.samples} samples cannot make a difference between {len(found)} systems significant at 0.05; "
            f"draw {20 * (len(found) - 1)} or more"
        )
        notices.append(Notice("p adjusted", reason))
    notices += [
        replace(notice, where=f"{system.name}: {notice.where}")
        for system in found
        for notice in system.report.notices
    ]
    instances = found[0].report.instances
    kept = [{name: own[name] for name in metrics} for own in statistics]
    ends: list[dict[str, Interval]] = []
    differences: list[dict[str, Difference]] = []
    for number, (system, own) in enumerate(zip(found, kept, strict=True)):
        ends.append(intervals(own, instances, plan))
        if number:
            differences.append(paired(kept[0], own, instances, plan))
        if progress is not None:
            progress(number + 1, len(found), system.name)
    return Comparison(found, metrics, kept, ends, differences, _adjusted(differences, metrics), plan, notices)


def _matching(systems: Sequence[System]) -> list[Notice]:
    """Check that the systems were scored on the same segments; odd ones are named."""
    if len(systems) < 2:
        raise MetricsError("A comparison needs two or more systems.")
    names = [system.name for system in systems]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise MetricsError(f"Two systems are called {twice!r}; name them with NAME=FILE.")
    first = systems[0]
    notices = []
    for system in systems[1:]:
        ours, theirs = first.report.instances, system.report.instances
        if len(ours) != len(theirs):
            raise MetricsError(
                f"{first.name} has {len(ours)} segments and {system.name} has {len(theirs)}: systems are compared "
                "on the same segments."
            )
        pairs = zip(ours, theirs, strict=True)
        other = [
            str(a.index)
            for a, b in pairs
            if a.reference is not None
            and b.reference is not None
            and a.reference.strip() != b.reference.strip()
        ]
        if other:
            notices.append(
                Notice(
                    system.name,
                    f"{len(other)} segments have another reference than in {first.name}, first segment {other[0]}",
                )
            )
    return notices


def _left_out(
    systems: Sequence[System], statistics: Sequence[dict[str, Statistic]], metrics: Sequence[str]
) -> list[Notice]:
    known = dict.fromkeys(name for own in statistics for name in own)
    notices = []
    for name in known:
        if name not in metrics:
            holders = [system.name for system, own in zip(systems, statistics, strict=True) if name in own]
            notices.append(Notice(name, f"not compared, only {', '.join(holders)} has it"))
    return notices


def _adjusted(differences: Sequence[dict[str, Difference]], metrics: Sequence[str]) -> list[dict[str, float]]:
    found: list[dict[str, float]] = [{} for _ in differences]
    for name in metrics:
        values = holm([own[name].p_randomisation for own in differences])
        for own, value in zip(found, values, strict=True):
            own[name] = value
    return found


def stars(p: float) -> str:
    """Marks of significance: * below 0.05, ** below 0.01, *** below 0.001."""
    if math.isnan(p):
        return ""
    return "*" * sum(p < level for level in (0.05, 0.01, 0.001))
