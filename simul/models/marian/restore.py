"""Case and punctuation for recognised words, from a student's own encoder: a tagger on what it makes of each word.

For each word the tagger sees the encoded word (mean of its pieces), its two neighbours and the first word, which tells
questions, and says how the word is written and which mark follows it. Words stay where they are, so that attention on
them keeps its meaning.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from simul.models.marian.arrays import Arrays, Matrix
from simul.models.marian.network import Encoder
from simul.models.marian.parts import read_part
from simul.models.marian.vocabulary import StudentVocabulary

Rows = NDArray[np.float32]
CASES = ("lower", "capital", "upper")
MARKS = ("", ",", ".", "?")
ENDS = (".", "?")
"""Marks that end a sentence."""


def word_vectors(encoded: Rows, words: NDArray[np.int64]) -> Rows:
    """Mean [words, width] of the pieces of each word; `words` numbers the word of each piece from 0."""
    count = int(words.max(initial=-1)) + 1
    sums = np.zeros((count, encoded.shape[1]), np.float32)
    np.add.at(sums, words, encoded)
    counts = np.bincount(words, minlength=count).astype(np.float32)
    return sums / counts[:, None]


def with_context(vectors: Rows) -> Rows:
    """[words, 4 width]: the word before, the word, the word after (zeros where there is none), the first one."""
    outside = np.zeros((1, vectors.shape[1]), np.float32)
    padded = np.concatenate([outside, vectors, outside])
    first = np.broadcast_to(vectors[:1], vectors.shape)
    return np.concatenate([padded[:-2], padded[1:-1], padded[2:], first], axis=1)


class Restorer:
    """Writes recognised words as they would be written; `path` is the tagger of the encoder's folder.

    Raises:
        ModelMissingError: the file is not there, or is no tagger.
    """

    def __init__(self, path: Path, encoder: Encoder, vocabulary: StudentVocabulary) -> None:
        self._weights: Arrays = read_part(path)
        self._encoder, self._vocabulary = encoder, vocabulary

    def __call__(self, text: str, complete: bool = True) -> str:
        """The words of `text` with case and marks; only a complete text has a mark behind its last word."""
        words = text.split()
        if not words:
            return text
        ids = self._vocabulary.encode(" ".join(words))
        scores = self.scores(self.features(ids, len(words)))
        cases, marks = scores[:, : len(CASES)].argmax(1), scores[:, len(CASES) :]
        if complete:
            marks[-1, [mark not in ENDS for mark in MARKS]] = -np.inf
        return write(words, cases.tolist(), [MARKS[mark] for mark in marks.argmax(1)], complete)

    def features(self, ids: Sequence[int], count: int) -> Rows:
        """What the tagger sees of `count` words with the pieces `ids`: [words, 4 width]; the end is of the last."""
        numbers = self._vocabulary.words(ids).copy()
        numbers[-1] = count - 1
        return with_context(word_vectors(self._encoder(ids), np.minimum(numbers, count - 1)))

    def scores(self, features: Rows) -> Rows:
        """[words, cases and marks] of features [words, 4 width]."""
        hidden = np.maximum(features @ self._floats("tagger_W1").T + self._weights["tagger_b1"], 0)
        scores: Rows = hidden @ self._floats("tagger_W2").T + self._weights["tagger_b2"]
        return scores

    def _floats(self, name: str) -> Rows:
        matrix = self._weights[name]
        assert isinstance(matrix, Matrix)
        return matrix.values.astype(np.float32) * matrix.scale[:, None]


def write(words: Sequence[str], cases: Sequence[int], marks: Sequence[str], complete: bool) -> str:
    """Words in their cases with their marks; a sentence begins with a capital, a complete text ends with a mark.

    >>> write(["where", "is", "ada"], [0, 0, 1], ["", "", "?"], True)
    'Where is Ada?'
    """
    found = []
    begins = True
    for place, (word, case, mark) in enumerate(zip(words, cases, marks, strict=True)):
        written = word.upper() if CASES[case] == "upper" else word
        if begins or CASES[case] == "capital":
            written = written[:1].upper() + written[1:]
        if place == len(words) - 1:
            mark = (mark if mark in ENDS else ".") if complete else ""
        found.append(written + mark)
        begins = mark in ENDS
    return " ".join(found)
