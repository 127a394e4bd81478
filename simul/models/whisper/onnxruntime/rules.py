"""Which tokens a Whisper decoder may write next: suppressed tokens, and the grammar of time tokens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simul.decoding.interface import Prompt
from simul.models.whisper.tokens import WhisperTokens

Row = NDArray[np.float32]
BARRED = np.float32(-np.inf)


class OnnxRules:
    """What no text may hold or begin with.

    suppress: tokens never written. begin: tokens that a text does not begin with. latest: the highest time token,
    counted from the first, with which a text may begin.
    """

    def __init__(
        self, tokens: WhisperTokens, size: int, suppress: Sequence[int], begin: Sequence[int], latest: int
    ) -> None:
        self.tokens, self.latest = tokens, latest
        never = np.zeros(size, np.float32)
        never[[t for t in suppress if 0 <= t < size]] = BARRED
        self._plain, self._timed = never, never.copy()
        self._timed[tokens.no_timestamps] = BARRED
        self._begin = [t for t in begin if 0 <= t < size]

    def logprobs(self, logits: Row, text: Text) -> Row:
        """Log-probabilities [vocabulary] of the next token among those allowed, from raw logits."""
        tokens, prompt = self.tokens, text.prompt
        scores = logits + (self._timed if text.timed else self._plain)
        written = text.written
        if not written:
            scores[self._begin] = BARRED
        if prompt.stop is not None and prompt.stop.suppress_end:
            scores[tokens.end] = BARRED
        if text.whole:
            scores[: tokens.end][tokens.grows] = BARRED
        if text.timed:
            self._keep_time(scores, written)
        top = scores.max()
        return scores - (top + np.log(np.exp(scores - top).sum()))

    def _keep_time(self, scores: Row, written: Sequence[int]) -> None:
        """Bar what the grammar of times forbids (Radford et al. 2023, section 4.5, and their program).

        Times come in pairs, the end of a segment and the start of the next, but for the first and the one before
        the end; they do not decrease, and a segment does not end where it starts; a text begins with a time. Where all
        times together are more probable than any other token, a time is written.
        """
        first, end = self.tokens.first_timestamp, self.tokens.end
        if not written:
            scores[:first] = BARRED
            scores[first + self.latest + 1 :] = BARRED
            return
        last = written[-1] >= first
        before = len(written) < 2 or written[-2] >= first
        if last and before:
            scores[first:] = BARRED
        elif last:
            scores[:end] = BARRED
        time = next((t for t in reversed(written) if t >= first), None)
        if time is not None:
            scores[first : time + (0 if last and not before else 1)] = BARRED
        times, top = scores[first:], scores[:first].max()
        peak = times.max()
        if peak > BARRED and peak + np.log(np.exp(times - peak).sum()) > top:
            scores[:first] = BARRED


@dataclass
class Text:
    """A text under way: its prompt, and what stands after the prompt's head, its prefix included."""

    prompt: Prompt
    tokens: WhisperTokens
    written: list[int]

    @property
    def timed(self) -> bool:
        """Whether the text holds times."""
        return self.prompt.head[-1] != self.tokens.no_timestamps

    @property
    def whole(self) -> bool:
        """Whether the prompt's last word must not become longer, and no text was written after it."""
        prompt = self.prompt
        new = self.written[len(prompt.prefix) :]
        return prompt.grown and not any(map(self.tokens.is_text, new))
