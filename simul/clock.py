"""Wall clock and virtual clock: the one place in simul that asks what time it is."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol, runtime_checkable

cpu_seconds: Callable[[], float] = time.process_time
"""CPU time of this process: what computing costs here, whatever else the machine does."""
elapsed_seconds: Callable[[], float] = time.perf_counter
"""Time that goes by: what counts where the computing is done by a GPU, by several threads or by a server."""


@runtime_checkable
class Clock(Protocol):
    """Seconds since an arbitrary origin, never running backwards, and a way to wait."""

    def now(self) -> float:
        """Seconds since this clock's origin."""
        ...

    def sleep_until(self, t: float) -> None:
        """Return once `now() >= t`; at once when that moment has passed."""
        ...


class WallClock:
    """Real time by the system's monotonic clock; the origin is the moment of construction."""

    def __init__(self) -> None:
        self._origin = time.monotonic()

    def now(self) -> float:
        """Seconds since this clock was made."""
        return time.monotonic() - self._origin

    def sleep_until(self, t: float) -> None:
        """Block until `now() >= t`."""
        while (left := t - self.now()) > 0:
            time.sleep(left)


class VirtualClock:
    """Time that moves only when told to: sleeping takes no real time and lands on the moment asked for."""

    def __init__(self, start: float = 0.0) -> None:
        self._now = float(start)

    def now(self) -> float:
        """Seconds of virtual time."""
        return self._now

    def sleep_until(self, t: float) -> None:
        """Move to `t` if it lies ahead."""
        self._now = max(self._now, float(t))

    def advance(self, seconds: float) -> None:
        """Move on by `seconds`.

        Raises:
            ValueError: `seconds` is negative; a clock never runs backwards.
        """
        if not seconds >= 0:
            raise ValueError(
                f"a clock cannot advance by {seconds} seconds; give a number that is not negative"
            )
        self._now += seconds


class MeteredClock:
    """Virtual arrival, real computation: sleeping is free, while computing takes what `meter` says (seconds).

    A session driven by `sleep_until(arrival of the chunk)` under this clock obeys the queueing recursion
    finish = max(arrival, previous finish) + compute, without waiting in real time. `cpu_seconds` does not notice
    what else the machine is doing, but neither a GPU at work; a backend names its own meter (`Backend.meter`).
    """

    def __init__(self, meter: Callable[[], float] = cpu_seconds) -> None:
        self._now = 0.0
        self.measure_by(meter)

    def measure_by(self, meter: Callable[[], float]) -> None:
        """Let computing from now on take what `meter` says."""
        self._meter = meter
        self._mark = meter()

    def now(self) -> float:
        """Virtual seconds: the last moment slept to, plus the meter's seconds since."""
        mark = self._meter()
        self._now += mark - self._mark
        self._mark = mark
        return self._now

    def sleep_until(self, t: float) -> None:
        """Move to `t` if it lies ahead."""
        self._now = max(self.now(), float(t))
