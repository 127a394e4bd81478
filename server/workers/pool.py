"""The worker processes as the gateway sees them: started, written to, read from, and started anew when they break."""

from __future__ import annotations

import asyncio
import multiprocessing
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any, Protocol

from server.workers.messages import Answer, Command, Offer, WorkerFailed, WorkerReady
from server.workers.process import WorkerModels, run

RESTART_SECONDS = 1.0
"""Before a worker that broke while loading is started again."""
SILENT_SECONDS = 20.0
"""A worker that has loaded its models and has said nothing for so long stands still, and is replaced."""


class PoolListener(Protocol):
    """Who is told what workers say."""

    def answered(self, worker: int, answer: Answer) -> None: ...

    def ready(self, worker: int, offer: Offer) -> None: ...

    def lost(self, worker: int, reason: str) -> None: ...


class Workers(Protocol):
    """What a host needs of its workers."""

    listener: PoolListener | None

    @property
    def count(self) -> int: ...

    def is_ready(self, worker: int) -> bool: ...

    def send(self, worker: int, command: Command) -> None: ...


@dataclass
class _Worker:
    """One process, its pipe, and the queue of the thread that writes to it."""

    process: Any
    pipe: Connection
    outgoing: queue.SimpleQueue[Any]
    ready: bool = False
    failure: str = ""
    heard: float = 0.0


class ProcessPool:
    """`count` processes, each with its own models. To be started and stopped within the loop that it reports to.

    failed: the message of the first worker that cannot load its models at all, and its exit code.
    """

    def __init__(
        self,
        make_models: Callable[[], WorkerModels],
        count: int,
        threads: int = 1,
        silent: float = SILENT_SECONDS,
    ) -> None:
        self._make, self._count, self._threads, self._silent = make_models, count, threads, silent
        self._workers: list[_Worker] = []
        self._context = multiprocessing.get_context("spawn")
        self.listener: PoolListener | None = None
        self.failed: asyncio.Future[WorkerFailed] | None = None
        self._stopping = False
        self._watched = 0.0
        self.restarts = 0

    @property
    def count(self) -> int:
        """How many workers there are to be."""
        return self._count

    def start(self) -> None:
        """Start all; they load their models at the same time."""
        self._loop = asyncio.get_running_loop()
        self.failed = self._loop.create_future()
        self._workers = [self._started(number) for number in range(self._count)]
        self._loop.call_later(self._silent / 4, self._watch)

    def _started(self, number: int) -> _Worker:
        ours, theirs = self._context.Pipe()
        process = self._context.Process(
            target=run, args=(theirs, self._make, self._threads), name=f"worker-{number}", daemon=True
        )
        process.start()
        theirs.close()
        worker = _Worker(process, ours, queue.SimpleQueue())
        threading.Thread(target=self._read, args=(number, worker), daemon=True).start()
        threading.Thread(target=_write, args=(worker,), daemon=True).start()
        return worker

    def is_ready(self, worker: int) -> bool:
        """Whether its models are loaded."""
        return worker < len(self._workers) and self._workers[worker].ready

    def send(self, worker: int, command: Command) -> None:
        """Tell a worker; never waits."""
        self._workers[worker].outgoing.put(command)

    def process_id(self, worker: int) -> int | None:
        """Of the operating system."""
        found: int | None = self._workers[worker].process.pid
        return found

    def kill(self, worker: int) -> None:
        """End a worker at once; another takes its place."""
        self._workers[worker].process.kill()

    def _watch(self) -> None:
        """End workers that stand still. Where this process itself did, everybody gets the whole time again."""
        if self._stopping:
            return
        now = time.monotonic()
        paused, self._watched = now - self._watched > self._silent / 2, now
        for worker in self._workers:
            if paused:
                worker.heard = now
            elif worker.ready and now - worker.heard > self._silent:
                worker.process.kill()
        self._loop.call_later(self._silent / 4, self._watch)

    def stop(self) -> None:
        """End all."""
        self._stopping = True
        for worker in self._workers:
            worker.outgoing.put(None)
            worker.process.kill()
            worker.process.join(5)

    def _read(self, number: int, worker: _Worker) -> None:
        """In a thread of its own: hand on what the worker says."""
        try:
            while True:
                self._call(self._heard, number, worker, worker.pipe.recv())
        except (EOFError, OSError):
            self._call(self._broke, number, worker)

    def _call(self, function: Callable[..., None], *given: Any) -> None:
        # The loop is over once the server is.
        if not self._loop.is_closed():
            try:
                self._loop.call_soon_threadsafe(function, *given)
            except RuntimeError:
                return

    def _heard(self, number: int, worker: _Worker, answers: list[Answer]) -> None:
        worker.heard = time.monotonic()
        for answer in answers:
            if isinstance(answer, WorkerReady):
                worker.ready = True
                if self.listener:
                    self.listener.ready(number, answer.offer)
            elif isinstance(answer, WorkerFailed):
                worker.failure = answer.message
                if self.failed is not None and not self.failed.done():
                    self.failed.set_result(answer)
            elif self.listener and self._workers[number] is worker:
                self.listener.answered(number, answer)

    def _broke(self, number: int, worker: _Worker) -> None:
        worker.outgoing.put(None)
        if self._stopping or self._workers[number] is not worker or worker.failure:
            return
        self.restarts += 1
        was_ready = worker.ready
        worker.ready = False
        self._loop.call_later(0.0 if was_ready else RESTART_SECONDS, self._restart, number)
        if self.listener:
            self.listener.lost(number, f"the worker process {number} ended unexpectedly")

    def _restart(self, number: int) -> None:
        if not self._stopping:
            self._workers[number] = self._started(number)


def _write(worker: _Worker) -> None:
    """In a thread of its own: a worker that does not read holds up nobody else."""
    try:
        while (command := worker.outgoing.get()) is not None:
            worker.pipe.send(command)
    except (OSError, ValueError):
        return
