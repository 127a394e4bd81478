"""Workers that are actors of Ray: on this machine, or on those of the cluster that `RAY_ADDRESS` names."""

from __future__ import annotations

import logging
import os
import queue
import signal
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from typing import Any

from server.workers.core import WorkerModels
from server.workers.messages import Answer, Command, WorkerFailed
from server.workers.pool import SILENT_SECONDS, WorkerPool
from server.workers.process import work
from simul.errors import ExitCode, SimulError, exit_code_of, failure_message

if not os.environ.get("RAY_ADDRESS"):
    # Read while Ray is imported: its ports are for this machine only, as they are on other systems anyway.
    os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
# Ray tells its makers how it is used unless it is told not to.
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")

import ray
from ray.exceptions import GetTimeoutError, RayError

START_SECONDS = 180.0
"""Time that an actor has to be there."""
STOP_SECONDS = 20.0
"""Time that a Ray that was started here has to end."""
STORE_BYTES = 100 * 2**20
"""Memory of a Ray that is started here for values on their way; messages are small."""
KILLED = "The worker was killed before it was there."


class ActorPipe:
    """Commands and answers of a worker within its actor."""

    def __init__(self) -> None:
        self.commands: queue.SimpleQueue[list[Command]] = queue.SimpleQueue()
        self.answers: queue.SimpleQueue[list[Answer] | None] = queue.SimpleQueue()

    def recv(self) -> Any:
        """Wait for commands."""
        return self.commands.get()

    def send(self, answers: Any) -> None:
        """Hand over answers."""
        self.answers.put(answers)


class WorkerActor:
    """A worker within Ray; its methods are called from another process, and each on a thread of its own."""

    def __init__(self, make_models: Callable[[], WorkerModels], threads: int) -> None:
        self._make, self._threads, self._pipe = make_models, threads, ActorPipe()

    def place(self) -> tuple[str, int]:
        """The machine, by Ray's number, and the process."""
        return _machine(), os.getpid()

    def begin(self, at: float) -> None:
        """Begin to work. at: the gateway's time now, which another machine's clock does not tell."""
        ahead = at - time.monotonic()
        threading.Thread(target=self._work, args=(lambda: time.monotonic() + ahead,), daemon=True).start()

    def _work(self, now: Callable[[], float]) -> None:
        try:
            work(self._pipe, self._make, self._threads, now)
        finally:
            self._pipe.answers.put(None)

    def tell(self, commands: Sequence[Command]) -> None:
        """Take commands."""
        self._pipe.commands.put(list(commands))

    def answers(self) -> list[Answer] | None:
        """Wait for answers; None: no more will come."""
        return self._pipe.answers.get()


