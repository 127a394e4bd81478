"""Greedy decoding of several texts at once on torch: the one loop of all models."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from simul.decoding.batch import Batch
from simul.decoding.interface import Hypothesis, Prompt
from simul.decoding.rules import Rules, Stops

STRIDE = 4


def stride(device: torch.device) -> int:
    """After how many steps the host asks again which rows go on.

    On a CPU asking costs nothing. An accelerator would have to be waited for; some steps too many are cheaper.
    """
    return 1 if device.type == "cpu" else STRIDE


class _Written:
    """What the texts have written, and how they came to their ends."""

    def __init__(self, batch: Batch, prompts: Sequence[Prompt], steps: int) -> None:
        count, device, frames = len(prompts), batch.logits.device, batch.attention.shape[1]
        self._batch, self._prompts = batch, prompts
        self.ids = torch.zeros((count, steps), dtype=torch.long, device=device)
        self.logprobs = torch.zeros((count, steps), device=device)
        self.attention = torch.zeros((count, steps, frames), device=device)
        self.lengths = torch.zeros(count, dtype=torch.long, device=device)
        self.ended, self.stopped = torch.zeros((2, count), dtype=torch.bool, device=device)

    def remember(self, rows: Iterable[tuple[int, int]]) -> None:
        """Keep what was computed for texts in (row, text) pairs; whether a last token was fed is not known."""
        if self._batch.kept is None:
            return
        lengths = self.lengths.tolist()
        for row, text in rows:
            new = self.ids[text, : max(0, lengths[text] - 1)].tolist()
            self._batch.remember(row, text, (*self._prompts[text].ids, *new))

    def hypotheses(self) -> list[Hypothesis]:
        """What was found for each text."""
        ids, logprobs, attention = self.ids.tolist(), numpy_rows(self.logprobs), numpy_rows(self.attention)
        ended, stopped, shown = self.ended.tolist(), self.stopped.tolist(), attention.shape[2] > 0
        return [
            Hypothesis(
                tuple(ids[b][:n]),
                logprobs[b, :n].astype(np.float64),
                ended[b],
                stopped[b],
                attention[b, :n, : self._batch.contents[b]].copy() if shown else None,
            )
            for b, n in enumerate(self.lengths.tolist())
        ]


def greedy(batch: Batch, rules: Rules, prompts: Sequence[Prompt]) -> list[Hypothesis]:
    """The most probable token at each step, until an end, a stop rule or the room.

    A row that is over leaves the batch with the next of those that leave it half empty; until then what it goes on
    to write does not count.
    """
    device, rooms = batch.logits.device, [p.room(batch.model.positions) for p in prompts]
    every, limits = stride(device), torch.tensor(rooms, device=device)
    found = _Written(batch, prompts, max(rooms))
    stops = Stops(prompts, rules, batch.contents, batch.model.frame)
    history, numbers = rules.start(prompts), list(range(len(prompts)))
    rows, going = torch.arange(len(prompts), device=device), torch.ones_like(limits, dtype=torch.bool)
    for step in range(max(rooms)):
        scores, tokens = rules.logprobs(batch.logits, history).max(-1)
        found.ids[rows, step], found.logprobs[rows, step] = tokens, scores
        found.attention[rows, step] = batch.attention
        over = going & rules.ends[tokens]
        met = going & ~over & stops.met(rows, tokens, scores, batch.attention)
        found.lengths[rows] += (going & ~over).long()
        found.ended[rows] |= over
        found.stopped[rows] |= met
        going = going & ~over & ~met & (step + 1 < limits[rows])
        if (step + 1) % every == 0 or step + 1 == max(rooms):
            goes = going.tolist()
            if not any(goes):
                break
            if 2 * sum(goes) <= len(goes):
                found.remember((row, numbers[row]) for row, still in enumerate(goes) if not still)
                chosen = going.nonzero()[:, 0]
                batch.select(chosen)
                history = history.select(chosen)
                rows, tokens, going = rows[chosen], tokens[chosen], going[chosen]
                numbers = rows.tolist()
        batch.feed(tokens)
        history = rules.push(history, tokens)
    found.remember(enumerate(numbers))
    return found.hypotheses()


def numpy_rows(rows: torch.Tensor) -> NDArray[np.float32]:
    """A tensor as a float32 array of its own."""
    return rows.float().cpu().numpy().copy()
