"""Sweeps without any run: policies at two settings each, the better ones slower; the first takes text back."""

from __future__ import annotations

from simul.evaluation.sweep.grid import parse_grid
from simul.evaluation.sweep.result import Point, SweepResult

CURVES = (
    "sliding-window:window_ms=5000,10000", "hold-n:n=1,2", "local-agreement:n=2,3", "word-hold:release_ms=100,200",
    "align-att:distance_ms=100,200", "align-bridge:margin_ms=100,200", "sp-n:n=1,2", "pause:silence_ms=90,180",
    "token-confidence:threshold=0.2,0.3",
)  # fmt: skip


def with_curves(count: int) -> SweepResult:
    """`count` policies; points of chrF 50, 51, ... at LAAL 1.00 s, 1.01 s, ..., Offline the first."""
    settings = parse_grid(";".join(["offline", *CURVES[:count]]))
    points = [
        Point(setting, {"chrF": 50.0 + i, "LAAL (CU)": 1000.0 + 10 * i}, {"erased": 0.0})
        for i, setting in enumerate(settings)
    ]
    return SweepResult(points, "chrF", "LAAL (CU)", pseudo=False)
