"""Pictures of a sweep: quality against latency with the best settings by name, and policy by policy."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from textwrap import fill
from typing import TYPE_CHECKING, Any

from policies.registry import make_policy
from simul.config import DEFAULT_POLICY
from simul.evaluation.sweep.drawing import FAINT, INK, SERIES, SOFT, Picture, picture
from simul.evaluation.sweep.result import OFFLINE, Point, SweepResult

if TYPE_CHECKING:
    from matplotlib.axes import Axes

NAMES = {
    f"{name} ({clock})": name if clock == "CU" else f"{name}, computation-aware"
    for name in ("LAAL", "YAAL", "LongYAAL", "LongLAAL")
    for clock in ("CU", "CA")
}
"""Latencies that pictures are drawn against."""
FEW = 8
"""Curves that can be told apart in one plot."""
COLUMNS = 4
"""Panels in a row."""
BEST = "best that takes nothing back"
PSEUDO_NOTE = "References are the Offline pass of the same model on the same audio (pseudo-references)."


def curves_of(points: Sequence[Point]) -> dict[str, list[Point]]:
    """Points by curve, in order of first appearance; Offline is none, it is a line across."""
    found: dict[str, list[Point]] = {}
    for point in points:
        if point.setting.policy != OFFLINE:
            found.setdefault(point.setting.curve, []).append(point)
    return found


def latencies_of(sweep: SweepResult) -> list[str]:
    """The latencies worth a picture: the sweep's own first, and none that is the same as another to the millisecond."""
    found: dict[tuple[int | None, ...], str] = {}
    for name in (sweep.latency, *NAMES):
        values = tuple(round(p.scores[name]) if name in p.scores else None for p in sweep.points)
        if any(value is not None for value in values):
            found.setdefault(values, name)
    return list(found.values())


def varying(points: Sequence[Point]) -> list[list[tuple[str, str]]]:
    """For each point of a curve the parameters, with their values, that tell it from the others."""
    pairs = [re.findall(r"([\w-]+)=([^,()\s]+)", str(point.setting)) for point in points]
    if len({tuple(name for name, _ in own) for own in pairs}) > 1:
        return [[pair for pair in own if not all(pair in other for other in pairs)] for own in pairs]
    differ = [len(set(column)) > 1 for column in zip(*pairs, strict=True)]
    return [[pair for pair, differs in zip(own, differ, strict=True) if differs] for own in pairs]


