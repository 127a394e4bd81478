"""A command that is watched while it runs: its lines as they come, its processor time and memory (on Linux).

`share` slows it down to a part of one core: the process stands still while it has used more than that.
"""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO

TURN_SECONDS = 0.01
CREDIT_SECONDS = 1.0
"""What a slowed process did not use of its part in so many seconds, it may make up for."""
THREADS = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
TICK = os.sysconf("SC_CLK_TCK")


class WatchedProcess:
    """A running command, one thread for each library; used in a `with` statement.

    cpu, system: seconds of processor time in all and in the kernel, once it is over; peak_mib: largest resident size.

    Raises:
        SystemExit: it ended with another status than 0.
    """

    def __init__(
        self,
        command: Sequence[str],
        share: float | None = None,
        variables: Mapping[str, str] | None = None,
        errors: Path | None = None,
    ) -> None:
        self._name = " ".join(command[:8])
        self._share = share
        self._errors: IO[bytes] | None = open(errors, "wb") if errors else None  # noqa: SIM115
        self._process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            env={**os.environ, **THREADS, **(variables or {})},
        )
        self._over = threading.Event()
        self._turns = threading.Thread(target=self._take_turns, daemon=True)
        self.cpu = self.system = 0.0
        self.peak_mib = 0

    def __enter__(self) -> WatchedProcess:
        if self._share is not None:
            self._turns.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        if self._turns.is_alive():
            self._turns.join()
        if kind is not None:
            self._process.kill()
        _, status, used = os.wait4(self._process.pid, 0)
        self._process.returncode = os.waitstatus_to_exitcode(status)
        if self._process.stdout:
            self._process.stdout.close()
        if self._errors:
            self._errors.close()
        self.cpu, self.system = used.ru_utime + used.ru_stime, used.ru_stime
        self.peak_mib = round(used.ru_maxrss / 2**10)
        if kind is None and self._process.returncode:
            raise SystemExit(f"{self._name} … ended with {self._process.returncode}.")

    def lines(self) -> Iterator[str]:
        """What it prints, line by line, until it ends."""
        assert self._process.stdout is not None
        yield from self._process.stdout

    def now(self) -> tuple[float, int]:
        """Seconds of processor time so far, and resident MiB at this moment; only while it runs."""
        place = Path("/proc") / str(self._process.pid)
        fields = (place / "stat").read_text().rpartition(")")[2].split()
        pages = int((place / "statm").read_text().split()[1])
        return (int(fields[11]) + int(fields[12])) / TICK, pages * os.sysconf("SC_PAGE_SIZE") // 2**20

    def _take_turns(self) -> None:
        assert self._share is not None
        # The clock of another process's processor time has this number on Linux (clock_getcpuclockid).
        clock = ~self._process.pid << 3 | 2
        credit, stopped = 0.0, False
        last, used = time.monotonic(), time.clock_gettime(clock)
        while not self._over.wait(TURN_SECONDS):
            now, spent = time.monotonic(), time.clock_gettime(clock)
            credit = min(CREDIT_SECONDS * self._share, credit + (now - last) * self._share) - (spent - used)
            last, used = now, spent
            if stopped != (credit < 0):
                stopped = not stopped
                self._signal(signal.SIGSTOP if stopped else signal.SIGCONT)
        if stopped:
            self._signal(signal.SIGCONT)

    def _signal(self, number: int) -> None:
        # The process is not waited for before the turns are over, so its number is not another's.
        os.kill(self._process.pid, number)
