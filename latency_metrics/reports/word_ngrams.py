"""BLEU of many corpora at once, from rows of counts per segment that corpora sum up."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

BLEU_ORDER = 4


def bleu_rows(
    hypotheses: Sequence[str], references: Sequence[str], tokenizer: str = "13a"
) -> NDArray[np.float64]:
    """Rows of [4 matches, 4 totals, hypothesis length, reference length], one per segment (n, 10)."""
    from sacrebleu.metrics import BLEU

    metric = BLEU(tokenize=tokenizer, effective_order=True)
    rows = np.zeros((len(hypotheses), 2 * BLEU_ORDER + 2))
    for row, hypothesis, reference in zip(rows, hypotheses, references, strict=True):
        found = metric.sentence_score(hypothesis, [reference])
        row[:] = [*found.counts, *found.totals, found.sys_len, found.ref_len]
    return rows


def bleu_of(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """Corpus BLEU, 0 to 100, of summed rows (..., 10): exponential smoothing, no effective order.

    Every order without a match halves the smoothed count once more; an order without any n-gram makes it 0.
    """
    matches, totals = sums[..., :BLEU_ORDER], sums[..., BLEU_ORDER : 2 * BLEU_ORDER]
    hypothesis, reference = sums[..., -2], sums[..., -1]
    halvings = np.cumsum((matches == 0) & (totals > 0), axis=-1)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        precision = np.where(matches > 0, matches / totals, 0.5**halvings / totals)
        logs = np.where(totals > 0, np.log(precision), -np.inf)
        brevity = np.where(hypothesis < reference, 1 - reference / hypothesis, 0.0)
        score = 100 * np.exp(brevity + logs.mean(axis=-1))
    return np.where((matches.sum(axis=-1) > 0) & (hypothesis > 0), score, 0.0)
