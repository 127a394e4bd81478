"""What a decoder is given and what it finds, whatever model and library compute it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from policies.base import StopRule


@dataclass(frozen=True)
class Prompt:
    """What the decoder is given: `head` (previous text, language, task), then the forced `prefix`.

    stop: where the decoder may stop by itself; a model that cannot tell ignores it. word_complete: the prefix ends
    with a whole word, which the first text token must not make longer; times and the end stay allowed before it.
    draft: how the text may go on; a model that can takes over at once the tokens that it would write itself.
    """

    head: tuple[int, ...]
    prefix: tuple[int, ...] = ()
    max_new_tokens: int = 224
    stop: StopRule | None = None
    word_complete: bool = False
    draft: tuple[int, ...] = ()

    @property
    def ids(self) -> tuple[int, ...]:
        """All tokens that are given."""
        return (*self.head, *self.prefix)

    @property
    def grown(self) -> bool:
        """Whether a next token could make a whole word longer."""
        return self.word_complete and bool(self.prefix)

    def room(self, positions: int) -> int:
        """How many tokens may be written, at least one, in a decoder that has so many positions."""
        return max(1, min(self.max_new_tokens, positions - len(self.ids)))


@dataclass(frozen=True)
class Hypothesis:
    """The tokens written after the prefix.

    logprobs: float [n], each token's natural log-probability among the tokens that decoding allows.
    ended: the model ended the text itself. stopped: a stop rule met the last token, which is still shown so that a
    policy sees whether it begins a word. attention: float32 [n, frames], the cross-attention from which each token
    was predicted, mean of the heads that the model reads, on the encoder frames of the audio; None: the model does
    not show it. beams: the other hypotheses, best first. no_speech_prob: how likely nobody speaks, where the model
    tells. repairs: (start, stop, heard) of ids that a term put in the place of the words `heard`.
    """

    ids: tuple[int, ...]
    logprobs: NDArray[np.float64]
    ended: bool
    stopped: bool = False
    attention: NDArray[np.float32] | None = None
    beams: tuple[tuple[int, ...], ...] = ()
    no_speech_prob: float = 0.0
    repairs: tuple[tuple[int, int, str], ...] = ()

    def first(self, count: int, stopped: bool = False) -> Hypothesis:
        """The hypothesis cut after `count` tokens, by a stop rule if `stopped`."""
        if count >= len(self.ids) and not stopped:
            return self
        attention = None if self.attention is None else self.attention[:count]
        return replace(
            self,
            ids=self.ids[:count],
            logprobs=self.logprobs[:count],
            attention=attention,
            ended=False,
            stopped=stopped,
        )
