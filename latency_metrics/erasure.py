"""How much shown text was taken back: normalized erasure, of simulstream and of Arivazhagan et al. 2020."""

from __future__ import annotations

import math
from collections.abc import Iterable

from latency_metrics.base import Instance, Metric, NoValue, Score, StreamStats


class NormalizedErasure(Metric):
    """Units of all deleted tokens over units of the final texts (simulstream), over all recordings.

    Each deletion is detokenised alone, so deleting one sub-word counts a whole word, and what is deleted and
    emitted again counts. Reads `Instance.stream`. NaN when all final texts are empty.
    """

    name = "NormalizedErasure"
    per = "recording"
    unit = "ratio"

    def _erased(self, stats: StreamStats) -> int:
        return stats.erased_units

    def _value(self, instance: Instance) -> float:
        if instance.stream is None:
            raise NoValue("it carries no event log")
        if instance.stream.units == 0:
            raise NoValue("its final text is empty")
        return self._erased(instance.stream) / instance.stream.units

    def corpus(self, instances: Iterable[Instance]) -> Score:
        """Sum of erased units over sum of final units.

        A recording whose final text is empty has no value of its own; its erased units count in the sum.
        """
        kept = list(instances)
        erased = sum(self._erased(i.stream) for i in kept if i.stream)
        final = sum(i.stream.units for i in kept if i.stream)
        values, notices = self._values(kept, "no value of its own")
        return self._score(erased / final if final else math.nan, values, notices)


class PrefixErasure(NormalizedErasure):
    """Normalized erasure of Arivazhagan et al. 2020: units beyond the common prefix of successive outputs."""

    name = "PrefixErasure"

    def _erased(self, stats: StreamStats) -> int:
        return stats.prefix_erased_units
