"""Admission by measurement: what streams cost is measured before the first one comes and while they run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from policies.base import Policy
from simul.backends.base import Backend
from simul.engine.engine import StreamEngine
from simul.engine.terms import Terms
from simul.session.stream import SessionConfig
from simul.units import Samples

LIMIT = 0.7
"""The share of a device's time that streams may be admitted to; the rest is for what varies."""


class MeasuredAdmission:
    """Admits live streams while they are expected to take no more than `limit` of the device's time.

    Streams from files are always admitted: they get what is left over. most: streams at most, whatever they take.
    """

    def __init__(self, engine: StreamEngine, limit: float = LIMIT, most: int | None = None) -> None:
        self.engine, self.limit, self.most = engine, limit, most

    @property
    def used(self) -> float:
        """The share of the device's time that the live streams are expected to take."""
        return self.engine.live * self.engine.meter.per_second

    def refusal(self, config: SessionConfig, languages: int, terms: Terms) -> str | None:
        """Why there is no room for a further stream, as a sentence; None: there is."""
        live = self.engine.live
        if self.most is not None and len(self.engine.open_numbers) >= self.most:
            return f"This machine serves {self.most} streams at once, and all are taken; try again when one has ended."
        if not terms.live:
            return None
        return refusal(live, self.used, self.engine.meter.per_second, self.limit)


def warm_up(
    backend: Backend[Any],
    policy: Callable[[], Policy],
    config: SessionConfig,
    speech: Samples,
    now: Callable[[], float],
    sizes: Sequence[int] = (1, 2, 4, 8),
) -> StreamEngine:
    """An engine whose costs are known: it has listened to `speech` in as many streams at once as `sizes` tell.

    now: the clock that the engine's time is measured by. It loads what a model loads at its first call, too.
    """
    engine = StreamEngine(backend)
    for size in sizes:
        streams = [engine.open(policy(), config, now(), terms=Terms(live=False)) for _ in range(size)]
        for start in range(0, len(speech), config.chunk):
            for number in streams:
                engine.push(number, speech[start : start + config.chunk], now())
            while engine.ready:
                engine.step(now)
        for number in streams:
            engine.close(number)
    return engine


def refusal(streams: int, used: float, extra: float, limit: float = LIMIT) -> str | None:
    """Why a stream that takes `extra` of a device is not admitted, as a sentence; None: it is."""
    if used + extra <= limit:
        return None
    if not streams:
        return (
            f"This machine is too slow for the stream: it would take {used + extra:.0%} of it, and {limit:.0%} may be "
            "used; choose a smaller model or a longer chunk."
        )
    return (
        f"This machine is full: {streams} streams use {used:.0%} of it, one more would make {used + extra:.0%}, and "
        f"{limit:.0%} may be used; try again when one has ended."
    )
