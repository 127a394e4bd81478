"""Computation-aware times: how the field defines them, side by side, each under its own name.

All functions take and return lists of one time per unit of one recording, in one unit of time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from latency_metrics.base import Instance
from latency_metrics.errors import MetricsError


def _check(delays: Sequence[float], elapsed: Sequence[float]) -> None:
    if len(delays) != len(elapsed):
        raise MetricsError(
            f"{len(delays)} delays and {len(elapsed)} elapsed times: every unit needs one of both."
        )


def fix_simuleval_emission(delays: Sequence[float], elapsed: Sequence[float]) -> list[float]:
    """OmniSTEval's `--fix_simuleval_emission_ca`: f_0 = e_0, f_i = max(f_{i−1}, e_i − e_{i−1} + d_{i−1}).

    SimulEval's e is d plus all compute time so far, which counts the same computation again for every later
    unit of a long recording; the repair charges each write its own compute time only.

    Raises:
        MetricsError: the lists differ in length.
    """
    _check(delays, elapsed)
    fixed: list[float] = []
    for i, time in enumerate(elapsed):
        if i == 0:
            fixed.append(time)
        else:
            fixed.append(max(fixed[-1], time - elapsed[i - 1] + delays[i - 1]))
    return fixed


def queue(arrivals: Sequence[float], compute: Sequence[float]) -> list[float]:
    """Finish times of chunks served one after the other: finish_k = max(arrival_k, finish_{k−1}) + compute_k.

    What a live run on one worker shows: a chunk that arrives while the previous one is still being computed
    waits for it.

    Raises:
        MetricsError: the lists differ in length.
    """
    _check(arrivals, compute)
    finished: list[float] = []
    for arrival, cost in zip(arrivals, compute, strict=True):
        finished.append((max(arrival, finished[-1]) if finished else arrival) + cost)
    return finished


def compute_times(delays: Sequence[float], elapsed: Sequence[float]) -> list[float]:
    """Compute time charged to each unit by SimulEval's cumulative e: (e_i − d_i) − (e_{i−1} − d_{i−1}).

    Steps back of a jittery clock count as 0. Compute time of chunks that emitted nothing is charged to the
    next unit, because the log does not keep it apart.

    Raises:
        MetricsError: the lists differ in length.
    """
    _check(delays, elapsed)
    costs: list[float] = []
    before = 0.0
    for d, e in zip(delays, elapsed, strict=True):
        costs.append(max(0.0, (e - d) - before))
        before = e - d
    return costs


def with_queue(instance: Instance) -> Instance:
    """The instance with `queued` filled from cumulative `elapsed`; unchanged without times or when filled."""
    delays, elapsed = instance.delays, instance.elapsed
    if instance.queued or not delays or not elapsed or len(delays) != len(elapsed):
        return instance
    return replace(instance, queued=queue(delays, compute_times(delays, elapsed)))
