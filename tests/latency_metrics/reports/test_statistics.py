"""Scores from weighted segments equal the scores of the corpora that the weights describe."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sacrebleu.metrics import BLEU, CHRF

from latency_metrics import Instance, score_resegmented, score_shortform
from latency_metrics.ngrams import bleu_of, bleu_rows, chrf_of, chrf_rows
from latency_metrics.reports.statistics import UnitQuantile, mean_of, statistics_of
from tests.latency_metrics.report_runs import run

words = st.sampled_from(["ab", "abc", "b", "c.", "d", "eee", "", "über"])
text = st.lists(words, max_size=7).map(" ".join)
corpora = st.lists(st.tuples(text, text), min_size=1, max_size=6)


@settings(max_examples=60)
@given(corpora)
def test_bleu_of_summed_rows_is_sacrebleus(pairs):
    hypotheses, references = [h for h, _ in pairs], [r for _, r in pairs]
    expected = BLEU().corpus_score(hypotheses, [references]).score
    got = bleu_of(bleu_rows(hypotheses, references).sum(axis=0)[None])[0]
    assert got == pytest.approx(expected, rel=1e-9, abs=1e-9)


@settings(max_examples=60)
@given(corpora)
def test_chrf_of_summed_rows_is_sacrebleus(pairs):
    hypotheses, references = [h for h, _ in pairs], [r for _, r in pairs]
    expected = CHRF().corpus_score(hypotheses, [references]).score
    got = chrf_of(chrf_rows(hypotheses, references).sum(axis=0).astype(float)[None])[0]
    assert got == pytest.approx(expected, rel=1e-9, abs=1e-9)


def test_weights_of_one_give_every_score_of_the_report():
    report = run()
    found = statistics_of(report)
    assert {"BLEU", "chrF", "LongYAAL (CU)", "LongAP (CA)", "LagP95 (CU)", "LagMax (CA)"} <= set(found)
    for name, statistic in found.items():
        value = statistic.values(np.ones((1, len(report.instances))))[0]
        assert value == pytest.approx(report[name].value, rel=1e-9), name


def test_shortform_diagnostics_are_statistics_of_segments():
    instances = [
        Instance(
            i,
            prediction="a b c",
            reference="a b c d",
            delays=[900.0, 1400.0, 2000.0 - 10 * i],
            source_length=2000.0,
        )
        for i in range(5)
    ]
    report = score_shortform(instances)
    found = statistics_of(report)
    for name in (
        "Simultaneous Words Fraction (%)",
        "Expected Simul. Words Fraction (%)",
        "Degeneracy Test Value",
    ):
        value = found[name].values(np.ones((1, 5)))[0]
        assert value == pytest.approx(report[name].value, rel=1e-9)
    assert (
        report["Simultaneous Words Fraction (%)"].value != report["Expected Simul. Words Fraction (%)"].value
    )


def test_whole_weights_are_a_corpus_with_segments_repeated():
    report = run()
    weights = np.random.default_rng(3).integers(0, 4, len(report.instances)).astype(float)
    repeated = [i for i, w in zip(report.instances, weights, strict=True) for _ in range(int(w))]
    expected = score_resegmented(repeated)
    for name, statistic in statistics_of(report).items():
        value = statistic.values(weights[None])[0]
        assert value == pytest.approx(expected[name].value, rel=1e-9), name


def test_stacked_rows_are_those_of_both_systems():
    first, second = run(seed=2), run(lag=2500.0, errors=0.5, seed=5)
    ones = np.ones((1, 2 * len(first.instances)))
    both = score_resegmented([*first.instances, *second.instances])
    other = statistics_of(second)
    for name, statistic in statistics_of(first).items():
        value = statistic.stacked(other[name]).values(ones)[0]
        assert value == pytest.approx(both[name].value, rel=1e-9), name


def test_nothing_left_is_not_a_number():
    nothing = np.zeros((1, 2))
    assert np.isnan(mean_of([1.0, 2.0]).values(nothing)[0])
    assert np.isnan(UnitQuantile([[1.0], [2.0]], 0.5).values(nothing)[0])
    assert np.isnan(mean_of([None, 2.0]).values(np.array([[1.0, 0.0]]))[0])
