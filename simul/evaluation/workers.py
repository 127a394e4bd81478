"""One piece of work per process at a time: results as they come, and a dead process costs one piece only.

Own code, since the pools of `concurrent.futures` and `joblib` do otherwise: a process that dies takes along all work
that waits (5 of 8 pieces were lost instead of 1), and a stop waits for the work that is running (20 s for pieces of
20 s). Here the work is sent to a process once, so that a model is loaded once per process.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, Generic, TypeVar

from simul.errors import OutputError

T = TypeVar("T")
R = TypeVar("R")

_POLL_SECONDS = 0.2


@dataclass(frozen=True)
class Outcome(Generic[R]):
    """The result of task number `index`, or why there is none; `unwritable`: since its output cannot be written."""

    index: int
    result: R | None
    failure: str | None = None
    unwritable: bool = False


def attempt(work: Callable[[T], R], index: int, task: T) -> Outcome[R]:
    """The outcome of one task; an exception is its failure."""
    try:
        return Outcome(index, work(task))
    except Exception as error:
        said = str(error) or type(error).__name__
        return Outcome(index, None, said, isinstance(error, OutputError))


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
    running: dict[Any, tuple[BaseProcess, int]] = {}

    def start() -> None:
        ours, theirs = context.Pipe()
        process = context.Process(target=_serve, args=(theirs, work), daemon=True)
        process.start()
        theirs.close()
        assign(ours, process)

    def assign(pipe: Connection, process: BaseProcess) -> None:
        index, task = waiting.pop()
        running[pipe] = process, index
        # That a process has died shows when its answer is awaited.
        with contextlib.suppress(OSError):
            pipe.send((index, task))

    def collect(pipe: Connection) -> Outcome[R]:
        process, index = running.pop(pipe)
        try:
            outcome: Outcome[R] = pipe.recv()
        except (EOFError, OSError):
            process.join()
            if waiting:
                start()
            return Outcome(index, None, f"The process died (exit code {process.exitcode}).")
        if waiting:
            assign(pipe, process)
        else:
            pipe.close()
        return outcome

    try:
        for _ in range(min(jobs, len(tasks))):
            start()
        while running and not stopped():
            ready: list[Any] = wait(list(running), _POLL_SECONDS)
            for pipe in ready:
                yield collect(pipe)
    finally:
        for process, _ in running.values():
            process.terminate()
            process.join()


def _serve(pipe: Connection, work: Callable[[Any], Any]) -> None:
    """The life of a worker: tasks in, outcomes out, until the pipe closes."""
    # Ctrl-C and the end of a terminal reach the whole group; the parent decides what it means.
    for name in ("SIGINT", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    while True:
        try:
            index, task = pipe.recv()
        except EOFError:
            return
        pipe.send(attempt(work, index, task))
