"""Pictures of a sweep: every setting can be told, the best and the default are named, nothing is drawn twice."""

from __future__ import annotations

import re
from dataclasses import replace
from html import unescape
from pathlib import Path

import pytest

from simul.evaluation.sweep.curves import (
    FEW,
    curves_of,
    latencies_of,
    overview_svg,
    panels_svg,
    varying,
    write_png,
)
from simul.evaluation.sweep.grid import parse_grid
from simul.evaluation.sweep.result import Point, SweepResult
from tests.simul.evaluation.sweep.made_up import CURVES, with_curves


def texts(svg: str) -> list[str]:
    return [unescape(text) for text in re.findall("<text[^>]*>(.*?)</text>", svg)]


def points_of(grid: str) -> list[Point]:
    return [Point(setting, {}, {}) for setting in parse_grid(grid)]


@pytest.mark.parametrize(
    ("grid", "found"),
    [
        ("hold-n:n=1,2", ["n=1", "n=2"]),
        ("hold-n:n=4,chunk=250,500", ["chunk=250", "chunk=500"]),
        (
            "all-of(local-agreement(n=2), hold-n(n=1));all-of(local-agreement(n=2), hold-n(n=4))",
            ["n=1", "n=4"],
        ),
        ("hold-n:n=1,2,chunk=250,500", ["n=1 chunk=250", "n=1 chunk=500", "n=2 chunk=250", "n=2 chunk=500"]),
        ("local-agreement;local-agreement:n=3", ["", "n=3"]),
        ("align-att", [""]),
    ],
)
def test_settings_are_told_apart_by_what_varies(grid: str, found: list[str]) -> None:
    assert [" ".join(map("=".join, own)) for own in varying(points_of(grid))] == found


def test_latencies_that_are_the_same_are_drawn_once() -> None:
    sweep = with_curves(2)
    assert latencies_of(sweep) == ["LAAL (CU)"]
    scores = [
        {**p.scores, "YAAL (CU)": p.scores["LAAL (CU)"] + 0.3, "LAAL (CA)": 2000.0} for p in sweep.points
    ]
    points = [replace(p, scores=s) for p, s in zip(sweep.points, scores, strict=True)]
    assert latencies_of(replace(sweep, points=points)) == ["LAAL (CU)", "LAAL (CA)"]
    assert latencies_of(replace(sweep, points=points, latency="YAAL (CU)")) == ["YAAL (CU)", "LAAL (CA)"]


def test_of_few_curves_every_setting_is_named_beside_its_mark_and_every_curve_in_the_legend() -> None:
    pytest.importorskip("matplotlib")
    sweep = with_curves(3)
    found = texts(overview_svg(sweep, "LAAL (CU)", "chrF"))
    for name in (
        "n=1",
        "n=2 (default)",
        "n=3",
        "window_ms=5000",
        "window_ms=10000",
        *curves_of(sweep.points),
    ):
        assert name in found
    assert found.count("n=2") == 1  # of hold-n; that of local-agreement is the default
    assert "offline, 50.0" in found
    assert "default, local-agreement n=2" in found
    assert "LAAL (s)" in found
    assert "chrF" in found


def test_of_many_curves_the_best_and_the_default_are_named_and_all_can_be_pointed_at() -> None:
    pytest.importorskip("matplotlib")
    sweep = with_curves(FEW + 1)
    poor = {"LAAL (CU)": 1030.0, "chrF": 48.0}
    points = [replace(p, scores=poor) if str(p.setting) == "local-agreement n=2" else p for p in sweep.points]
    sweep = replace(sweep, points=points)
    svg = overview_svg(sweep, "LAAL (CU)", "chrF")
    assert "local-agreement n=2 (default)" in texts(svg)
    best = {str(point.setting) for point in sweep.frontier("LAAL (CU)", "chrF")}
    assert len(best & set(texts(svg))) >= 5
    assert not [t for t in texts(svg) if t.startswith("sliding-window")]
    tips = [unescape(tip) for tip in re.findall("<title>(.*?)</title>", svg)]
    assert sorted(tip.split(": ")[0] for tip in tips) == sorted(str(p.setting) for p in sweep.points[1:])
    assert "hold-n n=1: chrF 53.0, LAAL 1.03 s" in tips


def test_a_panel_for_each_curve_names_all_of_its_settings() -> None:
    pytest.importorskip("matplotlib")
    sweep = with_curves(9)
    found = " ".join(texts(panels_svg(sweep, "LAAL (CU)", "chrF")))
    for entry in CURVES:
        policy, _, rest = entry.partition(":")
        name, _, values = rest.partition("=")
        assert f"{policy}: {name}" in found
        for value in values.split(","):
            assert re.search(rf"\b{re.escape(value)}\b", found), entry


def test_settings_without_the_scores_are_left_out() -> None:
    pytest.importorskip("matplotlib")
    sweep = with_curves(2)
    sweep = replace(sweep, points=[replace(sweep.points[1], scores={"chrF": 1.0}), *sweep.points[2:]])
    svg = overview_svg(sweep, "LAAL (CU)", "chrF")
    assert svg.count("<title>") == len(sweep.points) - 1
    assert not [text for text in texts(svg) if text.startswith("offline")]
    nothing = SweepResult(sweep.points[:1], "chrF", "LAAL (CU)", pseudo=False)
    assert overview_svg(nothing, "LAAL (CU)", "chrF").count("<title>") == 0


def test_png_holds_the_panels_only_where_there_are_many(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    sizes = []
    for count in (FEW, FEW + 1):
        write_png(with_curves(count), tmp_path / "x.png", "A sweep")
        head = (tmp_path / "x.png").read_bytes()[16:24]
        sizes.append((int.from_bytes(head[:4], "big"), int.from_bytes(head[4:], "big")))
    assert sizes[0][0] == sizes[1][0] == 8.5 * 120
    assert sizes[1][1] > sizes[0][1] + 400
