"""What a pass of Whisper found: tokens, and what is known of each."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from simul.models.whisper.features import STEP


@dataclass(frozen=True)
class HeardText:
    """What a pass found: tokens, and for each its log-probability, source span and attention, where the model tells.

    attention: [tokens, frames], on frames from the stream sample `origin` on. The rest as in `Hypothesis`.
    """

    ids: tuple[int, ...] = ()
    logprobs: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    spans: NDArray[np.int64] | None = None
    attention: NDArray[np.float32] | None = None
    origin: int = 0
    ended: bool = True
    stopped: bool = False
    beams: tuple[tuple[int, ...], ...] = ()

    def part(self, start: int, stop: int | None = None) -> HeardText:
        """Some of the tokens."""
        chosen = slice(start, stop)
        return replace(
            self,
            ids=self.ids[chosen],
            logprobs=self.logprobs[chosen],
            spans=None if self.spans is None else self.spans[chosen],
            attention=None if self.attention is None else self.attention[chosen],
            beams=(),
        )

    def then(self, other: HeardText) -> HeardText:
        """These tokens and then those that another pass found in later audio."""
        if not self.ids:
            return other
        spans = attention = None
        if self.spans is not None and other.spans is not None:
            spans = np.concatenate([self.spans, other.spans])
        if self.attention is not None and other.attention is not None:
            later = (other.origin - self.origin) // STEP
            width = max(self.attention.shape[1], later + other.attention.shape[1])
            attention = np.zeros((len(self.ids) + len(other.ids), width), np.float32)
            attention[: len(self.ids), : self.attention.shape[1]] = self.attention
            attention[len(self.ids) :, later : later + other.attention.shape[1]] = other.attention
        return replace(
            other,
            ids=(*self.ids, *other.ids),
            logprobs=np.concatenate([self.logprobs, other.logprobs]),
            spans=spans,
            attention=attention,
            origin=self.origin,
            beams=(),
        )


NOTHING = HeardText()
