"""Batches for a run: made in the run's own process, or ahead of it in others, in the same order either way."""

from __future__ import annotations

import multiprocessing
from collections import deque
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

from simul.training.student.batches import (
    PairBatch,
    Pools,
    Position,
    Shapes,
    pool_batches,
    pool_numbers,
    stream,
)
from simul.training.student.examples import Maker, Mix
from simul.training.student.prepared import read_prepared
from simul.training.student.start import processor

_AHEAD = 2
"""Pools of each language that are made before they are asked for."""


@dataclass(frozen=True)
class BatchRecipe:
    """All that batches depend on; a process gets this and reads the rest."""

    folder: Path
    """What `prepare` wrote."""
    source_model: Path
    mix: Mix
    shapes: Shapes
    seed: int
    pool: int

    def maker(self, language: str) -> Maker:
        """The maker of one language's examples."""
        source, target = processor(self.source_model), processor(self.folder / f"{language}.model")
        return Maker(read_prepared(self.folder, language), source, target, self.mix, self.seed, self.pool)


class _Opened(NamedTuple):
    recipe: BatchRecipe
    makers: dict[str, Maker]


_opened: list[_Opened] = []
"""What a worker process has read; a process has no other way to keep it between tasks."""


def _open(recipe: BatchRecipe) -> None:
    _opened.append(_Opened(recipe, {}))


def _make(language: str, epoch: int, pool: int) -> list[PairBatch]:
    recipe, makers = _opened[0]
    if language not in makers:
        makers[language] = recipe.maker(language)
    maker = makers[language]
    return pool_batches(maker, recipe.shapes, maker.source_eos, epoch, pool)


class Feed:
    """The batches of several languages from their positions on; a context manager that ends its processes."""

    def __init__(self, recipe: BatchRecipe, makers: Mapping[str, Maker], workers: int = 0) -> None:
        self._recipe, self._makers = recipe, makers
        context = multiprocessing.get_context("spawn")
        self._workers = (
            ProcessPoolExecutor(workers, context, initializer=_open, initargs=(recipe,)) if workers else None
        )

    def __enter__(self) -> Feed:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._workers is not None:
            self._workers.shutdown(cancel_futures=True)

    def batches(self, language: str, start: Position) -> Iterator[tuple[Position, PairBatch]]:
        """Batches of a language from `start` on, each with the position behind it."""
        pools = self._here(language, start) if self._workers is None else self._ahead(language, start)
        return stream(pools, start)

    def _here(self, language: str, start: Position) -> Pools:
        maker = self._makers[language]
        for epoch, pool in pool_numbers(maker, start):
            yield epoch, pool, pool_batches(maker, self._recipe.shapes, maker.source_eos, epoch, pool)

    def _ahead(self, language: str, start: Position) -> Pools:
        assert self._workers is not None
        waiting: deque[tuple[int, int, Future[list[PairBatch]]]] = deque()
        for epoch, pool in pool_numbers(self._makers[language], start):
            waiting.append((epoch, pool, self._workers.submit(_make, language, epoch, pool)))
            if len(waiting) > _AHEAD:
                first = waiting.popleft()
                yield first[0], first[1], first[2].result()
