"""Mixes two trigram models into one and prunes it by relative entropy."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from simul.training.language_model.kneser_ney import START
from simul.training.language_model.ngram import ID_BITS, Keys, Logs, NGramModel, distinct, lookup, suffix

LEAST = -99.0
"""Natural log given to what has no probability, such as the sentence start as a next word."""
_MASK = (1 << ID_BITS) - 1


def renumber(model: NGramModel, words: list[str]) -> NGramModel:
    """The model over another vocabulary: new words are impossible, left-out words take their n-grams along."""
    number = {word: i for i, word in enumerate(words)}
    new = np.array([number.get(word, -1) for word in model.words])
    unigram, backoff = np.full(len(words), -np.inf), np.zeros(len(words))
    unigram[new[new >= 0]], backoff[new[new >= 0]] = model.unigram[new >= 0], model.unigram_backoff[new >= 0]
    two = model.bigram_keys
    first, second = new[two >> ID_BITS], new[two & _MASK]
    keep_two = (first >= 0) & (second >= 0)
    two = (first << ID_BITS | second)[keep_two]
    three = model.trigram_keys
    one, mid, last = new[three >> 2 * ID_BITS], new[three >> ID_BITS & _MASK], new[three & _MASK]
    keep_three = (one >= 0) & (mid >= 0) & (last >= 0)
    three = (one << 2 * ID_BITS | mid << ID_BITS | last)[keep_three]
    by_two, by_three = np.argsort(two), np.argsort(three)
    return NGramModel(
        words,
        unigram,
        backoff,
        two[by_two],
        model.bigram[keep_two][by_two],
        model.bigram_backoff[keep_two][by_two],
        three[by_three],
        model.trigram[keep_three][by_three],
    )


def mix(one: NGramModel, other: NGramModel, weight: float, words: list[str]) -> NGramModel:
    """P = (1 - weight) P_one + weight P_other for every n-gram that either lists, over `words`.

    Back-off weights are made anew so that every context sums to one.
    """
    one, other = renumber(one, words), renumber(other, words)

    def blend(a: Logs, b: Logs) -> Logs:
        with np.errstate(divide="ignore"):
            return np.logaddexp(a + np.log1p(-weight), b + np.log(weight))

    three, _ = distinct(np.concatenate([one.trigram_keys, other.trigram_keys]))
    two, _ = distinct(np.concatenate([one.bigram_keys, other.bigram_keys, suffix(three), three >> ID_BITS]))
    unigram = blend(one.unigram, other.unigram)
    unigram[words.index(START)] = -np.inf
    unigram -= np.logaddexp.reduce(unigram)
    bigram = blend(one.bigram_log(two), other.bigram_log(two))
    trigram = blend(one.trigram_log(three), other.trigram_log(three))
    return with_backoff(words, unigram, two, bigram, three, trigram)


def with_backoff(
    words: list[str], unigram: Logs, two: Keys, bigram: Logs, three: Keys, trigram: Logs
) -> NGramModel:
    """A model with the back-off weights that make every context sum to one."""
    unigram = np.maximum(unigram, LEAST)
    left = _left(two >> ID_BITS, bigram, len(words))
    below = _left(two >> ID_BITS, unigram[two & _MASK], len(words))
    model = NGramModel(words, unigram, np.log(left / below), two, bigram, np.zeros(len(two)), three, trigram)
    place, _ = lookup(two, three >> ID_BITS)
    left = _left(place, trigram, len(two))
    below = _left(place, model.bigram_log(suffix(three)), len(two))
    return NGramModel(
        words, unigram, model.unigram_backoff, two, bigram, np.log(left / below), three, trigram
    )


def _left(place: NDArray[np.intp], logs: Logs, size: int) -> Logs:
    """What each context leaves over, kept off zero."""
    return np.maximum(1.0 - np.bincount(place, weights=np.exp(logs), minlength=size), 1e-4)


def prune(model: NGramModel, threshold: float) -> NGramModel:
    """Drop n-grams whose loss changes the model by less than `threshold` (nats of relative entropy).

    Stolcke, "Entropy-based Pruning of Backoff Language Models", 1998. Trigrams go first; bigrams that a
    remaining trigram needs, as context or as its last two words, stay.
    """
    context, _ = lookup(model.bigram_keys, model.trigram_keys >> ID_BITS)
    first = model.bigram_keys >> ID_BITS
    # The sentence start is no next word, but it is the commonest context: as often as the end.
    frequency = model.unigram.copy()
    frequency[model.words.index(START)] = model.unigram[model.words.index("</s>")]
    context_log = frequency[first] + model.bigram
    loss = _loss(
        context_log[context],
        model.trigram,
        model.bigram_log(suffix(model.trigram_keys)),
        model.bigram_backoff[context],
        context,
        len(model.bigram_keys),
    )
    three = model.trigram_keys[loss >= threshold]
    trigram = model.trigram[loss >= threshold]
    loss = _loss(
        frequency[first],
        model.bigram,
        model.unigram[model.bigram_keys & _MASK],
        model.unigram_backoff[first],
        first,
        len(model.words),
    )
    parts, _ = distinct(np.concatenate([suffix(three), three >> ID_BITS]))
    _, needed = lookup(parts, model.bigram_keys)
    keep = needed | (loss >= threshold)
    return with_backoff(
        model.words, model.unigram, model.bigram_keys[keep], model.bigram[keep], three, trigram
    )


def _loss(context: Logs, own: Logs, lower: Logs, backoff: Logs, place: NDArray[np.intp], size: int) -> Logs:
    """Relative entropy between the model and the model without each n-gram, one at a time.

    `context`: log probability of each n-gram's context; `own`, `lower`: its own log probability and that
    which backing off would start from; `backoff`: its context's log back-off weight; `place`: its context.
    """
    left = _left(place, own, size)[place]
    below = _left(place, lower, size)[place]
    new_backoff = np.log(np.minimum(left + np.exp(own), 1.0)) - np.log(np.minimum(below + np.exp(lower), 1.0))
    change = np.exp(own) * (lower + new_backoff - own) + left * (new_backoff - backoff)
    return -np.exp(context) * change


def perplexity(model: NGramModel, sentences: list[list[str]]) -> tuple[float, float]:
    """Perplexity per known word (sentence ends counted) and the share of words outside the vocabulary."""
    number = {word: i for i, word in enumerate(model.words)}
    logs, unknown, total = [], 0, 0
    for sentence in sentences:
        ids = [number[START], *(number.get(word, -1) for word in sentence), number["</s>"]]
        total += len(sentence)
        unknown += sum(i < 0 for i in ids)
        for at in range(1, len(ids)):
            history = ids[max(0, at - 2) : at]
            logs.append([-1 if len(history) < 2 else history[0], history[-1], ids[at]])
    table = np.array(logs)
    table = table[(table[:, 1] >= 0) & (table[:, 2] >= 0)]
    pairs = table[:, 1] << ID_BITS | table[:, 2]
    long = table[:, 0] >= 0
    score = model.bigram_log(pairs)
    score[long] = model.trigram_log(table[long, 0] << 2 * ID_BITS | pairs[long])
    return float(np.exp(-score.mean())), unknown / max(1, total)
