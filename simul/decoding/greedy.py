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


class Written:
    """What texts have written, and how they came to their ends; tensors of fixed size.

    ids, logprobs: [texts, steps]. attention: [texts, steps, frames]. lengths: int [texts]. ended, stopped: bool
    [texts].
    """

    def __init__(self, texts: int, steps: int, frames: int, device: torch.device) -> None:
        self.ids = torch.zeros((texts, steps), dtype=torch.long, device=device)
        self.logprobs = torch.zeros((texts, steps), device=device)
        self.attention = torch.zeros((texts, steps, frames), device=device)
        self.lengths = torch.zeros(texts, dtype=torch.long, device=device)
        self.ended, self.stopped = torch.zeros((2, texts), dtype=torch.bool, device=device)

    def begin(self) -> None:
        """Nothing is written."""
        for tensor in (self.lengths, self.ended, self.stopped):
            tensor.zero_()

    def judge(
        self,
        rows: torch.Tensor,
        step: int | torch.Tensor,
        found: tuple[torch.Tensor, torch.Tensor, torch.Tensor],
        going: torch.Tensor,
        limits: torch.Tensor,
        rules: Rules,
        stops: Stops,
    ) -> torch.Tensor:
        """Take the next token of the texts `rows`, and tell which of those that are `going` go on, bool [rows].

        step: how many tokens came before, a number or int [rows] (for a single one the host would be asked). found:
        log-probabilities, tokens, attention [rows, frames]. limits: the most tokens of each of all texts. Nothing is
        asked of the device.
        """
        scores, tokens, attention = found
        self.ids[rows, step], self.logprobs[rows, step] = tokens, scores
        self.attention[..., : attention.shape[1]][rows, step] = attention
        over = going & rules.ends[tokens]
        met = going & ~over & stops.met(rows, tokens, scores, attention)
        self.lengths[rows] += (going & ~over).long()
        self.ended[rows] |= over
        self.stopped[rows] |= met
        return going & ~over & ~met & (step + 1 < limits[rows])

    def remember(self, batch: Batch, prompts: Sequence[Prompt], rows: Iterable[tuple[int, int]]) -> None:
        """Keep what was computed for texts in (row, text) pairs; whether a last token was fed is not known."""
        if batch.kept is None:
            return
        lengths, ids = self.lengths.tolist(), self.ids.tolist()
        for row, text in rows:
            batch.remember(row, text, (*prompts[text].ids, *ids[text][: max(0, lengths[text] - 1)]))

    def hypotheses(self, contents: Sequence[int]) -> list[Hypothesis]:
        """What was found for the first texts, of which so many frames are audio."""
        texts = len(contents)
        lengths, ended, stopped = torch.stack([self.lengths, self.ended, self.stopped])[:, :texts].tolist()
        most = max(lengths)
        ids, logprobs = self.ids[:texts, :most].tolist(), numpy_rows(self.logprobs[:texts, :most])
        attention = numpy_rows(self.attention[:texts, :most, : max(contents)])
        shown = self.attention.shape[2] > 0
        return [
            Hypothesis(
                tuple(ids[b][:n]),
                logprobs[b, :n].astype(np.float64),
                bool(ended[b]),
                bool(stopped[b]),
                attention[b, :n, : contents[b]].copy() if shown else None,
            )
            for b, n in enumerate(lengths)
        ]


def greedy(batch: Batch, rules: Rules, prompts: Sequence[Prompt]) -> list[Hypothesis]:
    """The most probable token at each step, until an end, a stop rule or the room.

    The host asks which texts go on once in `stride` steps. A row that is over leaves the batch with the next of those
    that leave it half empty; until then what it goes on to write does not count.
    """
    device, rooms = batch.logits.device, [p.room(batch.model.positions) for p in prompts]
    every, limits = stride(device), torch.tensor(rooms, device=device)
    found = Written(len(prompts), max(rooms), batch.attention.shape[1], device)
    stops = Stops(prompts, rules, batch.contents, batch.model.frame)
    history, numbers = rules.start(prompts), list(range(len(prompts)))
    rows, going = torch.arange(len(prompts), device=device), torch.ones_like(limits, dtype=torch.bool)
    for step in range(max(rooms)):
        scores, tokens = rules.logprobs(batch.logits, history).max(-1)
        going = found.judge(rows, step, (scores, tokens, batch.attention), going, limits, rules, stops)
        if (step + 1) % every == 0 or step + 1 == max(rooms):
            goes = going.tolist()
            if not any(goes):
                break
            if 2 * sum(goes) <= len(goes):
                leaving = [(row, numbers[row]) for row, still in enumerate(goes) if not still]
                found.remember(batch, prompts, leaving)
                chosen = torch.tensor([row for row, still in enumerate(goes) if still], device=device)
                batch.select(chosen)
                history = history.select(chosen)
                rows, tokens, going = rows[chosen], tokens[chosen], going[chosen]
                numbers = [number for number, still in zip(numbers, goes, strict=True) if still]
        batch.feed(tokens)
        history = rules.push(history, tokens)
    found.remember(batch, prompts, enumerate(numbers))
    return found.hypotheses(batch.contents)


def numpy_rows(rows: torch.Tensor) -> NDArray[np.float32]:
    """A tensor as a float32 array of its own."""
    return rows.float().cpu().numpy().copy()
