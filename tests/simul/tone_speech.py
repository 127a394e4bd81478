"""The language of tones as sound, and what tests of Whisper models ask with it."""

from __future__ import annotations

from typing import Any

import numpy as np

from policies.base import StopRule
from simul.decoding.interface import Hypothesis
from tests.tiny_models import RATE, random_words, tones


class Loud:
    """Calls a frame voiced when its energy says so."""

    def __call__(self, frames: np.ndarray) -> list[bool]:
        return [bool(np.abs(frame).max() > 0.05) for frame in frames]

    def dump(self) -> dict[str, Any]:
        return {}

    def load(self, dumped: Any) -> None:
        assert dumped == {}


def utterances(count: int, seed: int, words: int = 4) -> list[tuple[list[int], np.ndarray, np.ndarray]]:
    """Word numbers, samples, and int [n, 2], where each word lies."""
    rng = np.random.default_rng(seed)
    drawn = [random_words(rng, words) for _ in range(count)]
    return [(w, *tones(w, gaps)) for w, gaps in drawn]


def audio(count: int, seed: int, words: int = 4) -> list[np.ndarray]:
    """The samples of utterances."""
    return [samples for _, samples, _ in utterances(count, seed, words)]


def talk(seed: int, count: int) -> tuple[np.ndarray, list[int]]:
    """Utterances of three words with pauses of 0.9 s between them, and the words."""
    parts, said = [np.zeros(RATE // 2, np.float32)], []
    for words, samples, _ in utterances(count, seed, words=3):
        parts += [samples, np.zeros(int(0.9 * RATE), np.float32)]
        said += words
    return np.concatenate(parts), said


def head(model: Any, source: str = "en", target: str = "en") -> tuple[int, ...]:
    """The tokens that ask a Whisper model for text without times."""
    return (*model.tokens.task(source, target), model.tokens.no_timestamps)


def stopped_at(hypothesis: Hypothesis, rule: StopRule, frame: int) -> Hypothesis:
    """A hypothesis of text as a decoder that knows the rule would have left it; frame: samples of an encoder frame."""
    assert hypothesis.attention is not None
    for index, (row, logprob) in enumerate(zip(hypothesis.attention, hypothesis.logprobs, strict=True)):
        near = rule.at_frame is not None and (len(row) - 1 - int(row.argmax())) * frame < rule.at_frame
        if near or (rule.score_below is not None and logprob < rule.score_below):
            return hypothesis.first(index + 1, stopped=True)
    return hypothesis
