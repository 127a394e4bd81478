"""Which tokens a Whisper decoder may write next: suppressed tokens, and the grammar of time tokens."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import torch

from simul.decoding.interface import Prompt
from simul.decoding.rules import History, Rules
from simul.models.whisper.tokens import WhisperTokens

NONE = -1


@dataclass(frozen=True)
class TimedHistory(History):
    """What matters for times besides; int [rows], -1 for none, and bool [rows].

    last, before: the last token and the one before it, prefix included. time: the last time token. timed: the row
    writes times. any_timed: some row does.
    """

    last: torch.Tensor
    before: torch.Tensor
    time: torch.Tensor
    timed: torch.Tensor
    any_timed: bool


class TimedRules(Rules):
    """suppress: tokens never written. begin: tokens that a text does not begin with. latest: the highest time token,
    counted from the first, with which a text may begin."""

    def __init__(
        self,
        tokens: WhisperTokens,
        size: int,
        suppress: Iterable[int],
        begin: Iterable[int],
        latest: int | None,
        device: torch.device,
    ) -> None:
        numbers = torch.arange(size, device=device)
        grows = torch.zeros(size, dtype=torch.bool, device=device)
        grows[: tokens.end] = torch.from_numpy(tokens.grows)
        never, first = (_listed(ids, size, device) for ids in (suppress, begin))
        super().__init__(numbers == tokens.end, never, grows, first, numbers < tokens.end)
        self._numbers, self._first, self._latest = numbers, tokens.first_timestamp, latest
        self._no_timestamps = tokens.no_timestamps

    def start(self, prompts: Sequence[Prompt]) -> TimedHistory:
        """What the prompts say."""
        last_two = [(NONE, NONE, *p.prefix)[-2:] for p in prompts]
        times = [next((t for t in reversed(p.prefix) if t >= self._first), NONE) for p in prompts]
        timed = [p.head[-1] != self._no_timestamps for p in prompts]
        before, last = self._numbers.new_tensor(last_two).T
        return TimedHistory(
            **vars(super().start(prompts)),
            last=last,
            before=before,
            time=self._numbers.new_tensor(times),
            timed=self.ends.new_tensor(timed),
            any_timed=any(timed),
        )

    def push(self, history: History, written: torch.Tensor) -> History:
        """The history after each row wrote one more token."""
        after = super().push(history, written)
        assert isinstance(after, TimedHistory)
        time = torch.where(written >= self._first, written, after.time)
        return replace(after, last=written, before=after.last, time=time)

    def _allowed(self, logits: torch.Tensor, history: History) -> torch.Tensor:
        assert isinstance(history, TimedHistory)
        logits = super()._allowed(logits, history)
        if history.any_timed:
            timed = history.timed[:, None]
            logits = logits.masked_fill(timed & self._out_of_time(history), -torch.inf)
            logits = logits.masked_fill(timed & self._untimely(logits), -torch.inf)
        return logits

    def _out_of_time(self, history: TimedHistory) -> torch.Tensor:
        """Tokens that the grammar of times forbids (Radford et al. 2023, section 4.5, and their program).

        Times come in pairs, the end of a segment and the start of the next, but for the first and the one before
        the end; they do not decrease, and a segment does not end where it starts; a text begins with a time.
        """
        numbers, is_time = self._numbers, self._numbers >= self._first
        last = history.last >= self._first
        before = (history.before >= self._first) | (history.before == NONE)
        closed, opened = (last & before)[:, None], (last & ~before)[:, None]
        earliest = torch.where(history.time == NONE, self._first, history.time + 1)[:, None] - opened.long()
        barred = (numbers == self._no_timestamps) | (closed & is_time) | (opened & self.texts)
        barred = barred | (is_time & (numbers < earliest))
        begins = ~is_time if self._latest is None else ~is_time | (numbers > self._first + self._latest)
        return barred | (history.fresh[:, None] & begins)

    def _untimely(self, logits: torch.Tensor) -> torch.Tensor:
        """All but the times where they are together more probable than any other token."""
        is_time = self._numbers >= self._first
        times = logits.masked_fill(~is_time, -torch.inf).logsumexp(-1)
        text = logits.masked_fill(is_time, -torch.inf).amax(-1)
        return (times > text)[:, None] & ~is_time


def _listed(ids: Iterable[int], size: int, device: torch.device) -> torch.Tensor:
    """Bool [size]: the numbers that are listed."""
    listed = torch.zeros(size, dtype=torch.bool, device=device)
    return listed.index_fill(0, torch.tensor(list(ids), dtype=torch.long, device=device), True)
