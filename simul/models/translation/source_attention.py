"""What a translator's cross-attention says of source words: how much a target token uses each, and the last one."""

from __future__ import annotations

from collections.abc import Container, Sequence

import numpy as np
from numpy.typing import NDArray

MARK = "\u2581"
"""Begins a word in SentencePiece."""


def word_numbers(pieces: Sequence[str], left_out: Container[str]) -> NDArray[np.int64]:
    """For each source piece the word it belongs to, counted from 0; -1 for the pieces in `left_out` (marks, tags)."""
    real = np.array([piece not in left_out for piece in pieces], dtype=bool)
    begins = np.array([piece.startswith(MARK) for piece in pieces], dtype=bool) & real
    if real.any():
        begins[int(np.argmax(real))] = True
    return np.where(real, np.cumsum(begins) - 1, -1).astype(np.int64)


def resting_words(attention: NDArray[np.float64], words: NDArray[np.int64]) -> NDArray[np.int64]:
    """For each target token, the last source word that it and the tokens before it attend to most: int [tokens].

    attention: [tokens, pieces]. words: of `word_numbers`. The running maximum keeps a token from seeming to rest on
    less than the tokens before it.
    """
    if not len(attention) or words.max(initial=-1) < 0:
        return np.zeros(len(attention), np.int64)
    strongest = np.where(words >= 0, attention, -1.0).argmax(axis=1)
    return np.maximum.accumulate(np.maximum(words[strongest], 0)).astype(np.int64)


def over_words(attention: NDArray[np.float64], words: NDArray[np.int64]) -> NDArray[np.float32]:
    """Attention [tokens, source words]: that on a word's pieces added up; that on marks and tags is left out.

    attention: [tokens, pieces]; a text without tokens may come without pieces too.
    """
    count = words.max(initial=-1) + 1
    if not len(attention):
        return np.zeros((0, count), np.float32)
    return (attention @ (words[:, None] == np.arange(count))).astype(np.float32)


def word_of_tokens(tokens: Sequence[str]) -> NDArray[np.int64]:
    """The word that each token ends in or belongs to, counted from 0 over the white space of the joined text."""
    numbers, text = [], ""
    for token in tokens:
        text += token
        numbers.append(max(0, len(text.split()) - 1))
    return np.array(numbers, np.int64)
