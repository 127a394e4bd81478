"""SoftSegmenter: alignment of a long hypothesis with reference segments by similarity of tokens.

Polák, Papi, Bentivogli, Bojar, "Better Late Than Never", arXiv 2509.17349; conventions of OmniSTEval 0.1.10.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from segmenter.alignment import Segmentation, check_references, check_texts
from segmenter.moses import tokenize_word
from segmenter.path import DEFAULT_MEMORY_LIMIT, Scoring, best_path
from segmenter.steps import OPS

PUNCTUATION = frozenset(".!?,;:-()。！？，；：—（）ー")
"""Tokens that are only ever matched with each other."""

WORD_LEVEL = Scoring(features=frozenset, apart=PUNCTUATION)
CHAR_LEVEL = Scoring(features=lambda token: (token,), apart=PUNCTUATION)


def similarity(a: str, b: str, char_level: bool = False) -> float:
    """Similarity of two tokens, 0 to 1, or -inf when exactly one of them is punctuation.

    Word level: Jaccard index of the sets of code points. Character level: 1 if equal, else 0.
    """
    if (a in PUNCTUATION) != (b in PUNCTUATION):
        return float("-inf")
    if char_level:
        return float(a == b)
    return _jaccard(a, b)


@lru_cache(maxsize=1 << 14)
def _jaccard(a: str, b: str) -> float:
    left, right = frozenset(a), frozenset(b)
    union = len(left | right)
    return len(left & right) / union if union else 0.0


def align_tokens(
    ref_tokens: Sequence[str],
    ref_segments: Sequence[int],
    hyp_tokens: Sequence[str],
    char_level: bool = False,
    memory_limit: int = DEFAULT_MEMORY_LIMIT,
) -> tuple[str, NDArray[np.int32]]:
    """Align tokens of one recording.

    ref_segments: segment of each reference token, non-decreasing.
    Returns the path (M, D, I from left to right) and the segment of each hypothesis token, -1 = dropped.
    """
    ref_tokens, hyp_tokens = check_texts(ref_tokens, "ref_tokens"), check_texts(hyp_tokens, "hyp_tokens")
    scoring = CHAR_LEVEL if char_level else WORD_LEVEL
    steps = best_path(ref_tokens, hyp_tokens, scoring, memory_limit=memory_limit)
    ops = "".join(OPS[step] for step in steps)
    return ops, _segments(ops, ref_tokens, ref_segments, hyp_tokens, char_level)


def _segments(
    ops: str,
    ref_tokens: Sequence[str],
    ref_segments: Sequence[int],
    hyp_tokens: Sequence[str],
    char_level: bool,
) -> NDArray[np.int32]:
    """Segment of each hypothesis token: that of its match, else of the reference neighbour it resembles more.

    An unmatched token stays with the reference token before it unless it is strictly more similar to the one
    after it; whatever follows it up to that one goes the same way. Before the first reference token a token
    that may not meet it at all is dropped.
    """
    out = np.full(len(hyp_tokens), -1, np.int32)
    last, token = -1, 0
    forced = False
    nothing = float("-inf")
    for op in ops:
        if op == "I":
            if not forced:
                after = last + 1
                new = hyp_tokens[token]
                to_next = (
                    similarity(new, ref_tokens[after], char_level) if after < len(ref_tokens) else nothing
                )
                to_last = similarity(new, ref_tokens[last], char_level) if last >= 0 else nothing
                forced = to_next > to_last
            home = last + 1 if forced else last
            if home >= 0:
                out[token] = ref_segments[home]
            token += 1
            continue
        last += 1
        forced = False
        if op == "M":
            out[token] = ref_segments[last]
            token += 1
    return out


class SoftSegmenter:
    """Assigns the units of a long hypothesis to reference segments by an order-preserving soft alignment.

    lang: language of the Moses tokenisation of words; None, "zh" and "ja" compare whole units.
    char_level: units are code points (spaces of the hypothesis included) instead of words.
    memory_limit: bytes of back-pointers kept at a time; longer recordings take up to twice the time instead.
    """

    def __init__(
        self, lang: str | None = None, char_level: bool = False, memory_limit: int = DEFAULT_MEMORY_LIMIT
    ) -> None:
        self.lang = lang
        self.char_level = char_level
        self.memory_limit = memory_limit

    def align(self, references: Sequence[str], hypothesis: Sequence[str] | str) -> Segmentation:
        """Align one recording.

        references: text of each reference segment in order. hypothesis: the units, one for each time; a text
        is split at white space (words) or into code points (characters).
        Without any reference token every unit is dropped. Raises SegmenterError when references is one text.
        """
        units = (
            self.split(hypothesis) if isinstance(hypothesis, str) else check_texts(hypothesis, "hypothesis")
        )
        ref_tokens: list[str] = []
        ref_segments: list[int] = []
        texts = check_references(references)
        for segment, text in enumerate(texts):
            for unit in self._reference_units(text):
                pieces = tokenize_word(unit, self.lang)
                ref_tokens += pieces
                ref_segments += [segment] * len(pieces)
        tokens: list[str] = []
        unit_of_token: list[int] = []
        main_token = np.full(len(units), -1, np.int64)
        for index, unit in enumerate(units):
            pieces = tokenize_word(unit, self.lang)
            if pieces:
                main_token[index] = len(tokens)
                tokens += pieces
                unit_of_token += [index] * len(pieces)
        ops, segment_of_token = align_tokens(
            ref_tokens, ref_segments, tokens, self.char_level, self.memory_limit
        )
        padded = np.append(segment_of_token, np.int32(-1))
        return Segmentation(
            units=units,
            segments=len(texts),
            segment_of_unit=padded[main_token],
            tokens=tokens,
            unit_of_token=np.array(unit_of_token, np.int32),
            segment_of_token=segment_of_token,
            ref_tokens=ref_tokens,
            ops=ops,
        )

    def split(self, text: str) -> list[str]:
        """Units of a hypothesis text: words between white space, or every code point."""
        return list(text) if self.char_level else text.split()

    def _reference_units(self, text: str) -> list[str]:
        if self.char_level:
            return list(text.replace(" ", "").strip().lower())
        return text.strip().lower().split()
