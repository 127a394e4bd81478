"""A worker's life: reads commands from its pipe, steps its engines, writes answers; and as a process."""

from __future__ import annotations

import os
import queue
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any, Protocol

from server.workers.core import InstalledModels, WorkerCore, WorkerModels
from server.workers.messages import Answer, WorkerFailed, WorkerLoad
from simul.config import ModelConfig, StreamOptions
from simul.errors import ExitCode, exit_code_of, failure_message

REPORT_SECONDS = 1.0
"""Between two reports of a worker, which come while it computes too: one that is silent stands still."""


@dataclass(frozen=True)
class InstalledModelsFactory:
    """Makes the models of a worker in its process."""

    stream: StreamOptions
    model: ModelConfig

    def __call__(self) -> WorkerModels:
        """The models that the options name, not loaded yet."""
        from simul.backends.families import load_backend

        return InstalledModels(self.stream, self.model, load_backend)


class CommandPipe(Protocol):
    """Where a worker's commands come from and its answers go."""

    def recv(self) -> Any:
        """Wait for commands. Raises EOFError or OSError when no more will come."""
        ...

    def send(self, answers: Any) -> None:
        """Hand over answers. Raises OSError when nobody hears them."""
        ...


def run(pipe: Connection, make_models: Callable[[], WorkerModels], threads: int) -> None:
    """A worker as a process; ends when the pipe does. Ctrl-C is the gateway's affair."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    work(pipe, make_models, threads, time.monotonic)


def work(
    pipe: CommandPipe, make_models: Callable[[], WorkerModels], threads: int, now: Callable[[], float]
) -> None:
    """The life of a worker; ends when the pipe does. now: the gateway's clock."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = str(threads)
    core = WorkerCore(make_models(), now)
    try:
        pipe.send([core.load()])
    except Exception as error:
        pipe.send([WorkerFailed(failure_message(error), exit_code_of(error) or ExitCode.FAILED)])
        return
    _Loop(core, pipe).run()


class _Loop:
    """Commands in as they come, also while computing; a step whenever there is something to do."""

    def __init__(self, core: WorkerCore, pipe: CommandPipe) -> None:
        self._core, self._pipe = core, pipe
        self._inbox: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._compute = 0.0
        self._ended = False
        self._sending = threading.Lock()

    def run(self) -> None:
        threading.Thread(target=self._read, daemon=True).start()
        threading.Thread(target=self._report, daemon=True).start()
        while not self._ended:
            answers = self._handle()
            if self._core.busy:
                began = time.monotonic()
                answers += self._core.step()
                self._compute += time.monotonic() - began
            self._send(answers)

    def _report(self) -> None:
        while not self._ended:
            time.sleep(REPORT_SECONDS)
            self._send([WorkerLoad(self._compute, len(self._core.tracks), self._core.level)])

    def _read(self) -> None:
        try:
            while True:
                for command in self._pipe.recv():
                    self._inbox.put(command)
        except (EOFError, OSError):
            self._inbox.put(None)

    def _handle(self) -> list[Answer]:
        """All commands that are there; waits for one where there is nothing to compute."""
        answers: list[Answer] = []
        wait = not self._core.busy
        while True:
            try:
                command = self._inbox.get(timeout=REPORT_SECONDS) if wait else self._inbox.get_nowait()
            except queue.Empty:
                return answers
            if command is None:
                self._ended = True
                return answers
            answers += self._core.handle(command)
            wait = False

    def _send(self, answers: list[Answer]) -> None:
        if answers:
            try:
                with self._sending:
                    self._pipe.send(answers)
            except (OSError, BrokenPipeError):
                self._ended = True
