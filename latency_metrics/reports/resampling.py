"""Confidence intervals by bootstrap and paired tests between systems, from a seed.

Efron and Tibshirani 1993 (percentile interval); Koehn 2004 and Riezler and Maxwell 2005 (paired bootstrap and
approximate randomisation, two-sided); Holm 1979 (several comparisons). sacreBLEU's own draws know no latency and no
recordings; here every score of every system comes from the same corpora, BLEU of 1,000 of them in
about the time that sacreBLEU takes (60 and 75 ms, `python -m benchmarks.own_code bootstrap`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from latency_metrics.base import Instance
from latency_metrics.errors import MetricsError
from latency_metrics.quantiles import quantiles
from latency_metrics.reports.statistics import Floats, Statistic

By = Literal["segment", "document"]
"""What is drawn or exchanged: single segments, or whole recordings."""

_CELLS = 4_000_000
"""Weights kept at a time."""


@dataclass(frozen=True)
class Interval:
    """A confidence interval of a score.

    Attributes:
        low, high: its ends.
    """

    low: float
    high: float


@dataclass(frozen=True)
class ResamplingPlan:
    """How corpora are drawn.

    Attributes:
        samples: corpora drawn.
        seed: of the random numbers; the same seed gives the same corpora for every score and every system.
        by: what is drawn, see `By`.
        confidence: level of the intervals, between 0 and 1.
    """

    samples: int = 1000
    seed: int = 12345
    by: By = "segment"
    confidence: float = 0.95

    def groups(self, instances: Sequence[Instance]) -> NDArray[np.int64]:
        """Number of the group, from 0, that each instance is drawn with.

        Raises:
            MetricsError: there are fewer than two groups, so nothing can be drawn.
        """
        keys = [
            instance.recording if self.by == "document" and instance.recording is not None else i
            for i, instance in enumerate(instances)
        ]
        numbers = {key: number for number, key in enumerate(dict.fromkeys(keys))}
        if len(numbers) < 2:
            raise MetricsError(
                f"A bootstrap by {self.by} needs two or more of them, there are {len(numbers)}; "
                + ("draw by segment instead." if self.by == "document" else "leave it out.")
            )
        return np.array([numbers[key] for key in keys], np.int64)

    def drawn(self, groups: NDArray[np.int64]) -> Iterator[Floats]:
        """Weights of the rows in the drawn corpora, blocks of (b, rows): groups drawn with replacement."""
        rng = np.random.default_rng(self.seed)
        count = int(groups.max()) + 1
        for size in self._blocks(len(groups)):
            picked = rng.integers(count, size=(size, count)) + count * np.arange(size)[:, None]
            drawn = np.bincount(picked.ravel(), minlength=size * count).reshape(size, count)
            yield drawn[:, groups].astype(np.float64)

    def exchanges(self, groups: NDArray[np.int64]) -> tuple[Iterator[Floats], bool]:
        """Which rows change sides, blocks of (b, rows) of 0 and 1, and whether these are all the ways there
        are (each once) instead of a random draw."""
        count = int(groups.max()) + 1
        if count < 40 and 2**count <= self.samples:
            ways = (np.arange(2**count)[:, None] >> np.arange(count)) & 1
            return iter([ways[:, groups].astype(np.float64)]), True
        rng = np.random.default_rng([self.seed, 1])
        blocks = (
            rng.integers(2, size=(size, count))[:, groups].astype(np.float64)
            for size in self._blocks(len(groups))
        )
        return blocks, False

    def _blocks(self, rows: int) -> list[int]:
        size = max(1, min(self.samples, _CELLS // max(1, rows)))
        whole, rest = divmod(self.samples, size)
        return [size] * whole + ([rest] if rest else [])


def intervals(
    statistics: Mapping[str, Statistic], instances: Sequence[Instance], plan: ResamplingPlan
) -> dict[str, Interval]:
    """Percentile bootstrap interval of each score, all from the same drawn corpora.

    Raises:
        MetricsError: there are fewer than two segments or documents.
    """
    if plan.samples < 1:
        return {}
    drawn = _replicates(statistics, plan, plan.groups(instances))
    return {name: _interval(values, plan) for name, values in drawn.items()}


def _replicates(
    statistics: Mapping[str, Statistic], plan: ResamplingPlan, groups: NDArray[np.int64]
) -> dict[str, Floats]:
    parts: dict[str, list[Floats]] = {name: [] for name in statistics}
    for weights in plan.drawn(groups):
        for name, statistic in statistics.items():
            parts[name].append(statistic.values(weights))
    return {name: np.concatenate(values) for name, values in parts.items()}


def _interval(values: Floats, plan: ResamplingPlan) -> Interval:
    kept = values[np.isfinite(values)]
    return Interval(*quantiles(kept, (1 - plan.confidence) / 2, (1 + plan.confidence) / 2))


@dataclass(frozen=True)
class Difference:
    """How a score of a system differs from the baseline's.

    Attributes:
        baseline, value: the two scores.
        interval: of `value` − `baseline`.
        p_bootstrap: two-sided p of the paired bootstrap.
        p_randomisation: two-sided p of approximate randomisation.
        exact: whether every exchange was tried instead of a draw.
    """

    baseline: float
    value: float
    interval: Interval
    p_bootstrap: float
    p_randomisation: float
    exact: bool

    @property
    def difference(self) -> float:
        """`value` − `baseline`."""
        return self.value - self.baseline


def paired(
    baseline: Mapping[str, Statistic],
    system: Mapping[str, Statistic],
    instances: Sequence[Instance],
    plan: ResamplingPlan,
) -> dict[str, Difference]:
    """Compare a system with the baseline on the same segments, for every score that both have.

    Args:
        baseline: statistics of the baseline.
        system: statistics of the other system.
        instances: the baseline's segments; they tell documents apart.
        plan: how to draw.

    Raises:
        MetricsError: there are fewer than two segments or documents.
    """
    groups = plan.groups(instances)
    names = [name for name in baseline if name in system]
    both = {name: baseline[name].stacked(system[name]) for name in names}
    ones, zeros = np.ones((1, len(groups))), np.zeros((1, len(groups)))
    drawn: dict[str, list[Floats]] = {name: [] for name in names}
    for weights in plan.drawn(groups):
        for name in names:
            drawn[name].append(system[name].values(weights) - baseline[name].values(weights))
    exchanged: dict[str, list[Floats]] = {name: [] for name in names}
    blocks, exact = plan.exchanges(groups)
    for swap in blocks:
        first, second = np.concatenate([1 - swap, swap], 1), np.concatenate([swap, 1 - swap], 1)
        for name in names:
            exchanged[name].append(both[name].values(second) - both[name].values(first))
    found = {}
    for name in names:
        before = float(both[name].values(np.concatenate([ones, zeros], 1))[0])
        after = float(both[name].values(np.concatenate([zeros, ones], 1))[0])
        differences = np.concatenate(drawn[name])
        found[name] = Difference(
            before,
            after,
            _interval(differences, plan),
            _p(_centred(differences), after - before, False),
            _p(np.concatenate(exchanged[name]), after - before, exact),
            exact,
        )
    return found


def _centred(differences: Floats) -> Floats:
    finite = differences[np.isfinite(differences)]
    return finite - finite.mean() if len(finite) else finite


def _p(under_null: Floats, observed: float, exact: bool) -> float:
    """Share of differences under the null hypothesis at least as large as the observed one, both ways."""
    kept = under_null[np.isfinite(under_null)]
    if len(kept) == 0 or not np.isfinite(observed):
        return float("nan")
    # Sums in another order differ in the last bits; such a difference counts as equal.
    reached = int(np.count_nonzero(np.abs(kept) >= abs(observed) * (1 - 1e-9) - 1e-12))
    return reached / len(kept) if exact else (reached + 1) / (len(kept) + 1)


def holm(p_values: Sequence[float]) -> list[float]:
    """p values adjusted for being one family of tests (Holm); NaN stays and does not count."""
    tested = sorted((p, i) for i, p in enumerate(p_values) if p == p)
    adjusted = [float("nan")] * len(p_values)
    running = 0.0
    for rank, (p, i) in enumerate(tested):
        running = max(running, min(1.0, p * (len(tested) - rank)))
        adjusted[i] = running
    return adjusted
