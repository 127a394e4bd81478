"""Bootstrap and paired tests: seeds, closed forms, every exchange by hand, and sacreBLEU's own paired tests."""

from __future__ import annotations

import math
import random
from itertools import product

import numpy as np
import pytest
from sacrebleu.metrics import BLEU
from sacrebleu.significance import PairedTest

from latency_metrics import Instance, MetricsError
from latency_metrics.ngrams import bleu_of, bleu_rows
from latency_metrics.reports.resampling import ResamplingPlan, holm, intervals, paired
from latency_metrics.reports.statistics import Sums, UnitQuantile, mean_of
from tests.latency_metrics.report_runs import WORDS


def utterances(count: int, per_recording: int | None = None) -> list[Instance]:
    return [
        Instance(i, recording=None if per_recording is None else f"r{i // per_recording}")
        for i in range(count)
    ]


def test_the_seed_decides_the_interval():
    values = list(np.random.default_rng(0).normal(10, 2, 50))
    plans = [ResamplingPlan(200, seed) for seed in (1, 1, 2)]
    found = [intervals({"m": mean_of(values)}, utterances(50), plan)["m"] for plan in plans]
    assert found[0] == found[1] != found[2]
    assert found[0].low < np.mean(values) < found[0].high


def test_interval_of_a_mean_is_that_of_the_normal_law():
    values = np.random.default_rng(1).normal(0, 3, 400)
    found = intervals({"m": mean_of(list(values))}, utterances(400), ResamplingPlan(4000))["m"]
    half = 1.96 * values.std() / math.sqrt(400)
    assert found.low == pytest.approx(values.mean() - half, abs=0.02)
    assert found.high == pytest.approx(values.mean() + half, abs=0.02)
    wider = intervals({"m": mean_of(list(values))}, utterances(400), ResamplingPlan(4000, confidence=0.99))[
        "m"
    ]
    assert wider.high - wider.low == pytest.approx((found.high - found.low) * 2.576 / 1.96, rel=0.05)


def test_documents_are_drawn_whole():
    # Within a recording the values cancel out, so drawing whole recordings moves nothing.
    values = [10.0, -10.0] * 12
    instances = utterances(24, per_recording=4)
    by_document = intervals({"m": mean_of(values)}, instances, ResamplingPlan(300, by="document"))["m"]
    by_segment = intervals({"m": mean_of(values)}, instances, ResamplingPlan(300, by="segment"))["m"]
    assert (by_document.low, by_document.high) == (0.0, 0.0)
    assert by_segment.high > 1


def test_one_document_cannot_be_drawn_from():
    with pytest.raises(MetricsError, match="draw by segment"):
        intervals(
            {"m": mean_of([1.0, 2.0])}, utterances(2, per_recording=2), ResamplingPlan(10, by="document")
        )


def test_identical_systems_do_not_differ():
    statistic = mean_of([float(i % 7) for i in range(40)])
    found = paired({"m": statistic}, {"m": statistic}, utterances(40), ResamplingPlan(200))["m"]
    assert (found.difference, found.p_bootstrap, found.p_randomisation) == (0.0, 1.0, 1.0)
    assert (found.interval.low, found.interval.high) == (0.0, 0.0)


def test_few_segments_are_exchanged_in_every_way():
    a, b = [1.0, 4.0, 2.5, 3.0, 9.0], [2.0, 6.0, 2.0, 5.5, 9.5]
    found = paired({"m": mean_of(a)}, {"m": mean_of(b)}, utterances(5), ResamplingPlan(100))["m"]
    observed = abs(sum(b) - sum(a))
    gaps = [y - x for x, y in zip(a, b, strict=True)]
    ways = product((1, -1), repeat=5)
    exchanged = [abs(sum(g * s for g, s in zip(gaps, signs, strict=True))) for signs in ways]
    reached = [difference >= observed - 1e-9 for difference in exchanged]
    assert found.exact
    assert found.p_randomisation == pytest.approx(sum(reached) / 32)


def test_a_real_difference_is_found_and_chance_is_not():
    draw = np.random.default_rng(4)
    base = draw.normal(3000, 800, 300)
    worse, same = base + draw.normal(150, 300, 300), base + draw.normal(0, 300, 300)
    plan = ResamplingPlan(1000)
    found = [
        paired({"m": mean_of(list(base))}, {"m": mean_of(list(other))}, utterances(300), plan)["m"]
        for other in (worse, same)
    ]
    assert found[0].p_bootstrap < 0.01
    assert found[0].p_randomisation < 0.01
    assert found[0].interval.low > 0
    assert found[1].p_bootstrap > 0.05
    assert found[1].p_randomisation > 0.05
    assert found[1].interval.low < 0 < found[1].interval.high


def test_quantiles_of_units_are_compared_too():
    a = [[1000.0 + 10 * i, 1500.0] for i in range(60)]
    b = [[lag + 400 for lag in row] for row in a]
    found = paired(
        {"q": UnitQuantile(a, 0.95)}, {"q": UnitQuantile(b, 0.95)}, utterances(60), ResamplingPlan(400)
    )["q"]
    assert found.difference == pytest.approx(400)
    assert found.p_randomisation < 0.01


@pytest.mark.parametrize(("kind", "which", "tails"), [("bs", "p_bootstrap", 2), ("ar", "p_randomisation", 1)])
def test_p_values_of_bleu_are_sacrebleus(kind, which, tails):
    # sacreBLEU counts one tail of the bootstrap, so our two-sided p is twice its.
    draw = random.Random(6)
    references = [" ".join(draw.choices(WORDS, k=9)) for _ in range(60)]

    def say(errors: float) -> list[str]:
        return [
            " ".join(draw.choice(WORDS) if draw.random() < errors else word for word in text.split())
            for text in references
        ]

    systems = [say(0.30), say(0.34)]
    test = PairedTest(
        [("a", systems[0]), ("b", systems[1])], {"BLEU": BLEU(references=[references])}, None, kind, 2000
    )
    expected = test()[1]["BLEU"][1].p_value
    rows = [Sums(bleu_rows(texts, references), bleu_of) for texts in systems]
    found = paired({"BLEU": rows[0]}, {"BLEU": rows[1]}, utterances(60), ResamplingPlan(2000))["BLEU"]
    assert 0.01 < expected < 0.9
    assert getattr(found, which) / tails == pytest.approx(expected, abs=0.04)


def test_holm_adjusts_a_family():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    adjusted = holm([0.5, math.nan, 0.4])
    assert adjusted[0] == pytest.approx(0.8)
    assert math.isnan(adjusted[1])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
