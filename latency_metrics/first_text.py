"""FirstTextDelay: when a segment's first text appears."""

from __future__ import annotations

from latency_metrics.base import Instance, Metric


class FirstTextDelay(Metric):
    """Earliest time of an instance in ms: from the start of the segment to the first unit assigned to it.

    Below 0 where resegmentation gave the segment a unit emitted before it began.
    """

    name = "FirstTextDelay"

    def _value(self, instance: Instance) -> float:
        return min(self.times(instance))
