"""Rules as data on the device: which tokens may be written next, and where a decoder stops by itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import torch

from policies.base import StopRule
from simul.decoding.interface import Prompt

NEVER = 1 << 30


@dataclass(frozen=True)
class History:
    """What rows have written so far, as far as it matters for the next token; bool [rows] each.

    fresh: there is no text, not even a prefix. endless: the row may not end by itself. whole: the word before must not
    become longer, until text is written. any_whole: that is so in some row.
    """

    fresh: torch.Tensor
    endless: torch.Tensor
    whole: torch.Tensor
    any_whole: bool

    def select(self, rows: torch.Tensor | slice) -> History:
        """The history of some rows; those of a slice in the same memory."""
        values = ((field.name, getattr(self, field.name)) for field in fields(self))
        chosen: dict[str, Any] = {n: v[rows] for n, v in values if isinstance(v, torch.Tensor)}
        return replace(self, **chosen)


class Rules:
    """Which tokens may be written; bool [vocabulary] each.

    ends: those that end a text. never: those that are not written. grows: those that make a word before them longer.
    begin: those that a text does not begin with. texts: those that stand for text; None: all but the ends.
    """

    def __init__(
        self,
        ends: torch.Tensor,
        never: torch.Tensor,
        grows: torch.Tensor,
        begin: torch.Tensor | None = None,
        texts: torch.Tensor | None = None,
    ) -> None:
        self.ends, self.never, self.grows, self.begin = ends, never, grows, begin
        self.texts = ~ends if texts is None else texts

    def start(self, prompts: Sequence[Prompt]) -> History:
        """What the prompts say."""
        fresh, grown = [not p.prefix for p in prompts], [p.grown for p in prompts]
        endless = [p.stop is not None and p.stop.suppress_end for p in prompts]
        made = self.ends.new_tensor
        return History(made(fresh), made(endless), made(grown), any(grown))

    def push(self, history: History, written: torch.Tensor) -> History:
        """The history after each row wrote one more token."""
        return replace(
            history, fresh=torch.zeros_like(history.fresh), whole=history.whole & ~self.texts[written]
        )

    def logprobs(self, logits: torch.Tensor, history: History) -> torch.Tensor:
        """Log-probabilities float32 [rows, vocabulary] among the allowed tokens, from raw logits."""
        return self._allowed(logits.float(), history).log_softmax(-1)

    def _allowed(self, logits: torch.Tensor, history: History) -> torch.Tensor:
        """The logits, -inf where a token may not be written."""
        barred = self.never | (history.endless[:, None] & self.ends)
        if self.begin is not None:
            barred = barred | (history.fresh[:, None] & self.begin)
        if history.any_whole:
            barred = barred | (history.whole[:, None] & self.grows)
        return logits.masked_fill(barred, -torch.inf)


class Stops:
    """Stop rules of several rows, judged at once.

    contents: frames of audio, and not of the silence after it, in each row. frame: samples of one frame.
    """

    def __init__(self, prompts: Sequence[Prompt], rules: Rules, contents: Sequence[int], frame: int) -> None:
        stops = [p.stop or StopRule() for p in prompts]
        device = rules.ends.device
        self._texts = rules.texts
        late = [
            NEVER if stop.at_frame is None else count - -(-stop.at_frame // frame)
            for stop, count in zip(stops, contents, strict=True)
        ]
        low = [-np.inf if stop.score_below is None else stop.score_below for stop in stops]
        self._late, self._contents = torch.tensor([late, list(contents)], device=device)
        self._low = torch.tensor(low, dtype=torch.float64, device=device)

    def load(self, other: Stops, rows: int) -> None:
        """Copy the rules of `other` into the first rows."""
        for own, new in (
            (self._late, other._late),
            (self._contents, other._contents),
            (self._low, other._low),
        ):
            own[:rows].copy_(new)

    def met(
        self, rows: torch.Tensor, written: torch.Tensor, scores: torch.Tensor, attention: torch.Tensor
    ) -> torch.Tensor:
        """Which of the rows' tokens meet their rule, bool [rows]; only text does.

        scores: log-probabilities of the tokens. attention: [rows, frames], from which each was predicted.
        """
        met = scores.double() < self._low[rows]
        if attention.shape[1]:
            frames = torch.arange(attention.shape[1], device=rows.device)
            heard = attention.masked_fill(frames >= self._contents[rows][:, None], -1.0)
            met = met | (heard.argmax(-1) >= self._late[rows])
        return self._texts[written] & met
