"""Measures computing, so that a replay on a virtual clock can take as long as what it stands for."""

from __future__ import annotations

from simul.clock import MeteredClock, VirtualClock


class Meter:
    """Measures CPU seconds, and lets them pass on a virtual clock, which does not notice them by itself."""

    def __init__(self, clock: VirtualClock | None = None) -> None:
        self._clock, self._cpu = clock, MeteredClock()
        self._begin = 0.0

    def start(self) -> None:
        """Begin to measure."""
        self._begin = self._cpu.now()

    def stop(self) -> float:
        """The seconds since `start`."""
        seconds = self._cpu.now() - self._begin
        self.spend(seconds)
        return seconds

    def spend(self, seconds: float) -> None:
        """Let `seconds` pass that were measured before."""
        if self._clock is not None:
            self._clock.advance(seconds)