class Plane:
    """The plane of one latency and one quality, and how the settings of a sweep are drawn in it."""

    def __init__(self, sweep: SweepResult, latency: str, quality: str) -> None:
        self.latency, self.quality, self.label = latency, quality, f"{NAMES[latency]} (s)"
        self.name = f"{quality} against {NAMES[latency]}"
        self._points = [p for p in sweep.points if {latency, quality} <= p.scores.keys()]
        self._best = sweep.frontier(latency, quality)
        self._offline = next((p for p in self._points if p.setting.policy == OFFLINE), None)
        default = make_policy(DEFAULT_POLICY)
        plain = [p for p in self._points if p.setting.chunk_ms is None and p.setting.make() == default]
        self._default = plain[0] if plain else None
        self._named = [*plain[:1], *(p for p in reversed(self._best) if p not in plain[:1])]
        self.curves = curves_of(self._points)

    @property
    def panels_height(self) -> float:
        """Inches that the panels need."""
        return 0.4 + 1.6 * -(-len(self.curves) // COLUMNS)

    def overview(self, drawing: Picture, place: Any) -> None:
        """All settings in one plot: of few curves each by name, of many those that no faster one surpasses."""
        axes = place.subplots()
        axes.set(xlabel=self.label, ylabel=self.quality)
        self._best_line(axes)
        few = len(self.curves) <= FEW
        for index, (name, points) in enumerate(self.curves.items()):
            if few:
                notes = [" ".join(map("=".join, own)) for own in varying(points)]
                self._line(axes, points, SERIES[index], name)
                self._marks(drawing, axes, points, SERIES[index], notes)
            else:
                self._marks(drawing, axes, [p for p in points if p not in self._named], FAINT)
        if not few:
            self._marks(drawing, axes, self._named, INK, [str(point.setting) for point in self._named])
        if self._offline is not None:
            top = self._offline.scores[self.quality]
            axes.axhline(top, color=SOFT, ls="--", lw=1, label=f"offline, {top:.1f}")
        if names := axes.get_legend_handles_labels()[1]:
            columns = max(1, 120 // (max(map(len, names)) + 8))
            place.legend(loc="outside lower center", ncols=columns, labelcolor=SOFT)

    def panels(self, drawing: Picture, place: Any) -> None:
        """A small plot for each curve, all of its settings by name."""
        rows = -(-len(self.curves) // COLUMNS)
        grid = place.subplots(rows, COLUMNS, squeeze=False, sharex=True, sharey=True)
        for axes in grid.flat[len(self.curves) :]:
            axes.set_axis_off()
        for index, (axes, (name, points)) in enumerate(zip(grid.flat, self.curves.items(), strict=False)):
            found, colour = varying(points), SERIES[index % len(SERIES)]
            names = {",".join(parameter for parameter, _ in own) for own in found}
            if len(names) == 1 and all(names):
                # The title names the parameters, and the marks their values.
                name = f"{name}: {names.pop()}"
                found = [[("", value) for _, value in own] for own in found]
            notes = [" ".join("=".join(filter(None, pair)) for pair in own) for own in found]
            self._best_line(axes)
            self._line(axes, points, colour)
            self._marks(drawing, axes, points, colour, notes)
            axes.set_title(fill(name.replace(",", ", "), 34), fontsize=7.5)
            axes.tick_params(labelsize=7, labelbottom=index + COLUMNS >= len(self.curves))
        place.supxlabel(self.label, fontsize=8, color=SOFT)
        place.supylabel(self.quality, fontsize=8, color=SOFT)

    def _at(self, points: Sequence[Point]) -> list[tuple[float, float]]:
        """Seconds and quality."""
        return [(point.scores[self.latency] / 1000, point.scores[self.quality]) for point in points]

    def _best_line(self, axes: Axes) -> None:
        if self._best:
            axes.step(
                *zip(*self._at(self._best), strict=True),
                where="post",
                color=FAINT,
                lw=3,
                alpha=0.35,
                label=BEST,
            )

    def _line(self, axes: Axes, points: Sequence[Point], colour: str, name: str | None = None) -> None:
        axes.plot(*zip(*sorted(self._at(points)), strict=True), color=colour, alpha=0.6, label=name)

    def _marks(
        self, drawing: Picture, axes: Axes, points: Sequence[Point], colour: str, notes: Sequence[str] = ()
    ) -> None:
        """Marks with notes: a ring around the default, hollow where text is taken back."""
        for number, (point, (x, y)) in enumerate(zip(points, self._at(points), strict=True)):
            note = notes[number] if notes else ""
            if point is self._default:
                note = f"{note or point.setting} (default)"
                axes.plot([x], [y], "o", ms=10, mfc="none", color=INK, label=f"default, {point.setting}")
            tip = f"{point.setting}: {self.quality} {y:.1f}, {NAMES[self.latency]} {x:.2f} s"
            filled = "none" if point.setting.make().revises else colour
            drawing.mark(axes, x, y, colour, tip, note, mfc=filled)


def overview_svg(sweep: SweepResult, latency: str, quality: str) -> str:
    """All settings in one plot, as SVG.

    Raises:
        ModelMissingError: matplotlib is not installed, here and below.
    """
    plane = Plane(sweep, latency, quality)
    with picture(9.0, 4.8) as drawing:
        plane.overview(drawing, drawing.figure)
        return drawing.svg(plane.name)


def panels_svg(sweep: SweepResult, latency: str, quality: str) -> str:
    """A small plot for each curve, as SVG."""
    plane = Plane(sweep, latency, quality)
    with picture(9.0, plane.panels_height) as drawing:
        plane.panels(drawing, drawing.figure)
        return drawing.svg(f"{plane.name}, policy by policy")


def write_png(sweep: SweepResult, path: str | os.PathLike[str], title: str) -> None:
    """Draw PNG: a plot of all settings, by the sweep's latency and by its computation-aware twin, and many policies of
    the first one by one below."""
    twin = sweep.latency.replace("CU", "CA")
    shown = [name for name in latencies_of(sweep) if name in (sweep.latency, twin)]
    made = [Plane(sweep, latency, sweep.quality) for latency in shown]
    heights = [4.6] * len(made) + [made[0].panels_height] * (len(made[0].curves) > FEW)
    with picture(8.5, sum(heights) + 0.6) as drawing:
        parts: Any = drawing.figure.subfigures(len(heights), 1, height_ratios=heights, squeeze=False)
        for plane, part in zip(made, parts.flat, strict=False):
            plane.overview(drawing, part)
        if len(heights) > len(made):
            made[0].panels(drawing, parts.flat[-1])
        heading = [*title.split("\n"), *([PSEUDO_NOTE] if sweep.pseudo else [])]
        drawing.figure.suptitle("\n".join(fill(line, 110) for line in heading), fontsize=10)
        drawing.png(path)
