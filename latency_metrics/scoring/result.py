"""The result of scoring a run: scores in OmniSTEval's order and names, the instances, and every notice."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from latency_metrics.base import Clock, Instance, Metric, Notice, Score
from latency_metrics.errors import MetricsError

_CLOCKS: tuple[Clock, ...] = ("cu", "ca")


@dataclass(frozen=True)
class Report:
    """Scores of one run.

    Attributes:
        mode: "shortform" or "longform".
        scores: quality first, then latency (CU), latency (CA), then the mode's diagnostics.
        instances: what was scored, in order.
        notices: everything that was skipped, left out or repaired, each named.
        settings: options in force.
        extra: scores that OmniSTEval does not have (lag distribution, split, queueing clock, erasure).
        dropped: (recording, position, unit) of every unit that resegmentation gave to no segment.
    """

    mode: str
    scores: list[Score]
    instances: list[Instance]
    notices: list[Notice] = field(default_factory=list)
    settings: Mapping[str, Any] = field(default_factory=dict)
    extra: list[Score] = field(default_factory=list)
    dropped: list[tuple[str, int, str]] = field(default_factory=list)

    def __getitem__(self, name: str) -> Score:
        """The score called `name`, such as "LongYAAL (CU)".

        Raises:
            MetricsError: the report has no such score.
        """
        for score in self.all:
            if score.name == name:
                return score
        known = ", ".join(score.name for score in self.all)
        raise MetricsError(f"The report has no score {name!r}; it has {known}.")

    def __contains__(self, name: str) -> bool:
        return any(score.name == name for score in self.all)

    @property
    def all(self) -> tuple[Score, ...]:
        """`scores`, then `extra`."""
        return (*self.scores, *self.extra)

    def find(self, metric: str, clock: Clock | None = None) -> Score | None:
        """The score of a metric under a clock, of its long form where the report is of that mode."""
        names = (metric,) if self.mode == "shortform" else (f"Long{metric}", metric)
        found = (s for name in names for s in self.all if (s.metric, s.clock) == (name, clock))
        return next((score for score in found if not score.normalized), None)

    def scores_tsv(self) -> str:
        """The `scores.tsv` that OmniSTEval 0.1.10 writes: header, one score per line, four decimals."""
        lines = ["metric\tvalue"]
        for score in self.scores:
            lines.append(f"{score.name}\t{value_text(score)}")
        return "\n".join(lines) + "\n"

    def write_scores_tsv(self, folder: str | Path) -> Path:
        """Write `scores.tsv` into `folder` (made when missing) and return its path."""
        path = Path(folder) / "scores.tsv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self.scores_tsv(), encoding="utf-8")
        return path


def value_text(score: Score) -> str:
    """A score's value as `scores.tsv` prints it."""
    if score.unit == "flag":
        return "N/A" if math.isnan(score.value) else ("YES" if score.value else "NO")
    return "NaN" if math.isnan(score.value) else f"{score.value:.4f}"


def clocks_present(instances: Sequence[Instance], clocks: Iterable[Clock] = _CLOCKS) -> list[Clock]:
    """The clocks for which at least one instance has times."""
    return [clock for clock in clocks if any(instance.times(clock) for instance in instances)]


def absent_clocks(instances: Sequence[Instance]) -> list[Notice]:
    """A notice for each of the clocks CU and CA for which no instance has times."""
    present = clocks_present(instances)
    return [
        Notice("corpus", f"no instance has {clock.upper()} times; the scores ({clock.upper()}) are left out")
        for clock in _CLOCKS
        if clock not in present
    ]


def score_all(
    metrics: Iterable[type[Metric]], instances: Sequence[Instance], clocks: Iterable[Clock], **options: Any
) -> list[Score]:
    """Corpus scores of every metric under every clock, clock by clock."""
    kept = list(metrics)
    return [metric(clock=clock, **options).corpus(instances) for clock in clocks for metric in kept]


def merge_notices(groups: Iterable[Iterable[Notice]]) -> list[Notice]:
    """All notices once each, in order of first appearance, with every metric that one was given for."""
    found: dict[tuple[str, str], dict[str, None]] = {}
    for notice in (notice for group in groups for notice in group):
        found.setdefault((notice.where, notice.reason), {}).update(dict.fromkeys(notice.metrics))
    return [Notice(where, reason, tuple(metrics)) for (where, reason), metrics in found.items()]
