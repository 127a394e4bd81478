"""Beam search over several texts at once on torch, with the exact log-probability of every token."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch

from simul.decoding.batch import Batch
from simul.decoding.greedy import numpy_rows, stride
from simul.decoding.interface import Hypothesis, Prompt
from simul.decoding.rules import Rules, Stops


class _Step(NamedTuple):
    """What all rows did in one step.

    parents, tokens, scores, attention: the row before that each row [rows] went on from, with which token, its
    log-probability, and the attention [rows, frames] that predicted it. ended, totals: the rows before whose texts
    ended, and their sums of log-probabilities (-inf: none did), [texts, candidates]. sums: those of what goes on,
    [texts, width]. going: whether the search for a text was still going on before, bool [texts].
    """

    parents: torch.Tensor
    tokens: torch.Tensor
    scores: torch.Tensor
    attention: torch.Tensor
    ended: torch.Tensor
    totals: torch.Tensor
    sums: torch.Tensor
    going: torch.Tensor


class _Found(NamedTuple):
    """A text that was found: what `row` had written after `steps` steps; score: the mean log-probability of its
    tokens, the end included; a forced prefix counts as certain, else saying it again would beat ending."""

    score: float
    steps: int
    row: int
    ended: bool


def search(batch: Batch, rules: Rules, prompts: Sequence[Prompt], width: int) -> list[Hypothesis]:
    """The best of the texts that a beam of `width` finds for each prompt, and the others in `beams`.

    A search is done when `width` texts have ended (Radford et al. 2023, section 4.5), or at its room, where texts
    that have not ended count too. The best has the highest score.
    """
    device, rooms = batch.logits.device, [p.room(batch.model.positions) for p in prompts]
    for index, prompt in enumerate(prompts):
        batch.remember(index, index, prompt.ids)
    rows = torch.arange(len(prompts), device=device).repeat_interleave(width)
    batch.select(rows)
    history = rules.start(prompts).select(rows)
    every, limits = stride(device), torch.tensor(rooms, device=device)
    # Each row has so many ends, so that among so many candidates `width` go on.
    breadth = width * (1 + int(rules.ends.sum()))
    sums = torch.full((len(prompts), width), -torch.inf, device=device)
    sums[:, 0] = 0
    going, count = torch.ones_like(limits, dtype=torch.bool), torch.zeros_like(limits)
    steps: list[_Step] = []
    for number in range(max(rooms)):
        logprobs = rules.logprobs(batch.logits, history)
        step = _extend(sums, logprobs, rules.ends, breadth, batch.attention, going)
        steps.append(step)
        sums, count = step.sums, count + (step.totals > -torch.inf).sum(1)
        going = going & (count < width) & (number + 1 < limits)
        if (number + 1) % every == 0 and not going.any():
            break
        batch.reorder(step.parents)
        history = rules.push(history.select(step.parents), step.tokens)
        batch.feed(step.tokens)
    given = [len(p.prefix) for p in prompts]
    stops = Stops(prompts, rules, batch.contents, batch.model.frame)
    return _hypotheses(steps, rooms, given, batch.contents, stops)


def _extend(
    sums: torch.Tensor,
    logprobs: torch.Tensor,
    ends: torch.Tensor,
    breadth: int,
    attention: torch.Tensor,
    going: torch.Tensor,
) -> _Step:
    """The best ways to go on, and the texts that end before the last of them."""
    (texts, width), size = sums.shape, logprobs.shape[1]
    totals = (sums.view(-1, 1) + logprobs.double()).view(texts, -1)
    best, places = totals.topk(min(breadth, totals.shape[1]))
    rows = places // size + width * torch.arange(texts, device=sums.device)[:, None]
    over = ends[places % size]
    ended = over & ((~over).cumsum(1) < width) & going[:, None]
    order = over.long().argsort(dim=1, stable=True)[:, :width]
    parents, tokens = (values.gather(1, order).flatten() for values in (rows, places % size))
    return _Step(
        parents,
        tokens,
        logprobs[parents, tokens],
        attention[parents],
        rows,
        best.masked_fill(~ended, -torch.inf),
        best.gather(1, order),
        going,
    )


def _stacked(steps: Sequence[_Step], name: str) -> torch.Tensor:
    return torch.stack([getattr(step, name) for step in steps])


def _ranked(steps: Sequence[_Step], rooms: Sequence[int], given: Sequence[int]) -> list[list[_Found]]:
    """All texts found in each search, best first. given: how many tokens were forced, which count as certain."""
    rows, totals, sums, going = (
        _stacked(steps, name).tolist() for name in ("ended", "totals", "sums", "going")
    )
    ranked = []
    for text, (room, forced) in enumerate(zip(rooms, given, strict=True)):
        found = []
        for step in range(len(steps)):
            if not going[step][text]:
                break
            ended = zip(rows[step][text], totals[step][text], strict=True)
            found += [_Found(total / (forced + step + 1), step, row, True) for row, total in ended]
            if step + 1 == room:
                live = enumerate(sums[step][text], text * len(sums[step][text]))
                found += [_Found(total / (forced + room), room, row, False) for row, total in live]
        ranked.append(sorted((one for one in found if one.score > -np.inf), key=lambda one: -one.score))
    return ranked


def _hypotheses(
    steps: Sequence[_Step],
    rooms: Sequence[int],
    given: Sequence[int],
    contents: Sequence[int],
    stops: Stops,
) -> list[Hypothesis]:
    """The best text of each search, cut where it meets its stop rule, and the others."""
    parents, tokens = _stacked(steps, "parents").tolist(), _stacked(steps, "tokens").tolist()
    scores, attention = _stacked(steps, "scores"), _stacked(steps, "attention")
    width, hypotheses = steps[0].sums.shape[1], []
    for text, ranked in enumerate(_ranked(steps, rooms, given)):
        ways = [_way(parents, found) for found in ranked[:width]]
        ids = [tuple(tokens[step][row] for step, row in way) for way in ways]
        at = torch.tensor(ways[0], dtype=torch.long, device=scores.device).view(-1, 2).T
        logprobs, weights = scores[tuple(at)], attention[tuple(at)]
        best = Hypothesis(
            ids[0],
            numpy_rows(logprobs).astype(np.float64),
            ranked[0].ended,
            attention=numpy_rows(weights[:, : contents[text]]) if attention.shape[2] else None,
            beams=tuple(ids[1:]),
        )
        written = torch.tensor(ids[0], dtype=torch.long, device=scores.device)
        met = stops.met(torch.full_like(written, text), written, logprobs, weights).tolist()
        hypotheses.append(best.first(met.index(True) + 1, stopped=True) if any(met) else best)
    return hypotheses


def _way(parents: list[list[int]], found: _Found) -> list[tuple[int, int]]:
    """The step and the row of each token."""
    walked, row = [], found.row
    for step in reversed(range(found.steps)):
        walked.append((step, row))
        row = parents[step][row]
    return walked[::-1]
