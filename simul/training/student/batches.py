"""Batches of similar lengths from pools of examples, in an order that a position describes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from simul.training.student.examples import Example, Maker
from simul.training.student.prepared import EOS, UNKNOWN

NOTHING = -1
"""The decoder's first input: no piece, a row of zeros."""
NOT_ASKED = -100
"""A label that does not count."""


@dataclass(frozen=True)
class Shapes:
    """How large batches are: at most `tokens` target places, or source places times `source`.

    `step`: lengths are rounded up to a multiple of it. `fixed`: the number of rows depends on the lengths alone and
    missing rows are filled, so that few shapes occur (for a GPU).
    """

    tokens: int = 4000
    source: float = 2 / 3
    step: int = 1
    fixed: bool = False


class PairBatch(NamedTuple):
    """Sources [rows, S] with their lengths (end of sentence included), decoder inputs and labels [rows, T], int64."""

    source: NDArray[np.int64]
    lengths: NDArray[np.int64]
    inputs: NDArray[np.int64]
    labels: NDArray[np.int64]


class Position(NamedTuple):
    """Where a run stands: the next batch of a pool of an epoch."""

    epoch: int = 0
    pool: int = 0
    batch: int = 0


def make_batches(
    examples: Sequence[Example], shapes: Shapes, source_eos: int, random: Random
) -> list[PairBatch]:
    """All examples in batches of similar lengths, the batches in random order."""
    order = sorted(examples, key=lambda e: (len(e.target) // 3, len(e.source), len(e.target)))
    batches: list[PairBatch] = []
    start = 0
    while start < len(order):
        size, width, height = 0, 0, 0
        while start + size < len(order):
            example = order[start + size]
            wider = max(width, _rounded(len(example.target) + 1, shapes.step))
            higher = max(height, _rounded(len(example.source) + 1, shapes.step))
            if size and size + 1 > rows_of(shapes, higher, wider):
                break
            width, height, size = wider, higher, size + 1
        rows = rows_of(shapes, height, width) if shapes.fixed else size
        batches.append(_stack(order[start : start + size], rows, height, width, source_eos))
        start += size
    random.shuffle(batches)
    return batches


def rows_of(shapes: Shapes, source: int, target: int) -> int:
    """The most rows of a batch whose sides are so long, at least one."""
    return max(1, int(shapes.tokens // max(target, source * shapes.source)))


def _rounded(length: int, step: int) -> int:
    return -(-length // step) * step


def _stack(group: Sequence[Example], rows: int, height: int, width: int, source_eos: int) -> PairBatch:
    source = np.full((rows, height), source_eos, np.int64)
    lengths = np.ones(rows, np.int64)
    inputs = np.full((rows, width), EOS, np.int64)
    labels = np.full((rows, width), NOT_ASKED, np.int64)
    for row, example in enumerate(group):
        n = len(example.target)
        source[row, : len(example.source)] = example.source
        lengths[row] = len(example.source) + 1
        inputs[row, 0] = UNKNOWN if example.tagged else NOTHING
        inputs[row, 1 : n + 1] = example.target[: width - 1]
        labels[row, :n] = example.target
        if example.whole:
            labels[row, n] = EOS
    return PairBatch(source, lengths, inputs, labels)


def pool_batches(maker: Maker, shapes: Shapes, source_eos: int, epoch: int, pool: int) -> list[PairBatch]:
    """The batches of one pool, in their order."""
    return make_batches(maker.pool(epoch, pool), shapes, source_eos, Random(f"{epoch}-{pool}"))


Pools = Iterator[tuple[int, int, list[PairBatch]]]
"""(epoch, pool, its batches), one after the other without end."""


def pool_numbers(maker: Maker, start: Position) -> Iterator[tuple[int, int]]:
    """(epoch, pool) from a position on, without end."""
    epoch, pool = start.epoch, start.pool
    while True:
        if pool >= maker.pools(epoch):
            epoch, pool = epoch + 1, 0
        yield epoch, pool
        pool += 1


def stream(pools: Pools, start: Position) -> Iterator[tuple[Position, PairBatch]]:
    """Batches from `start` on, each with the position behind it; `pools` begin with the pool of `start`."""
    skip = start.batch
    for epoch, pool, batches in pools:
        for index in range(skip, len(batches)):
            yield Position(epoch, pool, index + 1), batches[index]
        skip = 0
