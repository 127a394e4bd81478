"""Segmentation of a hypothesis by minimum word error rate against reference segments.

Matusov, Leusch, Bender, Ney, "Evaluating Machine Translation Output with Automatic Sentence Segmentation",
IWSLT 2005; the conventions of StreamLAAL.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from segmenter.alignment import Segmentation, check_references, check_texts
from segmenter.path import DEFAULT_MEMORY_LIMIT, Scoring, best_path
from segmenter.steps import BOUNDARY, INSERT, MATCH, OPS

# With D the edit distance, i and j the tokens passed, V = i + j - D is what the kernel maximises: insertions
# and deletions leave V as it is, a substitution adds 1, equal tokens add 2. The diagonal is taken only when
# strictly better than both gaps; V is whole, so a margin of one half says just that.
EDIT_DISTANCE = Scoring(features=lambda token: (token,), bonus=1.0, margin=0.5)

_RUNS = re.compile("[\x00-\xff]+|.", re.DOTALL)
_ASCII_LOWER = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}


class MwerSegmenter:
    """Places segment boundaries in the hypothesis so that the total word edit distance is smallest.

    Tokens are equal when they differ at most in the case of ASCII letters. char_level: units are code points,
    and a token is a run of Latin-1 characters or any other code point alone.
    """

    def __init__(self, char_level: bool = False, memory_limit: int = DEFAULT_MEMORY_LIMIT) -> None:
        self.char_level = char_level
        self.memory_limit = memory_limit

    def align(self, references: Sequence[str], hypothesis: Sequence[str] | str) -> Segmentation:
        """Align one recording.

        references: text of each reference segment in order. hypothesis: the units, one for each time; a text
        is split at U+0020 (words) or into code points (characters).
        Every unit gets a segment if there is any. Raises SegmenterError when references is a text.
        """
        texts = check_references(references)
        units = (
            self.split(hypothesis) if isinstance(hypothesis, str) else check_texts(hypothesis, "hypothesis")
        )
        rows: list[str | None] = []
        for text in texts:
            rows += [*map(_fold, self._tokens(self.split(text))), None]
        pieces = self._tokens(units)
        lengths = [len(piece) for piece in pieces] if self.char_level else [1] * len(pieces)
        tokens = [_fold(piece) for piece in pieces]
        # The first column costs one for every row above it, boundaries included.
        column0 = -np.cumsum([0, *(token is None for token in rows)], dtype=np.float64)
        steps = best_path(rows, tokens, EDIT_DISTANCE, column0, self.memory_limit)
        boundary = steps == BOUNDARY
        passed = np.cumsum(boundary, dtype=np.int32)
        segment_of_token = passed[(steps == MATCH) | (steps == INSERT)]
        if not texts:
            segment_of_token = np.full(len(tokens), -1, np.int32)
        unit_of_token = np.cumsum([0, *lengths], dtype=np.int32)[:-1]
        return Segmentation(
            units=units,
            segments=len(texts),
            segment_of_unit=np.repeat(segment_of_token, lengths),
            tokens=tokens,
            unit_of_token=unit_of_token,
            segment_of_token=segment_of_token,
            ref_tokens=[token for token in rows if token is not None],
            ops="".join(OPS[step] for step in steps[~boundary]),
        )

    def split(self, text: str) -> list[str]:
        """Units of a text: non-empty pieces between U+0020, or every code point."""
        return list(text) if self.char_level else [piece for piece in text.split(" ") if piece]

    def _tokens(self, units: Sequence[str]) -> list[str]:
        return _RUNS.findall("".join(units)) if self.char_level else list(units)


def _fold(token: str) -> str:
    return token.translate(_ASCII_LOWER)
