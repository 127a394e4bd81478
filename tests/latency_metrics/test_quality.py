"""BLEU and chrF against sacreBLEU itself, and what has no value."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sacrebleu.metrics import BLEU, CHRF

from latency_metrics import MetricsError, ngrams
from latency_metrics.quality import bleu, chrf, quality_scores

TEXTS = st.text(st.sampled_from("aab c\u00a0\u3000dß中文字!.\U0001f600\ud800"), max_size=30)
PAIRS = st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=8)


@given(PAIRS)
def test_chrf_is_that_of_sacrebleu(pairs: list[tuple[str, str]]) -> None:
    hypotheses, references = [p[0] for p in pairs], [p[1] for p in pairs]
    expected = CHRF().corpus_score(hypotheses, [references]).score
    assert chrf(hypotheses, references).value == pytest.approx(expected, rel=1e-12, abs=1e-12)
    statistics = CHRF()._extract_corpus_statistics(hypotheses, [references])
    assert ngrams.chrf_rows(hypotheses, references).tolist() == statistics


def test_blocks_do_not_change_the_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    hypotheses = ["the old dog", "", "a dog", "x" * 40, "sees two maps"] * 7
    references = ["the dog", "nothing", "", "x" * 35, "saw two maps"] * 7
    whole = ngrams.chrf_rows(hypotheses, references)
    monkeypatch.setattr(ngrams, "BLOCK", 20)
    assert (ngrams.chrf_rows(hypotheses, references) == whole).all()


@pytest.mark.parametrize("tokenizer", ["13a", "intl", "char", "none", "zh"])
def test_bleu_is_that_of_sacrebleu(tokenizer: str) -> None:
    hypotheses = ["the old dog saw two maps .", "", "一位 年轻 的 工程师 。"]
    references = ["the old dog has seen two maps.", "nothing", "一位年轻的工程师!"]
    expected = BLEU(tokenize=tokenizer).corpus_score(hypotheses, [references]).score
    found = bleu(hypotheses, references, tokenizer=tokenizer)
    assert found.value == expected
    assert f"tok:{tokenizer}" in found.signature


def test_nfkc_rows_appear_when_texts_change() -> None:
    plain = [score.name for score in quality_scores(["a b"], ["a c"])]
    changed = quality_scores(["ﬁn"], ["fin"])
    assert plain == ["BLEU", "chrF"]
    assert [score.name for score in changed[2:]] == ["BLEU (NFKC-normalized)", "chrF (NFKC-normalized)"]
    assert changed[3].value == 100 > changed[1].value


def test_nothing_to_score_and_errors() -> None:
    assert math.isnan(bleu([], []).value)
    assert math.isnan(chrf([], []).value)
    assert bleu([], []).notices
    assert chrf([""], [""]).value == 0
    with pytest.raises(MetricsError, match="2 hypotheses and 1 references"):
        chrf(["a", "b"], ["a"])
    with pytest.raises(MetricsError, match="tokenizer 'mine' failed"):
        bleu(["a"], ["a"], tokenizer="mine")
