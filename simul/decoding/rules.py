"""Which tokens a Whisper decoder may write next: suppressed tokens, and the grammar of time tokens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import torch

from simul.models.whisper.interface import Prompt
from simul.models.whisper.tokens import WhisperTokens

NONE = -1


@dataclass
class History:
    """What rows have written so far, prefix included; int [rows] each, -1 for none.

    last, before: the last token and the one before it. time: the last time token. fresh: nothing was written.
    timed: the row writes times. endless: it may not end by itself. whole: the word before must not become longer,
    until text is written. any_timed, any_whole: some row writes times, some row's word must not become longer.
    """

    last: torch.Tensor
    before: torch.Tensor
    time: torch.Tensor
    fresh: torch.Tensor
    timed: torch.Tensor
    endless: torch.Tensor
    whole: torch.Tensor
    any_timed: bool
    any_whole: bool

    @classmethod
    def of(cls, prompts: Sequence[Prompt], tokens: WhisperTokens, device: torch.device) -> History:
        """What the prompts say."""

        def made(values: list[int]) -> torch.Tensor:
            return torch.tensor(values, device=device)

        times = [[t for t in p.prefix if t >= tokens.first_timestamp] for p in prompts]
        timed = [p.head[-1] != tokens.no_timestamps for p in prompts]
        whole = [p.word_complete and bool(p.prefix) for p in prompts]
        return cls(
            made([p.prefix[-1] if p.prefix else NONE for p in prompts]),
            made([p.prefix[-2] if len(p.prefix) > 1 else NONE for p in prompts]),
            made([t[-1] if t else NONE for t in times]),
            made([int(not p.prefix) for p in prompts]).bool(),
            made([int(t) for t in timed]).bool(),
            made([int(p.stop is not None and p.stop.suppress_end) for p in prompts]).bool(),
            made([int(w) for w in whole]).bool(),
            any(timed),
            any(whole),
        )

    def select(self, rows: torch.Tensor) -> History:
        """The history of some rows."""
        fields = ("last", "before", "time", "fresh", "timed", "endless", "whole")
        return replace(self, **{name: getattr(self, name)[rows] for name in fields})

    def push(self, written: torch.Tensor, tokens: WhisperTokens) -> History:
        """The history after each row wrote one more token."""
        time = torch.where(written >= tokens.first_timestamp, written, self.time)
        fresh = torch.zeros_like(self.fresh)
        whole = self.whole & (written >= tokens.end)
        return replace(self, last=written, before=self.last, time=time, fresh=fresh, whole=whole)


class Rules:
    """suppress: tokens never written. begin: tokens that a text does not begin with. latest: the highest time token,
    counted from the first, with which a text may begin."""

    def __init__(
        self,
        tokens: WhisperTokens,
        size: int,
        suppress: Sequence[int],
        begin: Sequence[int],
        latest: int | None,
        device: torch.device,
    ) -> None:
        self._tokens = tokens
        self._first, self._end, self._latest = tokens.first_timestamp, tokens.end, latest
        self._numbers = torch.arange(size, device=device)
        never = torch.zeros(size, dtype=torch.bool, device=device)
        self._never = never.index_fill(0, torch.tensor(list(suppress), dtype=torch.long, device=device), True)
        self._begin = never.index_fill(0, torch.tensor(list(begin), dtype=torch.long, device=device), True)
        self._no_timestamps = self._numbers == tokens.no_timestamps

    @cached_property
    def _grows(self) -> torch.Tensor:
        """Bool [vocabulary]: tokens that make a word before them longer."""
        grows = torch.zeros_like(self._never)
        grows[: self._end] = torch.from_numpy(self._tokens.grows).to(grows.device)
        return grows

    def logprobs(self, logits: torch.Tensor, history: History) -> torch.Tensor:
        """Log-probabilities float32 [rows, vocabulary] among the allowed tokens, from raw logits."""
        barred = self._never | (history.fresh[:, None] & self._begin)
        barred = barred | (history.endless[:, None] & (self._numbers == self._end))
        if history.any_whole:
            barred = barred | (history.whole[:, None] & self._grows)
        timed = history.timed[:, None]
        if history.any_timed:
            barred = barred | (timed & self._out_of_time(history))
        logits = logits.float().masked_fill(barred, -torch.inf)
        if history.any_timed:
            logits = logits.masked_fill(timed & self._untimely(logits), -torch.inf)
        return logits.log_softmax(-1)

    def _out_of_time(self, history: History) -> torch.Tensor:
        """Tokens that the grammar of times forbids (Radford et al. 2023, section 4.5, and their program).

        Times come in pairs, the end of a segment and the start of the next, but for the first and the one before
        the end; they do not decrease, and a segment does not end where it starts; a text begins with a time.
        """
        numbers, is_time = self._numbers, self._numbers >= self._first
        last = history.last >= self._first
        before = (history.before >= self._first) | (history.before == NONE)
        closed, opened = (last & before)[:, None], (last & ~before)[:, None]
        earliest = torch.where(history.time == NONE, self._first, history.time + 1)[:, None] - opened.long()
        barred = self._no_timestamps | (closed & is_time) | (opened & (numbers < self._end))
        barred = barred | (is_time & (numbers < earliest))
        begins = ~is_time if self._latest is None else ~is_time | (numbers > self._first + self._latest)
        return barred | (history.fresh[:, None] & begins)

    def _untimely(self, logits: torch.Tensor) -> torch.Tensor:
        """All but the times where they are together more probable than any other token."""
        is_time = self._numbers >= self._first
        times = logits.masked_fill(~is_time, -torch.inf).logsumexp(-1)
        text = logits.masked_fill(is_time, -torch.inf).amax(-1)
        return (times > text)[:, None] & ~is_time
