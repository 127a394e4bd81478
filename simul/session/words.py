"""Words of an event: the tokens of a candidate, and a recogniser's words, as timed words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from policies.base import Candidate, Word
from policies.words import begins_word
from simul.session.events import TimedWord
from simul.text import join, word_ranges


def target_words(
    candidate: Candidate,
    chosen: Sequence[int],
    heard: int,
    spaceless: bool,
    passes: Sequence[int] | None = None,
) -> tuple[TimedWord, ...]:
    """The candidate's tokens at the indices `chosen` as words; `passes`: in how many each of its tokens has stood."""
    tokens = [candidate.tokens[i] for i in chosen]
    times = candidate.times
    words: list[TimedWord] = []
    for first, last in word_ranges(tokens, spaceless):
        text = join(tokens[first:last]).strip(" ")
        if not text:
            continue
        place = list(chosen[first:last])
        start = end = confidence = stability = None
        if times is not None:
            start, end = (min(int(times[place, k][j]), heard) for k, j in ((0, 0), (1, -1)))
        if candidate.logprobs is not None:
            confidence = _probability(candidate.logprobs[place])
        if passes is not None:
            stability = min(passes[i] for i in place)
        joined = not words and not begins_word(tokens[first])
        understood = next((h for a, b, h in candidate.repairs if a <= place[0] < b), None)
        words.append(TimedWord(text, start, end, confidence, stability, joined, understood))
    return tuple(words)


def source_words(words: Sequence[Word]) -> tuple[TimedWord, ...]:
    """What a recogniser understood, as timed words."""
    return tuple(TimedWord(w.text, w.start_sample, w.end_sample, w.confidence, heard=w.heard) for w in words)


def _probability(logprobs: NDArray[Any]) -> float:
    return round(float(np.exp(np.mean(logprobs))), 4)


class Standing:
    """In how many passes in a row each token of a segment has stood in its place."""

    def __init__(self, tokens: Sequence[str] = (), passes: Sequence[int] = ()) -> None:
        self.tokens, self.passes = list(tokens), list(passes)

    def update(self, base: int, tokens: Sequence[str]) -> list[int]:
        """Take in a pass whose `tokens` begin at place `base` of what stood before; the count of each."""
        counts = []
        for place, token in enumerate(tokens, base):
            known = place < len(self.tokens) and self.tokens[place] == token
            counts.append(self.passes[place] + 1 if known else 1)
        self.tokens = [*self.tokens[:base], *tokens]
        self.passes = [*self.passes[:base], *counts]
        return counts
