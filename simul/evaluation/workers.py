"""One piece of work per process at a time: results as they come, and a dead process costs one piece only."""

from __future__ import annotations

import multiprocessing
import multiprocessing.connection
import signal
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")

_POLL_SECONDS = 0.2


@dataclass(frozen=True)
class Outcome(Generic[R]):
    """The result of task number `index`, or why there is none."""

    index: int
    result: R | None
    failure: str | None = None


def attempt(work: Callable[[T], R], index: int, task: T) -> Outcome[R]:
    """The outcome of one task; an exception is its failure."""
    try:
        return Outcome(index, work(task))
    except Exception as error:
        return Outcome(index, None, str(error) or type(error).__name__)


def run_in_processes(
    work: Callable[[T], R],
    tasks: Sequence[tuple[int, T]],
    jobs: int,
    stopped: Callable[[], bool] = lambda: False,
) -> Iterator[Outcome[R]]:
    """Outcomes of (index, task) pairs from `jobs` processes, in the order they become ready.

    `work` is sent to every process once and must be picklable. When `stopped` turns true the processes are
    ended and what they were at is lost.
    """
    waiting = list(reversed(tasks))
    context = multiprocessing.get_context("spawn")
    workers: dict[Any, tuple[Any, int | None]] = {}

    def start() -> None:
        ours, theirs = context.Pipe()
        process = context.Process(target=_serve, args=(theirs, work), daemon=True)
        process.start()
        theirs.close()
        workers[ours] = (process, None)
        assign(ours)

    def assign(pipe: Any) -> None:
        process = workers[pipe][0]
        if not waiting:
            pipe.close()
            del workers[pipe]
            return
        index, task = waiting.pop()
        workers[pipe] = (process, index)
        pipe.send((index, task))

    try:
        for _ in range(min(jobs, len(tasks))):
            start()
        while workers and not stopped():
            found: list[Any] = list(multiprocessing.connection.wait(list(workers), _POLL_SECONDS))
            for ready in found:
                process, index = workers[ready]
                try:
                    outcome: Outcome[R] = ready.recv()
                except EOFError:
                    del workers[ready]
                    process.join()
                    yield Outcome(int(index or 0), None, f"The process died (exit code {process.exitcode}).")
                    if waiting:
                        start()
                    continue
                yield outcome
                assign(ready)
    finally:
        for process, _ in workers.values():
            process.terminate()


def _serve(pipe: Any, work: Callable[[Any], Any]) -> None:
    """The life of a worker: tasks in, outcomes out, until the pipe closes."""
    # Ctrl-C reaches the whole group; the parent decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    while True:
        try:
            index, task = pipe.recv()
        except EOFError:
            return
        pipe.send(attempt(work, index, task))
