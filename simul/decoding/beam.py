"""Beam search over several windows at once, with the exact log-probability of every token."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from simul.decoding.greedy import Batch, Window, numpy_rows, remember, stop_at
from simul.decoding.rules import History, Rules
from simul.models.whisper.interface import Hypothesis, Prompt
from simul.models.whisper.tokens import WhisperTokens


@dataclass(frozen=True)
class _Text:
    """A text that was found; score: the mean log-probability of its tokens, the end included."""

    score: float
    row: int
    ids: torch.Tensor
    logprobs: torch.Tensor
    attention: torch.Tensor
    ended: bool


class _Beams:
    """`width` rows per window and what they have written: tokens, log-probabilities and attention, per step."""

    def __init__(self, batch: Batch, count: int, width: int) -> None:
        self.batch, self.width = batch, width
        device, frames = batch.logits.device, batch.attention.shape[1]
        self.rows = torch.arange(count, device=device).repeat_interleave(width)
        batch.select(self.rows)
        self.ids = torch.empty((count * width, 0), dtype=torch.long, device=device)
        self.logprobs = torch.empty((count * width, 0), device=device)
        self.attention = torch.empty((count * width, 0, frames), device=device)
        self.sums = torch.full((count, width), -torch.inf, dtype=torch.float64, device=device)
        self.sums[:, 0] = 0

    def text(self, row: int, total: float, ended: bool) -> _Text:
        """What a row has written; `total` is the sum of its log-probabilities, the end's included."""
        length = self.ids.shape[1] + ended
        score = total / length if length else 0.0
        return _Text(score, row, self.ids[row], self.logprobs[row], self.attention[row], ended)

    def write(self, parents: torch.Tensor, written: torch.Tensor, logprobs: torch.Tensor) -> None:
        """Let each row go on from a parent row with a token."""
        rows = self.batch.attention[parents]
        self.ids = torch.cat([self.ids[parents], written[:, None]], dim=1)
        self.logprobs = torch.cat([self.logprobs[parents], logprobs[parents, written][:, None]], dim=1)
        self.attention = torch.cat([self.attention[parents], rows[:, None]], dim=1)
        self.batch.reorder(parents)


def search(
    batch: Batch,
    rules: Rules,
    tokens: WhisperTokens,
    windows: Sequence[Window],
    prompts: Sequence[Prompt],
    width: int,
) -> list[Hypothesis]:
    """The best of the texts that a beam of `width` finds per window, and the others in `beams`.

    A window is done when `width` texts have ended (Radford et al. 2023, section 4.5), or at its room, where texts
    that have not ended count too. The best has the highest mean log-probability.
    """
    for number, (window, prompt) in enumerate(zip(windows, prompts, strict=True)):
        remember(batch, window, number, (*prompt.head, *prompt.prefix), batch.no_speech[number])
    beams = _Beams(batch, len(prompts), width)
    history = History.of(prompts, tokens, batch.logits.device).select(beams.rows)
    found: list[list[_Text]] = [[] for _ in prompts]
    going = set(range(len(prompts)))
    for step in range(max(p.room for p in prompts)):
        logprobs = rules.logprobs(batch.logits, history)
        parents, written, sums = _extend(beams, logprobs, tokens.end, found, going)
        beams.write(parents, written, logprobs)
        history = history.select(parents).push(written, tokens)
        beams.sums = sums
        for number in sorted(going):
            if step + 1 >= prompts[number].room:
                totals = enumerate(sums[number].tolist(), number * width)
                found[number] += [beams.text(row, t, False) for row, t in totals if t > -np.inf]
            elif len(found[number]) < width:
                continue
            going.remove(number)
        if not going:
            break
        batch.feed(written)
    return [
        _hypothesis(texts, window, prompt, batch.no_speech[number], tokens.end, width)
        for number, (texts, window, prompt) in enumerate(zip(found, windows, prompts, strict=True))
    ]


def _extend(
    beams: _Beams, logprobs: torch.Tensor, end: int, found: list[list[_Text]], going: set[int]
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The best ways to go on: rows to go on from, their tokens and sums; texts that end before them are `found`."""
    width, size = beams.width, logprobs.shape[1]
    totals = beams.sums.view(-1, 1) + logprobs.double()
    best, places = totals.view(-1, width * size).topk(2 * width)
    parents, written, sums = [], [], []
    for number, (values, flat) in enumerate(zip(best.tolist(), places.tolist(), strict=True)):
        live = []
        for value, place in zip(values, flat, strict=True):
            row, token = number * width + place // size, place % size
            if token != end:
                live.append((row, token, value))
            elif number in going and value > -np.inf:
                found[number].append(beams.text(row, value, True))
            if len(live) == width:
                break
        parents += [row for row, _, _ in live]
        written += [token for _, token, _ in live]
        sums.append([value for _, _, value in live])
    device = logprobs.device
    return (
        torch.tensor(parents, device=device),
        torch.tensor(written, device=device),
        torch.tensor(sums, dtype=torch.float64, device=device),
    )


def _hypothesis(
    texts: list[_Text], window: Window, prompt: Prompt, no_speech: float, end: int, width: int
) -> Hypothesis:
    best, *others = sorted(texts, key=lambda text: -text.score)[:width]
    hypothesis = Hypothesis(
        tuple(best.ids.tolist()),
        numpy_rows(best.logprobs).astype(np.float64),
        no_speech,
        best.ended,
        attention=numpy_rows(best.attention[:, : window.content]),
        beams=tuple(tuple(text.ids.tolist()) for text in others),
    )
    return stop_at(hypothesis, prompt.stop, end)
