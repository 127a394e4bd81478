"""Which worker gets what: sessions go to the least loaded one, work beside them to one that does not hear them."""

from __future__ import annotations

from collections.abc import Iterable

from server.hosted import Hosted
from server.workers.pool import Workers


def least_loaded(sessions: Iterable[Hosted], workers: Workers, among: Iterable[int] | None = None) -> int:
    """The worker with the fewest sessions, of those alike one whose models are loaded."""
    counts = [0] * workers.count
    for hosted in sessions:
        if hosted.status != "over":
            counts[hosted.worker] += 1
    order = range(workers.count) if among is None else among
    return min(order, key=lambda worker: (counts[worker], not workers.is_ready(worker), worker))


def ready_workers(workers: Workers) -> list[int]:
    """Those whose models are loaded."""
    return [worker for worker in range(workers.count) if workers.is_ready(worker)]


def spare_worker(sessions: Iterable[Hosted], workers: Workers) -> int | None:
    """A worker that is ready and, where there is one, has no session; None: none is ready."""
    hearing = {hosted.worker for hosted in sessions if hosted.status != "over"}
    return max(ready_workers(workers), key=lambda n: (n not in hearing, n), default=None)
