"""Scores as functions of weighted segments, so that corpora can be drawn again and systems exchanged."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from latency_metrics import degeneracy
from latency_metrics.base import Instance, Score
from latency_metrics.ngrams import bleu_of, bleu_rows, chrf_of, chrf_rows
from latency_metrics.quality import nfkc
from latency_metrics.registry import LagMax, LagMedian, LagP95
from latency_metrics.scoring.result import Report
from latency_metrics.units import LatencyUnit
from latency_metrics.word_lag import lags_of
from latency_metrics.yaal import YAAL

Floats = NDArray[np.float64]

_QUANTILES = {metric.name: metric for metric in (LagMedian, LagP95, LagMax)}


class Statistic(ABC):
    """A score of a corpus whose segments count as often as their weights say.

    Attributes:
        rows: number of segments.
    """

    rows: int

    @abstractmethod
    def values(self, weights: Floats) -> Floats:
        """Scores (b,) of b corpora; weights (b, rows) are numbers from 0, NaN where nothing is left."""

    @abstractmethod
    def stacked(self, other: Statistic) -> Statistic:
        """The score of both systems' segments together: this one's rows, then the other's."""


class Sums(Statistic):
    """A score that is a function of sums over segments: BLEU, chrF, means, ratios.

    Args:
        table: what each segment adds, (rows, k).
        value: score (b,) of sums (b, k).
    """

    def __init__(self, table: Floats, value: Callable[[Floats], Floats]) -> None:
        self.table = table
        self.value = value
        self.rows = len(table)

    def values(self, weights: Floats) -> Floats:
        """See `Statistic`."""
        return self.value(weights @ self.table)

    def stacked(self, other: Statistic) -> Statistic:
        """See `Statistic`."""
        assert isinstance(other, Sums)
        return Sums(np.concatenate([self.table, other.table]), self.value)


class UnitQuantile(Statistic):
    """A quantile over single units, each of which counts as often as its segment.

    Args:
        values_by_row: figures of the units of each segment.
        q: 0 to 1, as `latency_metrics.quantiles` defines it.
    """

    def __init__(self, values_by_row: Sequence[Sequence[float]], q: float) -> None:
        self.by_row = values_by_row
        self.q = q
        self.rows = len(values_by_row)
        flat = np.array([value for row in values_by_row for value in row], np.float64)
        owners = np.repeat(np.arange(self.rows), [len(row) for row in values_by_row])
        order = np.argsort(flat, kind="stable")
        self._sorted = flat[order]
        self._owners = owners[order]

    def values(self, weights: Floats) -> Floats:
        """See `Statistic`; weights are whole numbers."""
        found = np.full(len(weights), np.nan)
        for i, row in enumerate(weights):
            seen = np.cumsum(row[self._owners])
            if len(seen) == 0 or seen[-1] == 0:
                continue
            found[i] = self._sorted[np.searchsorted(seen, max(1.0, seen[-1] * self.q))]
        return found

    def stacked(self, other: Statistic) -> Statistic:
        """See `Statistic`."""
        assert isinstance(other, UnitQuantile)
        return UnitQuantile([*self.by_row, *other.by_row], self.q)


def _ratio(sums: Floats) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(sums[..., 1] > 0, sums[..., 0] / sums[..., 1], np.nan)


def mean_of(values: Sequence[float | None]) -> Sums:
    """The mean over the segments that have a value."""
    return Sums(np.array([[0.0, 0.0] if v is None else [v, 1.0] for v in values]).reshape(-1, 2), _ratio)


def statistics_of(report: Report) -> dict[str, Statistic]:
    """The scores of a report that are functions of its segments, by name.

    Left out: figures of whole recordings (slope, erasure, real-time factor) and the degeneracy flag.
    """
    unit: LatencyUnit = report.settings["latency_unit"]
    found: dict[str, Statistic] = {}
    texts: tuple[list[str], list[str]] | None = None
    for score in report.all:
        if score.metric in ("BLEU", "chrF"):
            texts = texts or _texts(report.instances, unit)
            tokenizer = str(report.settings["bleu_tokenizer"])
            found[score.name] = _quality(score, *texts, tokenizer)
        elif score.metric in _QUANTILES:
            metric = _QUANTILES[score.metric](clock=score.clock or "cu", latency_unit=unit)
            found[score.name] = UnitQuantile([lags_of(metric, i) for i in report.instances], metric.q)
        elif score.metric in _DEGENERACY:
            found[score.name] = _degeneracy(score.metric, report.instances, unit)
        elif score.values and score.per == "instance":
            found[score.name] = mean_of(score.values)
    return found


_DEGENERACY = (degeneracy.FRACTION, degeneracy.EXPECTED, degeneracy.TEST_VALUE)


def _texts(instances: Sequence[Instance], unit: LatencyUnit) -> tuple[list[str], list[str]]:
    """Predictions and references as they are scored; without a reference both are empty and count nothing."""
    hypotheses, references = [], []
    for instance in instances:
        reference = (instance.reference or "").strip()
        hypotheses.append("" if instance.reference is None else instance.prediction)
        references.append(reference.replace(" ", "") if unit == "char" else reference)
    return hypotheses, references


def _quality(score: Score, hypotheses: list[str], references: list[str], tokenizer: str) -> Sums:
    if score.normalized:
        hypotheses, references = [nfkc(text) for text in hypotheses], [nfkc(text) for text in references]
    if score.metric == "BLEU":
        return Sums(bleu_rows(hypotheses, references, tokenizer), bleu_of)
    return Sums(chrf_rows(hypotheses, references).astype(np.float64), chrf_of)


def _degeneracy(metric: str, instances: Sequence[Instance], unit: LatencyUnit) -> Sums:
    """SWF, EFSW or their difference from [early units, units, expected early time, time] per instance."""
    yaal = YAAL(latency_unit=unit)
    table = np.zeros((len(instances), 4))
    for row, instance in zip(table, instances, strict=True):
        times, length = instance.delays or (), instance.source_length
        if not times or length is None:
            continue
        row[:2] = [sum(1 for time in times if time < length), len(times)]
        lag = yaal.instance(instance)
        if lag is not None:
            row[2:] = [max(0.0, length - lag), length]

    def value(sums: Floats) -> Floats:
        early, expected = 100 * _ratio(sums[..., :2]), 100 * _ratio(sums[..., 2:])
        return {degeneracy.FRACTION: early, degeneracy.EXPECTED: expected}.get(metric, expected - early)

    return Sums(table, value)
