"""Which streams decide next, and with whom in one batch: a pure function of what is due."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from simul.engine.cost import Costs, bucket

SAFETY = 1.25
"""What is predicted is taken times this, since it varies."""
LONGEST_WAIT = 3.0
"""Seconds after which a stream goes before those that can still be in time."""
BLOCKING = 0.5
"""The share of the shortest patience that a batch may take: for so long a stream that comes meanwhile waits."""
FILE_SHARE = 0.05
"""The share of computing that files get even where live streams would take all."""


@dataclass(frozen=True)
class Due:
    """A stream whose next decision has its audio.

    deadline: when the decision is to be out at the latest. since: when the oldest of its audio was there. length:
    samples of the window that it rests on. live: whether its audio comes while it is spoken. owner: whose it is.
    last: its audio has ended, and somebody waits for the end.
    """

    number: int
    deadline: float
    since: float
    length: int
    live: bool = True
    owner: str = ""
    last: bool = False


@dataclass(frozen=True)
class Served:
    """What was computed so far: seconds by owner, each divided by the owner's weight, and the share that files got.

    patience: the least of all live streams, in seconds from a decision's audio to its deadline.
    """

    by_owner: Mapping[str, float]
    files: float = 1.0
    patience: float = math.inf


NOBODY = Served({})


class Ledger:
    """What each owner's streams and what files got, of which half is forgotten in about 40 s."""

    def __init__(self, memory: float = 60.0) -> None:
        self.memory = memory
        self._at: float | None = None
        self._owners: dict[str, float] = {}
        self._files = self._all = 0.0

    def note(self, at: float, seconds: float, batch: Sequence[tuple[Due, float]]) -> None:
        """At the time `at` a batch was done that took so many seconds; with each decision its owner's weight."""
        keep = 1.0 if self._at is None else math.exp(-max(0.0, at - self._at) / self.memory)
        self._at = at
        self._owners = {owner: keep * had for owner, had in self._owners.items() if keep * had > 1e-6}
        self._files, self._all = keep * self._files, keep * self._all
        for due, weight in batch:
            share = seconds / len(batch)
            self._owners[due.owner] = self._owners.get(due.owner, 0.0) + share / weight
            self._all += share
            self._files += 0.0 if due.live else share

    def served(self, patience: float) -> Served:
        """The same for `choose`; patience: the least of all live streams."""
        return Served(self._owners, self._files / self._all if self._all else 1.0, patience)


def choose(
    due: Sequence[Due], now: float, costs: Costs, served: Served = NOBODY, most: int = 64
) -> list[Due]:
    """The next batch, the most urgent first; the most urgent defines it.

    Earliest deadline first, but for streams at their end, which nothing will make up for, and for what is
    lost anyway: such a stream decides once on all that it has by its next chunk. Streams of the same shape
    bucket join as long as the batch is predicted to be done before the earliest deadline in it, does not hold
    up for long who comes meanwhile (`BLOCKING`), and joining costs less than deciding alone; where that
    deadline is lost, it does not count. If not all can be in time, owners come first that had the least.
    Files get what live streams leave, and `FILE_SHARE` at least.
    """
    live = [each for each in due if each.live]
    files = [each for each in due if not each.live]
    if files and (not live or served.files < FILE_SHARE):
        order = sorted(files, key=lambda each: (served.by_owner.get(each.owner, 0.0), each.deadline))
    else:
        order = sorted(live, key=lambda each: (_rank(each, now, costs), each.deadline))
        if len({each.owner for each in order}) > 1 and not _all_in_time(order, now, costs):
            order.sort(key=lambda each: served.by_owner.get(each.owner, 0.0))
    return _batch(order, now, costs, most, BLOCKING * served.patience)


class Choose(Protocol):
    """Chooses the next batch, as `choose` does."""

    def __call__(
        self, due: Sequence[Due], now: float, costs: Costs, served: Served = ..., most: int = ...
    ) -> list[Due]:
        """Some of what is due; at least one stream, if any is."""
        ...


def _rank(due: Due, now: float, costs: Costs) -> int:
    """Who has waited too long or is at its end comes first, and whose deadline is lost anyway comes last."""
    if due.last or now - due.since > LONGEST_WAIT:
        return 0
    return 2 if now + costs.predict(1, due.length) > due.deadline else 1


def _all_in_time(order: Sequence[Due], now: float, costs: Costs) -> bool:
    """Whether all would be in time if they were decided one after the other at the cost of a full batch."""
    done = now
    for each in order:
        done += SAFETY * costs.predict(len(order), each.length) / len(order)
        if done > each.deadline:
            return False
    return True


def _batch(order: Sequence[Due], now: float, costs: Costs, most: int, longest: float) -> list[Due]:
    if not order:
        return []
    first = order[0]
    chosen, length, slack = [first], first.length, first.deadline - now
    kind, alone = bucket(first.length), SAFETY * costs.predict(1, first.length)
    cost = alone
    for each in order[1:]:
        if len(chosen) >= most:
            break
        if bucket(each.length) != kind:
            continue
        longer = max(length, each.length)
        more = SAFETY * costs.predict(len(chosen) + 1, longer)
        tighter = min(slack, each.deadline - now)
        if more - cost >= alone > 0 or more > longest or cost <= tighter < more:
            break
        chosen.append(each)
        length, cost, slack = longer, more, tighter
    return chosen
