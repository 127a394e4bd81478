"""What becomes of decisions whose cost does not depend on others: one after the other, or sharing a processor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

IN_TIME = 0.95
"""The share of decisions that must be out within a chunk."""


@dataclass(frozen=True)
class Arrival:
    """A chunk of a stream was there at a moment; its decision takes so many seconds of computing."""

    at: float
    stream: int
    cost: float


def arrivals(traces: Sequence[Sequence[float]], streams: int, chunk: float) -> list[Arrival]:
    """Chunks of streams in real time; stream i has the costs of trace i, over and over, and begins i/streams later.

    The last cost of a trace is that of the end, which comes with the last chunk.
    """
    found = [
        Arrival(chunk * (min(number + 1, len(trace) - 1) + stream / streams), stream, cost)
        for stream in range(streams)
        for trace in [traces[stream % len(traces)]]
        for number, cost in enumerate(trace)
    ]
    return sorted(found, key=lambda each: (each.at, each.stream))


def one_by_one(chunks: Sequence[Arrival]) -> list[float]:
    """Seconds from each arrival until its decision is out, where they are taken in turn: a lock around one model."""
    free, waits = 0.0, []
    for each in chunks:
        free = max(free, each.at) + each.cost
        waits.append(free - each.at)
    return waits


def sharing(chunks: Sequence[Arrival]) -> list[float]:
    """The same where each stream computes by itself and all that do share the processor alike: a model for each."""
    waits = [0.0] * len(chunks)
    queues: dict[int, list[int]] = {}
    left: dict[int, float] = {}
    now, following = 0.0, 0
    while following < len(chunks) or left:
        arrival = chunks[following].at if following < len(chunks) else float("inf")
        first = min(left, key=lambda stream: left[stream], default=None)
        end = now + left[first] * len(left) if first is not None else float("inf")
        moment = min(arrival, end)
        for stream in left:
            left[stream] -= (moment - now) / len(left)
        now = moment
        if end <= arrival and first is not None:
            done = queues[first].pop(0)
            waits[done] = now - chunks[done].at
            del left[first]
            if queues[first]:
                left[first] = chunks[queues[first][0]].cost
        else:
            stream = chunks[following].stream
            queues.setdefault(stream, []).append(following)
            if len(queues[stream]) == 1:
                left[stream] = chunks[following].cost
            following += 1
    return waits


def share_in_time(waits: Sequence[float], chunk: float) -> float:
    """The share of decisions that were out within a chunk."""
    return sum(wait <= chunk for wait in waits) / max(1, len(waits))
