"""The search of the GPU's benchmark: it ends at its time, and finds where decisions begin to be late."""

from __future__ import annotations

import time

import pytest

from benchmarks.engine_gpu import alone, most_until
from simul.engine.cost import CostTable
from simul.engine.scheduler import Due


@pytest.mark.parametrize(("holds", "found"), [(0, 0), (1, 1), (5, 5), (9, 9)])
def test_the_most_streams_are_found(holds: int, found: int) -> None:
    assert most_until(lambda n: float(n <= holds), time.monotonic() + 1000, 1) == (found, True)


def test_a_search_that_is_cut_off_says_so() -> None:
    streams, ended = most_until(lambda n: 1.0, time.monotonic() - 1, 8)
    assert (streams, ended) == (0, False)


def test_a_lock_takes_whoever_came_first() -> None:
    due = [Due(1, 9.0, 2.0, 100), Due(2, 3.0, 1.0, 100)]
    assert [each.number for each in alone(due, 0.0, CostTable())] == [2]
