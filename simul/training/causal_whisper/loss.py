"""How far states are from a teacher's, which hears the same sound in a padded window with full attention."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch.nn import functional as F

from simul.models.whisper.features import STEP
from simul.training.causal_whisper.network import BlockEncoder

WHOLE = 0
"""Stands for windows without blocks."""


@dataclass(frozen=True)
class SoundBatch:
    """Samples [windows, n], n of whole frames; the frames of silence behind them; and the frames of a block."""

    samples: torch.Tensor
    tail: int
    block: int = WHOLE

    @property
    def frames(self) -> int:
        """How many frames are encoded."""
        return self.samples.shape[1] // STEP + self.tail


def distance(found: torch.Tensor, expected: torch.Tensor, cosine: float = 0.5) -> torch.Tensor:
    """Mean square error of states [windows, n, width] over their mean square, and a share of 1 - cosine.

    Of `expected` the first n frames count.
    """
    found, expected = found.float(), expected[:, : found.shape[1]].float()
    error = ((found - expected) ** 2).mean(-1) / (expected**2).mean()
    return (error + cosine * (1 - F.cosine_similarity(found, expected, -1))).mean()


def distances(
    student: BlockEncoder,
    teacher: BlockEncoder,
    batch: SoundBatch,
    layers: Sequence[int] = (),
    cosine: float = 0.5,
    mixed: bool = False,
) -> list[torch.Tensor]:
    """The distance of the last states, and of the output of some layers; mixed: the student computes in bfloat16."""
    with torch.no_grad():
        expected, inner = teacher(batch.samples, teacher.longest, keep=layers)
    with torch.autocast(batch.samples.device.type, torch.bfloat16, enabled=mixed):
        found, own = student(batch.samples, batch.frames, batch.block or None, keep=layers)
    pairs = zip([found, *own], [expected, *inner], strict=True)
    return [distance(mine, other, cosine) for mine, other in pairs]
