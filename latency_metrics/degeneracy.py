"""Signs of a policy that only seems simultaneous: SWF, EFSW, DSPTV (OmniSTEval, after Polák et al. 2025)."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

from latency_metrics.base import Instance, Notice, describe
from latency_metrics.units import LatencyUnit
from latency_metrics.yaal import YAAL

FRACTION = "Simultaneous Words Fraction (%)"
EXPECTED = "Expected Simul. Words Fraction (%)"
TEST_VALUE = "Degeneracy Test Value"
DEGENERATE = "Likely Degenerate Simultaneous Policy"
"""Display names of OmniSTEval; the value of the last, a flag, is 1, 0, or NaN when there was nothing to judge."""

THRESHOLD = 20.0
"""A policy is called degenerate when |DSPTV| is above this."""


@dataclass(frozen=True)
class Degeneracy:
    """Degeneracy diagnostics of a short-form corpus, computation-unaware.

    Attributes:
        swf: simultaneous words fraction, %: 100 · Σ #{d_i < X} / Σ H. NaN when there are no units.
        efsw: expected fraction, %: 100 · Σ max(0, X − YAAL) / Σ X over instances with a YAAL value.
        dsptv: EFSW − SWF.
        degenerate: |DSPTV| > 20; False when DSPTV is NaN.
        notices: instances left out, with the reason.
    """

    swf: float
    efsw: float
    dsptv: float
    degenerate: bool
    notices: list[Notice] = field(default_factory=list)


def diagnose(instances: Iterable[Instance], *, latency_unit: LatencyUnit = "word") -> Degeneracy:
    """Degeneracy diagnostics of short-form instances; those without source length are left out and named."""
    yaal = YAAL(latency_unit=latency_unit)
    units = early = 0
    expected = length = 0.0
    notices: list[Notice] = []
    for instance in instances:
        times = instance.delays
        if not times:
            continue
        if instance.source_length is None:
            notices.append(Notice(describe(instance), "left out of SWF, its source length is unknown"))
            continue
        source_length = instance.source_length
        units += len(times)
        early += sum(1 for time in times if time < source_length)
        lag = yaal.instance(instance)
        if lag is not None:
            expected += max(0.0, source_length - lag)
            length += source_length
    swf = 100.0 * early / units if units else math.nan
    efsw = 100.0 * expected / length if length > 0 else math.nan
    dsptv = efsw - swf
    return Degeneracy(swf, efsw, dsptv, not math.isnan(dsptv) and abs(dsptv) > THRESHOLD, notices)
