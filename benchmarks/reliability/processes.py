"""A server as a process that is started, watched, killed and started again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from benchmarks.serving import free_port, get

START_SECONDS = 120.0
TICK = os.sysconf("SC_CLK_TCK")


class ProofServer:
    """One server at one port; used in a `with` statement. options: of `benchmarks.reliability.proof_server`."""

    def __init__(self, *options: str, file_bytes: int | None = None) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="reliability-")
        self.folder = Path(self._folder.name)
        self.port = free_port()
        self._options = [option.replace("JOURNAL", str(self.folder / "journal")) for option in options]
        self._limit = [] if file_bytes is None else ["prlimit", f"--fsize={file_bytes}"]
        self._process: subprocess.Popen[bytes] | None = None
        self.log = self.folder / "log"
        self.starts = 0

    @property
    def address(self) -> str:
        """Where it is."""
        return f"ws://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        """Of the gateway."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start it, and wait until its workers are ready."""
        command = [*self._limit, sys.executable, "-m", "benchmarks.reliability.proof_server", str(self.port)]
        with open(self.log, "ab") as log:
            self._process = subprocess.Popen(
                [*command, "--trouble", str(self.folder), *self._options], stdout=log, stderr=log
            )
        self.starts += 1
        until = time.monotonic() + START_SECONDS
        while get(self.port, "/readyz") != 200:
            if time.monotonic() > until or self._process.poll() is not None:
                raise SystemExit(f"The server does not come up: {self.log.read_text()[-2000:]}")
            time.sleep(0.05)

    def __enter__(self) -> ProofServer:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for worker in self.workers():
            os.kill(worker, signal.SIGCONT)
        self.signal(signal.SIGKILL)
        self.wait()
        self._folder.cleanup()

    def signal(self, number: int) -> None:
        """Tell the gateway."""
        assert self._process is not None
        if self._process.poll() is None:
            os.kill(self._process.pid, number)

    def wait(self, seconds: float = 60.0) -> int:
        """Wait until it is over; its status."""
        assert self._process is not None
        return self._process.wait(seconds)

    def trouble(self, name: str) -> None:
        """Let one pass of a worker go wrong."""
        (self.folder / name).touch()

    def workers(self) -> list[int]:
        """The processes that compute: its own, or actors of a Ray that it started."""
        found = [pid for pid in children(self.pid) if b"spawn_main" in command_line(pid)]
        started = [
            pid for ray in children(self.pid) if b"raylet" in command_line(ray) for pid in children(ray)
        ]
        return found + [pid for pid in started if command_line(pid).startswith(b"ray::WorkerActor")]

    def open_files(self) -> int:
        """File descriptors of the gateway."""
        return len(list(Path(f"/proc/{self.pid}/fd").iterdir()))

    def cpu(self) -> tuple[float, float]:
        """Seconds of processor time of the gateway, and of its workers together."""
        return cpu_of([self.pid]), cpu_of(self.workers())

    def waited(self) -> float:
        """Seconds that the gateway's and the workers' threads together could run and had no processor."""
        return sum(waited_of(pid) for pid in (self.pid, *self.workers()))

    def memory_mib(self) -> float:
        """Resident memory of the gateway."""
        fields = Path(f"/proc/{self.pid}/statm").read_text().split()
        return int(fields[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20

    def metrics(self, *names: str) -> dict[str, int]:
        """Counters of the server that runs now, summed over their labels; nothing where none runs."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=5) as answer:
                lines = answer.read().decode().splitlines()
        except OSError:
            return {}
        found = dict.fromkeys(names, 0)
        for line in lines:
            name, _, value = line.rpartition(" ")
            plain = name.partition("{")[0].removeprefix("simul_")
            if plain in found:
                found[plain] += int(float(value))
        return found

    def errors(self) -> list[str]:
        """The tracebacks in its log."""
        found = self.log.read_text().split("Traceback (most recent call last):\n")[1:]
        return ["\n".join(part.splitlines()[-12:]) for part in found]


def children(pid: int) -> list[int]:
    """The processes that a process has started."""
    found = []
    for place in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = place.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == pid:
            found.append(int(place.parent.name))
    return found


def command_line(pid: int) -> bytes:
    """What a process was started with."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def cpu_of(pids: Sequence[int]) -> float:
    """Seconds of processor time of processes together."""
    total = 0
    for pid in pids:
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        total += int(fields[11]) + int(fields[12])
    return total / TICK


def waited_of(pid: int) -> float:
    """Seconds that the threads of a process stood in the scheduler's queue."""
    total = 0
    for place in Path(f"/proc/{pid}/task").glob("*/schedstat"):
        try:
            total += int(place.read_text().split()[1])
        except OSError:
            continue
    return total / 1e9
