"""The workers as the gateway sees them: started, written to, read from, and started anew when they break."""

from __future__ import annotations

import asyncio
import multiprocessing
import queue
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from server.workers.core import WorkerModels
from server.workers.messages import Answer, Command, Offer, WorkerFailed, WorkerReady
from server.workers.process import run

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


class Link(Protocol):
    """One worker that was started. `send` and `receive` are called in threads of their own, which they may hold up."""

    @property
    def process_id(self) -> int | None:
        """Of the operating system; None: not known yet."""
        ...

    def send(self, commands: Sequence[Command]) -> None:
        """Tell the worker. Raises OSError or ValueError when it is gone."""
        ...

    def receive(self) -> list[Answer]:
        """Wait for what it says. Raises EOFError or OSError when it is gone."""
        ...

    def kill(self) -> None:
        """End it at once; again does no harm."""
        ...

    def join(self) -> None:
        """Wait until it has ended, for some seconds at most."""
        ...


@dataclass
class _Worker:
    """A worker, and the queue of the thread that writes to it."""

    link: Link
    outgoing: queue.SimpleQueue[Any] = field(default_factory=queue.SimpleQueue)
    ready: bool = False
    failure: str = ""
    heard: float = 0.0


class WorkerPool:
    """`count` workers, each with its own models. To be started and stopped within the loop that it reports to.

    connect: starts a worker, without waiting for it. on_foreign_code: called in the loop when something was started
    in this process that takes signals for itself. failed: the message of the first worker that cannot load its
    models at all, and its exit code.
    """

    def __init__(self, connect: Callable[[int], Link], count: int, silent: float = SILENT_SECONDS) -> None:
        self._connect, self._count, self._silent = connect, count, silent
        self._workers: list[_Worker] = []
        self.listener: PoolListener | None = None
        self.on_foreign_code: Callable[[], None] = lambda: None
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
        worker = _Worker(self._connect(number))
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
        """Of the operating system; None: not known yet."""
        return self._workers[worker].link.process_id

    def kill(self, worker: int) -> None:
        """End a worker at once; another takes its place."""
        self._workers[worker].link.kill()

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
                worker.link.kill()
        self._loop.call_later(self._silent / 4, self._watch)

    def stop(self) -> None:
        """End all."""
        self._stopping = True
        for worker in self._workers:
            worker.outgoing.put(None)
            worker.link.kill()
        for worker in self._workers:
            worker.link.join()

    def _read(self, number: int, worker: _Worker) -> None:
        """In a thread of its own: hand on what the worker says."""
        try:
            while True:
                self._call(self._heard, number, worker, worker.link.receive())
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
            commands = [command]
            while not worker.outgoing.empty() and commands[-1] is not None:
                commands.append(worker.outgoing.get())
            worker.link.send([each for each in commands if each is not None])
            if commands[-1] is None:
                return
    except (OSError, ValueError):
        return


class ProcessLink:
    """A worker in a process of its own on this machine, and the pipe to it."""

    def __init__(self, make_models: Callable[[], WorkerModels], number: int, threads: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(
            target=run, args=(theirs, make_models, threads), name=f"worker-{number}", daemon=True
        )
        self._process.start()
        theirs.close()

    @property
    def process_id(self) -> int | None:
        return self._process.pid

    def send(self, commands: Sequence[Command]) -> None:
        self._pipe.send(commands)

    def receive(self) -> list[Answer]:
        found: list[Answer] = self._pipe.recv()
        return found

    def kill(self) -> None:
        self._process.kill()

    def join(self) -> None:
        self._process.join(5)


class ProcessPool(WorkerPool):
    """Workers that are processes of this machine."""

    def __init__(
        self,
        make_models: Callable[[], WorkerModels],
        count: int,
        threads: int = 1,
        silent: float = SILENT_SECONDS,
    ) -> None:
        super().__init__(lambda number: ProcessLink(make_models, number, threads), count, silent)
