"""Estimates a trigram model from sentences: interpolated Kneser-Ney with three discounts per order.

Chen and Goodman, "An Empirical Study of Smoothing Techniques for Language Modeling", 1998, section 3.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from simul.training.language_model.ngram import ID_BITS, Keys, Logs, NGramModel, distinct, suffix

START, END, UNKNOWN = "<s>", "</s>", "<unk>"


def estimate(sentences: Iterable[Sequence[str]], vocabulary: Sequence[str]) -> NGramModel:
    """A trigram model over `vocabulary` and the sentence marks.

    Words outside the vocabulary are counted as one unknown word, whose n-grams are then left out, so that a
    word beside an unknown one keeps its right to be seen elsewhere.

    Raises:
        ValueError: no trigram is left.
    """
    words = sorted({*vocabulary, START, END})
    number = {word: i for i, word in enumerate(words)}
    unknown = len(words)
    tokens = np.array(
        [t for s in sentences for t in (number[START], *(number.get(w, unknown) for w in s), number[END])],
        np.int64,
    )
    if len(tokens) < 3:
        raise ValueError("the text holds no sentence to estimate a language model from")
    inside = tokens != number[END]
    pairs = (tokens[:-1] << ID_BITS | tokens[1:])[inside[:-1]]
    triples = (tokens[:-2] << 2 * ID_BITS | tokens[1:-1] << ID_BITS | tokens[2:])[inside[:-2] & inside[1:-1]]

    three, three_counts = distinct(triples)
    # A pair counts once per word before it; pairs that open a sentence have none and keep their count.
    opening, opening_counts = distinct(pairs[pairs >> ID_BITS == number[START]])
    middle, middle_counts = distinct(suffix(three))
    two = np.concatenate([opening, middle])
    order = np.argsort(two)
    two, two_counts = two[order], np.concatenate([opening_counts, middle_counts])[order]
    one_counts = np.bincount(two & (1 << ID_BITS) - 1, minlength=unknown + 1)

    unigram = _unigram(one_counts, number[START])
    bigram_share, pair_contexts, pair_weights = _discounted(two, two_counts)
    unigram_backoff = np.zeros(unknown + 1)
    unigram_backoff[pair_contexts] = np.log(pair_weights)
    bigram = bigram_share + np.exp(unigram_backoff[two >> ID_BITS]) * unigram[two & (1 << ID_BITS) - 1]
    trigram_share, contexts, weights = _discounted(three, three_counts)
    backoff = np.zeros(len(two))
    at = np.searchsorted(two, contexts)
    at[at == len(two)] = 0
    known = two[at] == contexts
    backoff[at[known]] = np.log(weights[known])
    weight = np.exp(backoff[np.searchsorted(two, three >> ID_BITS)])
    trigram = trigram_share + weight * bigram[np.searchsorted(two, suffix(three))]

    keep_two, keep_three = _without(two, unknown), _without(three, unknown)
    with np.errstate(divide="ignore"):
        return NGramModel(
            words,
            np.log(unigram[:-1]),
            unigram_backoff[:-1],
            two[keep_two],
            np.log(bigram[keep_two]),
            backoff[keep_two],
            three[keep_three],
            np.log(trigram[keep_three]),
        )


def _without(keys: Keys, word: int) -> NDArray[np.bool_]:
    mask = (1 << ID_BITS) - 1
    return (keys & mask != word) & (keys >> ID_BITS & mask != word) & (keys >> 2 * ID_BITS != word)


def _unigram(counts: NDArray[np.int64], start: int) -> Logs:
    """Probabilities of single words; what is discounted goes evenly to all words that can follow another.

    The last count is that of the unknown word, which can follow only if the text holds one.
    """
    discounts = _discounts(counts)[np.minimum(counts, 3)]
    total = counts.sum()
    share = (counts - discounts) / total
    possible = np.ones(len(counts), bool)
    possible[start], possible[-1] = False, counts[-1] > 0
    spread: Logs = np.where(possible, share + discounts.sum() / total / possible.sum(), 0.0)
    return spread


def _discounts(counts: NDArray[np.int64]) -> Logs:
    """Discounts of counts 0, 1, 2 and 3 or more (Chen and Goodman's equation 26)."""
    once, twice, thrice, four = (max(1, int((counts == n).sum())) for n in (1, 2, 3, 4))
    rate = once / (once + 2 * twice)
    found = [0.0, 1 - 2 * rate * twice / once, 2 - 3 * rate * thrice / twice, 3 - 4 * rate * four / thrice]
    return np.clip(found, [0.0, 0.1, 0.1, 0.1], [0.0, 0.95, 1.9, 2.9])


def _discounted(keys: Keys, counts: NDArray[np.int64]) -> tuple[Logs, Keys, Logs]:
    """Each n-gram's own share of its context, the contexts, and the share each passes to lower orders."""
    discounts = _discounts(counts)[np.minimum(counts, 3)]
    contexts, sizes = distinct(keys >> ID_BITS)
    place = np.repeat(np.arange(len(contexts)), sizes)  # keys ascend, so contexts do
    totals = np.bincount(place, weights=counts)
    weights = np.bincount(place, weights=discounts) / totals
    return (counts - discounts) / totals[place], contexts, weights