class RayLink:
    """A worker that is an actor; it is started by the thread that first waits for what it says.

    start: starts or finds Ray, and may take seconds. gpus: how many the actor has for itself.
    """

    def __init__(
        self, start: Callable[[], None], make_models: Callable[[], WorkerModels], threads: int, gpus: int
    ) -> None:
        self._start, self._make, self._threads, self._gpus = start, make_models, threads, gpus
        self._actor: Future[Any] = Future()
        self._killed = threading.Event()
        self.process_id: int | None = None
        self._near = False

    def send(self, commands: Sequence[Command]) -> None:
        # One call at a time, since those of an actor with several threads may overtake one another.
        _wait_for(self._actor.result().tell.remote(list(commands)))

    def receive(self) -> list[Answer]:
        if not self._actor.done():
            try:
                self._connect()
            except OSError as error:
                self._actor.set_exception(error)
                raise
            except Exception as error:
                self._actor.set_exception(OSError("The actor was not started."))
                return [WorkerFailed(failure_message(error), exit_code_of(error) or ExitCode.FAILED)]
        found: list[Answer] | None = _wait_for(self._actor.result().answers.remote())
        if found is None:
            self.kill()
            raise EOFError("The worker has ended.")
        return found

    def _connect(self) -> None:
        """Start the actor and wait until it is there.

        Raises:
            SimulError: Ray has no room for it.
            OSError: it was killed meanwhile.
        """
        self._start()
        remote: Any = ray.remote
        make = remote(num_cpus=1, num_gpus=self._gpus, max_concurrency=4, max_restarts=0)(WorkerActor)
        actor = make.remote(self._make, self._threads)
        try:
            machine, self.process_id = _wait_for(actor.place.remote(), START_SECONDS)
        except GetTimeoutError as error:
            raise SimulError(
                f"Ray did not start a worker within {START_SECONDS:.0f} s; it needs a free CPU"
                f"{' and a free GPU' if self._gpus else ''} for each. See `ray status`, or give fewer --workers."
            ) from error
        if self._killed.is_set():
            ray.kill(actor)
            raise OSError(KILLED)
        self._near = machine == _machine()
        _wait_for(actor.begin.remote(time.monotonic()))
        self._actor.set_result(actor)

    def kill(self) -> None:
        self._killed.set()
        if self._actor.done() and self._actor.exception() is None:
            with suppress(RayError):
                ray.kill(self._actor.result())
            if self._near and self.process_id is not None:
                # Ray asks an actor to end, and one that stands still does not hear it.
                with suppress(ProcessLookupError):
                    os.kill(self.process_id, signal.SIGKILL)

    def join(self) -> None:
        """Ray ends an actor by itself."""


def _machine() -> str:
    """This machine, by Ray's number."""
    return str(ray.get_runtime_context().get_node_id())


def _wait_for(reference: Any, seconds: float | None = None) -> Any:
    """What a call of an actor gives.

    Raises:
        GetTimeoutError: it takes longer than so many seconds.
        OSError: the actor is gone, or Ray is.
    """
    try:
        return ray.get(reference, timeout=seconds)
    except GetTimeoutError:
        raise
    except RayError as error:
        raise OSError("The actor is gone.") from error
    except SystemExit as error:
        # So Ray ends threads that wait when it is shut down.
        raise OSError("Ray has ended.") from error


class RayPool(WorkerPool):
    """Workers that are actors of Ray, each with a CPU and `gpus` GPUs for itself.

    Ray is started on this machine, reachable from it alone, unless `RAY_ADDRESS` names a cluster or the process
    already uses one. What this pool started ends with it.
    """

    def __init__(
        self,
        make_models: Callable[[], WorkerModels],
        count: int,
        threads: int = 1,
        silent: float = SILENT_SECONDS,
        gpus: int = 0,
    ) -> None:
        super().__init__(lambda number: RayLink(self._begin, make_models, threads, gpus), count, silent)
        self._lock, self._over = threading.Lock(), threading.Event()
        self._keeper: threading.Thread | None = None

    def _begin(self) -> None:
        """Return when Ray is there."""
        with self._lock:
            if self._over.is_set():
                raise OSError(KILLED)
            if not ray.is_initialized():
                started: Future[None] = Future()
                self._keeper = threading.Thread(target=self._keep, args=(started,), daemon=True)
                self._keeper.start()
                started.result()
                self._call(self.on_foreign_code)

    def _keep(self, started: Future[None]) -> None:
        """In a thread of its own, since Ray's processes end with the thread that started them."""
        try:
            start_ray(self._count)
        except Exception as error:
            started.set_exception(error)
            return
        started.set_result(None)
        self._over.wait()
        ray.shutdown()

    def stop(self) -> None:
        """End all, and Ray if this pool started it."""
        self._over.set()
        super().stop()
        if self._keeper is not None:
            self._keeper.join(STOP_SECONDS)


def start_ray(count: int) -> None:
    """Start Ray on this machine with room for so many workers, or join the cluster that `RAY_ADDRESS` names."""
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    if os.environ.get("RAY_ADDRESS"):
        ray.init(**quiet)
        return
    ray.init("local", num_cpus=count, include_dashboard=False, object_store_memory=STORE_BYTES, **quiet)
