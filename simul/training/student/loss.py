"""Label-smoothed cross-entropy of a large output layer, over a part of the vocabulary."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray


class SmoothedLoss(torch.autograd.Function):
    """Sum of -(1 - e) log p(label) - e mean log p over rows; scores never exist for more than `piece` rows.

    Arguments: hidden [N, width], table [C, width], bias [C], labels [N] as rows of the table, e, piece.
    """

    @staticmethod
    def forward(
        ctx: Any,
        hidden: torch.Tensor,
        table: torch.Tensor,
        bias: torch.Tensor,
        labels: torch.Tensor,
        smoothing: float,
        piece: int,
    ) -> torch.Tensor:
        low = table.to(hidden.dtype)
        of_hidden = torch.empty_like(hidden)
        of_table = torch.zeros(table.shape, dtype=torch.float32, device=table.device)
        of_bias = torch.zeros(bias.shape, dtype=torch.float32, device=table.device)
        total = torch.zeros((), device=table.device)
        for start in range(0, len(hidden), piece):
            rows, label = hidden[start : start + piece], labels[start : start + piece, None]
            scores = (rows @ low.t()).float().add_(bias)
            top = scores.amax(1, True)
            right, mean = scores.gather(1, label), scores.mean(1, True)
            scores.sub_(top).exp_()
            partition = scores.sum(1, True)
            total += (partition.log() + top - (1 - smoothing) * right - smoothing * mean).sum()
            scores.div_(partition).sub_(smoothing / len(table))
            scores.scatter_add_(1, label, torch.full_like(right, smoothing - 1))
            of_bias += scores.sum(0)
            grad = scores.to(hidden.dtype)
            of_hidden[start : start + piece] = grad @ low
            of_table += (grad.t() @ rows).float()
        ctx.save_for_backward(of_hidden, of_table.to(table.dtype), of_bias.to(bias.dtype))
        return total

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        return (*(grads[0] * saved for saved in ctx.saved_tensors), None, None, None)


@dataclass(frozen=True)
class Candidates:
    """The pieces that a batch's labels are told apart from: its own, the frequent ones, and a sample of the rest.

    A drawn piece stands for all that were not, so that the partition function is right in expectation (importance
    sampling; Bengio and Senécal 2008).
    """

    frequent: NDArray[np.bool_]
    drawn: int

    @classmethod
    def of(cls, counts: NDArray[np.float64], frequent: int, drawn: int) -> Candidates:
        """`frequent` pieces that are always there, by their counts."""
        always = np.zeros(len(counts), bool)
        always[np.argsort(-counts, kind="stable")[:frequent]] = True
        return cls(always, drawn)

    def choose(
        self, labels: NDArray[np.int64], random: np.random.Generator
    ) -> tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.int64]]:
        """(pieces, what to add to the score of each, the labels as places among the pieces)."""
        sure = self.frequent.copy()
        sure[labels] = True
        rest = np.flatnonzero(~sure)
        drawn = random.choice(rest, min(self.drawn, len(rest)), replace=False) if len(rest) else rest
        known = np.flatnonzero(sure)
        pieces = np.concatenate([known, drawn])
        added = np.zeros(len(pieces), np.float32)
        if len(drawn):
            added[len(known) :] = math.log(len(rest) / len(drawn))
        places = np.zeros(len(sure), np.int64)
        places[pieces] = np.arange(len(pieces))
        return pieces, added, places[labels]
