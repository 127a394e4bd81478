"""What the Whisper backend and recogniser ask of a model, whichever library computes it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from policies.base import StopRule
from simul.errors import UsageError
from simul.models.whisper.tokens import WhisperTokens

MAX_POSITIONS = 448
Encoded = Any
"""A window as a model's encoder left it; only that model knows what it is."""


@dataclass(frozen=True)
class Prompt:
    """What the decoder is given: `head` (previous text, start, language, task) and then the forced `prefix`.

    stop: where the decoder may stop by itself; a model that cannot tell ignores it. word_complete: the prefix ends
    with a whole word, which the first text token must not make longer; times and the end stay allowed before it. draft:
    how the text may go on; a model that can takes over at once the tokens that it would write itself.
    """

    head: tuple[int, ...]
    prefix: tuple[int, ...] = ()
    max_new_tokens: int = 224
    stop: StopRule | None = None
    word_complete: bool = False
    draft: tuple[int, ...] = ()

    @property
    def room(self) -> int:
        """How many tokens may be generated, within the decoder's positions."""
        return max(1, min(self.max_new_tokens, MAX_POSITIONS - len(self.head) - len(self.prefix)))


@dataclass(frozen=True)
class Hypothesis:
    """The tokens generated after the prefix.

    logprobs: float [n], each token's natural log-probability among the tokens that decoding allows.
    ended: the model ended the text itself. stopped: a stop rule met the last token, which is still shown so that a
    policy sees whether it begins a word. attention: float32 [n, frames], the cross-attention from which each token
    was predicted, mean of the alignment heads, on the encoder frames of the audio; None: the model does not show
    it. beams: the other hypotheses, best first.
    """

    ids: tuple[int, ...]
    logprobs: NDArray[np.float64]
    no_speech_prob: float
    ended: bool
    stopped: bool = False
    attention: NDArray[np.float32] | None = None
    beams: tuple[tuple[int, ...], ...] = ()

    def first(self, count: int) -> Hypothesis:
        """The hypothesis cut after `count` tokens."""
        if count >= len(self.ids):
            return self
        attention = None if self.attention is None else self.attention[:count]
        return replace(
            self,
            ids=self.ids[:count],
            logprobs=self.logprobs[:count],
            attention=attention,
            ended=False,
            stopped=False,
        )


class Whisper(Protocol):
    """A Whisper model. `aligns`: tokens get source times; `attends`: hypotheses come with cross-attention;
    `offers`: how many hypotheses a pass yields; `grows`: it is a `GrowingWhisper`."""

    folder: Path
    tokens: WhisperTokens
    aligns: bool
    attends: bool
    offers: int
    grows: bool

    def check_source(self, source: str) -> None:
        """Raise `UsageError` unless the model hears the language `source`."""
        ...

    def encode(self, windows: Sequence[NDArray[np.float32]]) -> list[Encoded]:
        """Encoder output of each window of samples."""
        ...

    def generate(self, encoded: Sequence[Encoded], prompts: Sequence[Prompt]) -> list[Hypothesis]:
        """One hypothesis per window; a batch gives what single calls give."""
        ...

    def align(
        self,
        encoded: Sequence[Encoded],
        head: Sequence[int],
        texts: Sequence[Sequence[int]],
        samples: Sequence[int],
    ) -> list[NDArray[np.int64]]:
        """Where each text token lies in its window: int [n, 2] of window samples, non-decreasing.

        head: start, language and task. samples: the audio's length in each window, without padding.
        """
        ...


class GrowingWhisper(Whisper, Protocol):
    """A model of whose windows what was encoded stays as they become longer."""

    def start(self) -> Any:
        """What is to be kept of a window that will grow."""
        ...

    def grow(self, kept: Sequence[Any], windows: Sequence[NDArray[np.float32]]) -> list[Encoded]:
        """Encoder output of windows whose samples, given whole, have become more."""
        ...


def check_source(folder: Path, tokens: WhisperTokens, source: str) -> None:
    """Raise `UsageError` unless the model in `folder` hears the language `source`."""
    if source not in tokens.languages:
        listed = ", ".join(sorted(tokens.languages))
        raise UsageError(f"The Whisper model {folder.name} does not hear {source!r}; it knows: {listed}.")
