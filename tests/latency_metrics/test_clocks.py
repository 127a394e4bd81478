"""Computation-aware clocks: the peers' definitions and the queueing recursion, side by side."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latency_metrics import LAAL, Instance, MetricsError, SystemLag
from latency_metrics.clocks import compute_times, fix_simuleval_emission, queue, with_queue

WRITES = st.lists(
    st.tuples(st.integers(0, 2000), st.integers(0, 1500), st.integers(1, 4)), min_size=1, max_size=20
)
"""(audio until the write, compute time of the write, units written)."""


def log(writes: list[tuple[int, int, int]]) -> tuple[list[float], list[float], list[float]]:
    """Delays, SimulEval's cumulative elapsed, and the finish times of one worker, per unit."""
    audio = spent = finish = 0
    delays, elapsed, finished = [], [], []
    for gap, cost, units in writes:
        audio += gap
        spent += cost
        finish = max(audio, finish) + cost
        delays += [float(audio)] * units
        elapsed += [float(audio + spent)] * units
        finished += [float(finish)] * units
    return delays, elapsed, finished


def test_queue_by_hand() -> None:
    assert queue([1000, 2000, 3000], [1500, 100, 100]) == [2500, 2600, 3100]


def test_fix_by_hand() -> None:
    # d + all compute so far; the repair leaves each write its own compute time
    assert fix_simuleval_emission([1000, 1000, 2000], [1300, 1300, 2500]) == [1300, 1300, 2200]


@given(WRITES)
def test_queue_recovers_the_worker_from_a_cumulative_log(writes: list[tuple[int, int, int]]) -> None:
    delays, elapsed, finished = log(writes)
    filled = with_queue(Instance(delays=delays, elapsed=elapsed))
    assert filled.queued == finished


@given(WRITES)
def test_order_of_the_clocks(writes: list[tuple[int, int, int]]) -> None:
    delays, elapsed, _ = log(writes)
    queued = queue(delays, compute_times(delays, elapsed))
    for d, q, e in zip(delays, queued, elapsed, strict=True):
        assert d <= q <= e  # queueing never ends before the audio nor after SimulEval's running total
    assert queued == sorted(queued)


def test_lengths_that_differ_are_one_sentence() -> None:
    with pytest.raises(MetricsError, match="2 delays and 1 elapsed"):
        fix_simuleval_emission([1, 2], [1])


def test_metrics_read_the_queue_clock() -> None:
    instance = with_queue(
        Instance(delays=[0.0, 0.0], elapsed=[500.0, 900.0], reference="x y", source_length=2000.0)
    )
    assert instance.queued == [500, 900]
    assert LAAL(clock="queue").instance(instance) == pytest.approx((500 + 900 - 1000) / 2)
    assert SystemLag(clock="queue").instance(instance) == 700
    assert LAAL(clock="queue").corpus([instance]).name == "LAAL (CA-queue)"
