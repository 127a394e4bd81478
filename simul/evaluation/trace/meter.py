"""Measures computing, so that a replay on a virtual clock can take as long as what it stands for."""

from __future__ import annotations

from collections.abc import Callable

from simul.clock import MeteredClock, VirtualClock, cpu_seconds


class Meter:
    """Measures computing by `seconds`, and lets it pass on a virtual clock, which does not notice it by itself."""

    def __init__(self, clock: VirtualClock | None = None, seconds: Callable[[], float] = cpu_seconds) -> None:
        self._clock, self._spent = clock, MeteredClock(seconds)
        self._begin = 0.0

    def start(self) -> None:
        """Begin to measure."""
        self._begin = self._spent.now()

    def stop(self) -> float:
        """The seconds since `start`."""
        seconds = self._spent.now() - self._begin
        self.spend(seconds)
        return seconds

    def spend(self, seconds: float) -> None:
        """Let `seconds` pass that were measured before."""
        if self._clock is not None:
            self._clock.advance(seconds)
