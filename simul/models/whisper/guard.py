"""Against Whisper's inventions: loops are cut, texts are bounded by the audio they can rest on, silence is refused."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

LONGEST_LOOP = 16


@dataclass(frozen=True)
class GuardConfig:
    """Limits of what is believed.

    rate, slack: at most `rate` tokens per second of audio whose text is not committed, and `slack` more.
    no_speech, logprob: a candidate with a no-speech probability above the first and a mean log-probability
        below the second counts as silence (Radford et al. 2023, section 4.5).
    repeats: a run of tokens that follows itself so often is a loop (twice as often for a single token).
    """

    rate: float = 15.0
    slack: int = 10
    no_speech: float = 0.6
    logprob: float = -1.0
    repeats: int = 4

    def budget(self, seconds: float) -> int:
        """How many tokens may rest on `seconds` of audio."""
        return self.slack + math.ceil(self.rate * max(0.0, seconds))

    def is_silence(self, no_speech: float, logprobs: Sequence[float] | np.ndarray) -> bool:
        """Whether a candidate looks like text made up over silence."""
        return len(logprobs) > 0 and no_speech > self.no_speech and float(np.mean(logprobs)) < self.logprob

    def without_loop(self, prefix: Sequence[int], ids: Sequence[int]) -> int:
        """How many of `ids` stand, which follow `prefix`, when a loop at their end is cut after its first round."""
        text = [*prefix, *ids]
        for length in range(1, LONGEST_LOOP + 1):
            needed = self.repeats * 2 if length == 1 else self.repeats
            rounds = _rounds(text, length)
            if rounds >= needed:
                return max(0, len(text) - (rounds - 1) * length - _remainder(text, length) - len(prefix))
        return len(ids)


def _remainder(text: Sequence[int], length: int) -> int:
    """How many tokens of an unfinished further round stand at the end of a loop of `length` tokens."""
    run = _run(text, length)
    return run % length if run >= length else 0


def _rounds(text: Sequence[int], length: int) -> int:
    """How many times the last run of `length` tokens stands in a row at the end of `text`."""
    return 1 + _run(text, length) // length


def _run(text: Sequence[int], length: int) -> int:
    """How many tokens at the end equal the token `length` places before them."""
    run = 0
    while run + length < len(text) and text[-1 - run] == text[-1 - run - length]:
        run += 1
    return run
