"""Translation quality beside latency: BLEU and chrF as sacreBLEU computes them, with and without NFKC."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Sequence
from dataclasses import replace

from latency_metrics.base import Notice, Score, package_version
from latency_metrics.errors import MetricsError

QUALITY = frozenset({"BLEU", "chrF", "chrF++", "COMET"})
"""Metrics of the text alone."""


def _check(hypotheses: Sequence[str], references: Sequence[str]) -> None:
    if len(hypotheses) != len(references):
        raise MetricsError(
            f"{len(hypotheses)} hypotheses and {len(references)} references: quality needs one of each."
        )


def bleu(hypotheses: Sequence[str], references: Sequence[str], *, tokenizer: str = "13a") -> Score:
    """Corpus BLEU with sacreBLEU's defaults: one reference, mixed case, exponential smoothing.

    Args:
        hypotheses: texts, empty ones allowed.
        references: one for each hypothesis.
        tokenizer: a sacreBLEU tokenizer: 13a, intl, char, none, zh, ja-mecab, ...

    Returns:
        A score from 0 to 100 with `details` counts, totals, bp, sys_len, ref_len; NaN with a notice when
        there is nothing to score.

    Raises:
        MetricsError: the lists differ in length, or the tokenizer is not known or not installed.
    """
    from sacrebleu.metrics import BLEU

    _check(hypotheses, references)
    if not hypotheses:
        return Score(
            "BLEU", math.nan, "%", [], [Notice("corpus", "BLEU has no value, there are no segments")]
        )
    try:
        metric = BLEU(tokenize=tokenizer)
        result = metric.corpus_score(list(hypotheses), [list(references)])
    except (AssertionError, KeyError, ValueError, ImportError, RuntimeError, SystemExit) as error:
        raise MetricsError(f"BLEU with the tokenizer {tokenizer!r} failed: {error}.") from error
    details = {
        "counts": list(result.counts),
        "totals": list(result.totals),
        "bp": result.bp,
        "sys_len": result.sys_len,
        "ref_len": result.ref_len,
    }
    return Score("BLEU", result.score, "%", [], [], f"metric:BLEU|{metric.get_signature()}", details)


def chrf(hypotheses: Sequence[str], references: Sequence[str], *, word_order: int = 0) -> Score:
    """Corpus chrF (β = 2, 6 character n-grams, white space ignored, effective order); `word_order=2`: chrF++.

    Returns:
        A score from 0 to 100; NaN with a notice when there is nothing to score.

    Raises:
        MetricsError: the lists differ in length.
    """
    _check(hypotheses, references)
    name = "chrF" + "+" * word_order
    if not hypotheses:
        return Score(
            name, math.nan, "%", [], [Notice("corpus", f"{name} has no value, there are no segments")]
        )
    if word_order == 0:
        from latency_metrics.ngrams import chrf_of, chrf_rows

        value = float(chrf_of(chrf_rows(hypotheses, references).sum(axis=0)))
        signature = f"metric:chrF|nrefs:1|case:mixed|eff:yes|nc:6|nw:0|space:no|simul:{package_version()}"
        return Score(name, value, "%", [], [], signature)
    from sacrebleu.metrics import CHRF

    metric = CHRF(word_order=word_order)
    result = metric.corpus_score(list(hypotheses), [list(references)])
    return Score(name, result.score, "%", [], [], f"metric:{name}|{metric.get_signature()}")


def nfkc(text: str) -> str:
    """Text in normalisation form KC."""
    return unicodedata.normalize("NFKC", text)


def changed_by_nfkc(texts: Sequence[str]) -> list[int]:
    """Positions of the texts that NFKC changes."""
    return [i for i, text in enumerate(texts) if not unicodedata.is_normalized("NFKC", text)]


def quality_scores(
    hypotheses: Sequence[str], references: Sequence[str], *, tokenizer: str = "13a"
) -> list[Score]:
    """BLEU and chrF, and both again on normalised texts when NFKC changes any (OmniSTEval 0.1.9)."""
    scores = [bleu(hypotheses, references, tokenizer=tokenizer), chrf(hypotheses, references)]
    changed = sorted({*changed_by_nfkc(hypotheses), *changed_by_nfkc(references)})
    if changed:
        normal = [nfkc(text) for text in hypotheses], [nfkc(text) for text in references]
        for score in (bleu(*normal, tokenizer=tokenizer), chrf(*normal)):
            score = replace(score, normalized=True).signed(norm="nfkc")
            if score.metric == "BLEU":
                reason = f"NFKC changes {len(changed)} of {len(hypotheses)} segments, see {score.name}"
                score = replace(score, notices=[*score.notices, Notice("corpus", reason)])
            scores.append(score)
    return scores
