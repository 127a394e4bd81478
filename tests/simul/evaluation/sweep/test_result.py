"""What comes of a sweep: the frontier, and the best within a latency."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from simul.evaluation.sweep.grid import parse_grid
from simul.evaluation.sweep.result import Point, SweepResult

SETTINGS = parse_grid("hold-n:n=1,2,3,4,5;sliding-window:window_ms=5000,10000;offline")
SCORES = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=8, max_size=8)


def sweep_of(scores: list[tuple[int, int]]) -> SweepResult:
    points = [
        Point(setting, {"LAAL (CU)": 1000.0 * seconds, "chrF": float(quality)}, {})
        for setting, (seconds, quality) in zip(SETTINGS, scores, strict=True)
    ]
    return SweepResult(points, "chrF", "LAAL (CU)", pseudo=False)


@given(SCORES)
def test_the_frontier_is_what_no_faster_setting_reaches(scores: list[tuple[int, int]]) -> None:
    found = sweep_of(scores)
    frontier = found.frontier("LAAL (CU)", "chrF")
    places = [(p.scores["LAAL (CU)"], p.scores["chrF"]) for p in frontier]
    assert places == sorted(places)
    allowed = [p for p in found.points if p.setting.policy == "hold-n"]
    assert all(p in allowed for p in frontier)
    for p in allowed:
        at = (p.scores["LAAL (CU)"], p.scores["chrF"])
        surpassed = any(
            q.scores["LAAL (CU)"] <= at[0] and q.scores["chrF"] >= at[1] for q in allowed if q is not p
        )
        assert p in frontier or surpassed
        assert any(seconds <= at[0] and quality >= at[1] for seconds, quality in places)


@given(SCORES)
def test_the_best_within_a_limit_ends_the_frontier_there(scores: list[tuple[int, int]]) -> None:
    found = sweep_of(scores)
    for limit in range(7):
        within = [p for p in found.frontier("LAAL (CU)", "chrF") if p.scores["LAAL (CU)"] <= 1000 * limit]
        best = found.best(limit)
        assert (best is None) == (not within)
        if best is not None:
            assert best.scores == within[-1].scores
    revising = found.best(6, revising=True)
    assert revising is not None
    assert revising.scores["chrF"] == max(p.scores["chrF"] for p in found.points[:7])


def test_settings_without_both_scores_are_not_on_the_frontier() -> None:
    found = sweep_of([(1, 1)] * 8)
    assert found.frontier("LAAL (CA)", "chrF") == found.frontier("LAAL (CU)", "BLEU") == []
    assert found.best(9, latency="LAAL (CA)") is None
