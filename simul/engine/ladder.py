"""The quality ladder: what a device does less of while it is asked for more than it can, and when it returns."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from simul.engine.cost import LoadMeter


@dataclass(frozen=True)
class Rung:
    """A level of quality.

    cost: computing of a stream, as a share of the level above all. strides: chunks from one decision to the next, in
    turn.
    """

    name: str
    cost: float
    strides: tuple[int, ...] = (1,)

    @property
    def mean(self) -> float:
        """Chunks a decision."""
        return sum(self.strides) / len(self.strides)

    def stride(self, decided: int) -> int:
        """Chunks up to the next decision of a stream of which so many chunks were decided on.

        Where they differ, decisions fall on the same chunks of every round, whatever the level was before. Streams
        spread over the round where each adds a number of its own.
        """
        if len(self.strides) == 1:
            return self.strides[0]
        place = decided % sum(self.strides)
        return next(end for end in accumulate(self.strides) if end > place) - place


RUNGS = (
    Rung("every chunk", 1.0),
    Rung("two chunks of three", 2 / 3, (1, 2)),
    Rung("every second chunk", 0.5, (2,)),
    Rung("every third chunk", 1 / 3, (3,)),
)
"""Decisions become rarer; text comes later, and nothing of the audio is left out."""


@dataclass(frozen=True)
class LadderConfig:
    """When a level is left.

    over: offered load, and late: share of decisions that were late, above which a level is too high; patience: seconds
    until it is left, for the first one that the load allows. under: offered load that a level above may bring when
    it is tried again, after `rest` seconds without lateness; each time in vain that takes twice as long, up to
    `longest`. less: what it may bring then as a share of what it brought when it was left, for `longest` seconds:
    offered load is an estimate, and what was too much once tells more.
    """

    over: float = 0.97
    late: float = 0.02
    patience: float = 2.0
    under: float = 0.75
    rest: float = 30.0
    longest: float = 160.0
    less: float = 0.85


class Ladder:
    """Walks down the rungs while more is asked for than can be served, and back up with hysteresis."""

    def __init__(self, rungs: Sequence[Rung] = RUNGS, config: LadderConfig | None = None) -> None:
        self.rungs, self.config = tuple(rungs), config or LadderConfig()
        self.level = 0
        self._rest = self.config.rest
        self._over: float | None = None
        self._under: float | None = None
        self._returned: float | None = None
        self._too_much: dict[int, tuple[float, float]] = {}
        """By level, what it brought when it was left, and when that was."""

    @property
    def rung(self) -> Rung:
        """The level that is in force."""
        return self.rungs[self.level]

    def update(self, at: float, offered: float, late: float) -> Rung:
        """The level from the time `at` on, where at the level in force so much is offered and so many are late."""
        config = self.config
        too_much = offered > config.over or late > config.late
        self._over = (at if self._over is None else self._over) if too_much else None
        light = not too_much and self._higher(at, offered) is not None
        self._under = (at if self._under is None else self._under) if light else None
        if self._over is not None and at - self._over >= config.patience and self.level + 1 < len(self.rungs):
            self._down(at, offered)
        elif self._under is not None and at - self._under >= self._rest:
            self._up(at, self._higher(at, offered) or 0)
        return self.rung

    def _brings(self, level: int, offered: float) -> float:
        """The offered load at another level where the one in force brings so much."""
        return offered * self.rungs[level].cost / self.rung.cost

    def follow(self, meter: LoadMeter, at: float) -> bool:
        """Update by what a meter says; whether the level changed.

        The meter is told what the new level is expected to bring, since what it has seen belongs to the old one.
        """
        before = self.rung
        after = self.update(at, meter.offered, meter.late)
        if after is not before:
            meter.offered *= after.cost / before.cost
            meter.late = 0.0
        return after is not before

    def _higher(self, at: float, offered: float) -> int | None:
        """The highest level above that would bring little enough to be tried."""
        for level in range(self.level):
            once, left = self._too_much.get(level, (math.inf, at))
            bound = self.config.less * once if at - left < self.config.longest else math.inf
            if self._brings(level, offered) < min(self.config.under, bound):
                return level
        return None

    def _down(self, at: float, offered: float) -> None:
        if self._returned is not None:
            in_vain = at - self._returned < self._rest
            self._rest = min(2 * self._rest, self.config.longest) if in_vain else self.config.rest
        lower = range(self.level + 1, len(self.rungs))
        level = next((n for n in lower if self._brings(n, offered) <= self.config.over), lower[-1])
        self._too_much |= {n: (self._brings(n, offered), at) for n in range(self.level, level)}
        self.level = level
        self._over = self._under = self._returned = None

    def _up(self, at: float, level: int) -> None:
        self.level = level
        self._over = self._under = None
        self._returned = at
