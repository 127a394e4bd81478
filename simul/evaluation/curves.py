"""Quality–latency curves of a sweep: inline SVG for pages, a page of HTML that needs nothing else, and PNG."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from html import escape
from textwrap import fill
from typing import Any

from latency_metrics.reports.document import Document, Figure, Table
from latency_metrics.reports.html import page
from latency_metrics.reports.svg import SERIES, SHAPES, Plot, Scale, mark
from simul.errors import ModelMissingError
from simul.evaluation.sweep.result import LIMITS, OFFLINE, Point, SweepResult
from simul.files import create
from simul.install import install_hint

NAMES = {
    "LAAL (CU)": "LAAL",
    "LAAL (CA)": "LAAL, computation-aware",
    "YAAL (CU)": "YAAL",
    "YAAL (CA)": "YAAL, computation-aware",
    "LongYAAL (CU)": "LongYAAL",
    "LongYAAL (CA)": "LongYAAL, computation-aware",
    "LongLAAL (CU)": "LongLAAL",
    "LongLAAL (CA)": "LongLAAL, computation-aware",
}
"""Latencies that curves are drawn against, in order."""
FEW = 8
"""Curves that can be told apart in one plot."""
PANELS = 5
"""Panels in a row of a picture of many curves."""
PSEUDO_NOTE = "References are the Offline pass of the same model on the same audio (pseudo-references)."


def curves_of(points: Sequence[Point]) -> dict[str, list[Point]]:
    """Points by curve, in order of first appearance; Offline is none, it is the ceiling."""
    found: dict[str, list[Point]] = {}
    for point in points:
        if point.setting.policy != OFFLINE:
            found.setdefault(point.setting.curve, []).append(point)
    return found


def available(sweep: SweepResult) -> list[str]:
    """The latencies of `NAMES` that some point has."""
    return [name for name in NAMES if any(name in point.scores for point in sweep.points)]


def _style(index: int) -> tuple[str, str]:
    """Colour class and shape of a curve: all colours in one shape, then in the next."""
    return f"c{index % SERIES}", SHAPES[index // SERIES % len(SHAPES)]


def _placed(points: Sequence[Point], latency: str, quality: str) -> list[tuple[float, float, Point]]:
    """Points with seconds and quality, by latency."""
    kept = [p for p in points if latency in p.scores and quality in p.scores]
    return sorted(((p.scores[latency] / 1000, p.scores[quality], p) for p in kept), key=lambda t: t[:2])


def draw(sweep: SweepResult, latency: str, quality: str, heading: str = "") -> str:
    """One plot as SVG: a mark per setting, the ceiling as a dashed line.

    A line leads through the settings of a policy. Where policies are too many to be told apart, one line instead
    shows the best that append-only ones have.
    """
    curves = {name: _placed(points, latency, quality) for name, points in curves_of(sweep.points).items()}
    ceiling = sweep.ceiling()
    top = math.nan if ceiling is None else ceiling.scores.get(quality, math.nan)
    everything = [placed for points in curves.values() for placed in points]
    name = NAMES.get(latency, latency)
    plot = Plot(
        Scale.over([x for x, _, _ in everything], f"{name} (s)"),
        Scale.over([*(y for _, y, _ in everything), top], quality),
        width=640,
        height=420,
        title=f"{quality} against {name}",
        heading=heading or f"{quality} against {name}",
    )
    if math.isfinite(top):
        plot.line([(plot.x.low, top), (plot.x.high, top)], "cn rule")
        plot.label(plot.x.low, top, f"offline {top:.1f}")
    few = len(curves) <= FEW
    if not few:
        plot.line(_front(everything), "cn")
    for index, points in enumerate(curves.values()):
        colour, shape = _style(index)
        if few:
            plot.line([(x, y) for x, y, _ in points], f"{colour} thin")
        for x, y, point in points:
            plot.dot(x, y, colour, shape=shape, size=4, tip=_tip(x, y, point, latency, quality))
    return plot.svg()


def draw_panels(sweep: SweepResult, latency: str, quality: str) -> str:
    """A small plot for each curve, before all settings in grey, as HTML."""
    curves = curves_of(sweep.points)
    everything = _placed([p for points in curves.values() for p in points], latency, quality)
    across = Scale.over([x for x, _, _ in everything], f"{NAMES.get(latency, latency)} (s)", count=4)
    up = Scale.over([y for _, y, _ in everything], "", count=5)
    parts = []
    for index, (name, points) in enumerate(curves.items()):
        colour, shape = _style(index)
        plot = Plot(across, up, width=320, height=180, title=name)
        for x, y, _ in everything:
            plot.dot(x, y, "cn pale", size=1.5)
        placed = _placed(points, latency, quality)
        plot.line([(x, y) for x, y, _ in placed], colour)
        for x, y, point in placed:
            plot.dot(x, y, colour, shape=shape, size=4, tip=_tip(x, y, point, latency, quality))
        parts.append(f'<div><div class="caption">{escape(name)}</div>{plot.svg()}</div>')
    return f'<div class="panels">{"".join(parts)}</div>'


def _tip(x: float, y: float, point: Point, latency: str, quality: str) -> str:
    """What a mark says when it is pointed at."""
    return f"{point.setting}: {quality} {y:.1f}, {NAMES.get(latency, latency)} {x:.2f} s"


def _front(placed: Sequence[tuple[float, float, Point]]) -> list[tuple[float, float]]:
    """Latency and quality of the settings that no faster one surpasses, without policies that take text back."""
    best: list[tuple[float, float]] = []
    for x, y, point in sorted(placed, key=lambda t: t[:2]):
        if not point.setting.make().revises and (not best or y > best[-1][1]):
            best.append((x, y))
    return best


def _legend(sweep: SweepResult) -> str:
    """Names of the curves with their marks, as SVG in rows."""
    names = list(curves_of(sweep.points))
    width, row, parts = 1060, 18, []
    widest = max((len(name) for name in names), default=1) * 6.3 + 34
    columns = max(1, int(width // widest))
    for index, name in enumerate(names):
        colour, shape = _style(index)
        x, y = 12 + (index % columns) * (width / columns), 12 + index // columns * row
        parts.append(mark(x, y, colour, shape, 4))
        parts.append(f'<text class="note" x="{x + 12:.1f}" y="{y + 4:.1f}">{escape(name)}</text>')
    height = 12 + math.ceil(len(names) / columns) * row
    return f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="policies">{"".join(parts)}</svg>'


def table(sweep: SweepResult, title: str = "") -> Table:
    """Every setting with its scores; latencies in seconds."""
    latencies = available(sweep)
    rows = []
    for point in sweep.points:
        scores = point.scores
        quality = [f"{scores[n]:.1f}" if n in scores else "" for n in ("BLEU", "chrF")]
        seconds = [f"{scores[n] / 1000:.2f}" if n in scores else "" for n in latencies]
        rows.append([point.setting.policy, point.setting.label, *quality, *seconds])
    return Table(title, ["policy", "settings", "BLEU", "chrF", *(f"{n} s" for n in latencies)], rows)


def best_rows(sweep: SweepResult) -> list[tuple[str, str, str]]:
    """(limit, setting, figures) of the best setting within each of the limits that never takes text back."""
    rows = []
    for limit in LIMITS:
        point = sweep.best(limit)
        name = f"{limit:g} s {NAMES.get(sweep.latency, sweep.latency)}"
        if point is None:
            rows.append((name, "none", "no setting is that fast"))
            continue
        value, seconds = point.scores[sweep.quality], point.scores[sweep.latency] / 1000
        rows.append((name, str(point.setting), f"{sweep.quality} {value:.1f} at {seconds:.2f} s"))
    return rows


def document(sweep: SweepResult, title: str) -> Document:
    """The sweep as a page: best settings, curves, and the table."""
    many = len(curves_of(sweep.points)) > FEW
    line = "the best of append-only policies" if many else "a policy's settings"
    caption = f"A mark per setting (point at it); line: {line}; dashed: Offline, the ceiling."
    if sweep.pseudo:
        caption += " " + PSEUDO_NOTE
    figures = [Figure("Policies", lambda: _legend(sweep), "", wide=True)]
    for latency in available(sweep):
        for quality in ("chrF", "BLEU"):

            def drawing(latency: str = latency, quality: str = quality) -> str:
                return draw(sweep, latency, quality)

            if any(quality in point.scores for point in sweep.points):
                figures.append(Figure(f"{quality} against {NAMES[latency]}", drawing, caption))
    if many:

        def panels() -> str:
            return draw_panels(sweep, sweep.latency, sweep.quality)

        figures.append(Figure("Policy by policy", panels, "Grey: all settings.", wide=True))
    highlights = [(f"best within {name}", setting, note) for name, setting, note in best_rows(sweep)]
    settings = {k: v for k, v in sweep.settings.items() if isinstance(v, (str, int, float))}
    return Document(
        title,
        [table(sweep, "All settings")],
        sweep.to_dict(),
        "",
        highlights=highlights,
        figures=figures,
        settings=settings,
    )


def write_html(sweep: SweepResult, path: str | os.PathLike[str], title: str) -> None:
    """Write the page.

    Raises:
        SimulError: the file cannot be written.
    """
    with create(path) as file:
        file.write(page(document(sweep, title)))


def write_png(
    sweep: SweepResult,
    path: str | os.PathLike[str],
    title: str,
    latencies: Sequence[str] | None = None,
    qualities: Sequence[str] = ("chrF", "BLEU"),
) -> None:
    """Draw quality against latency as PNG, a row of plots for each of `qualities`, and many curves one by one below.

    latencies: names of scores; by default those that the sweep has of LAAL, YAAL and LongYAAL, CU and CA.

    Raises:
        ModelMissingError: matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure as Canvas
    except ImportError as error:
        raise ModelMissingError(
            f"Drawing PNG needs matplotlib, which is not installed; run: {install_hint('plot')}"
        ) from error
    shown = list(latencies or [n for n in available(sweep) if not n.startswith("LongLAAL")])
    rows = [q for q in qualities if any(q in p.scores for p in sweep.points)]
    curves = curves_of(sweep.points)
    panels = -(-len(curves) // PANELS) if len(curves) > FEW else 0
    width, heights = max(4.6 * len(shown), 11.0 if panels else 8.0), [4.0 * len(rows) + 0.8, 1.9 * panels]
    canvas = Canvas(figsize=(width, sum(heights) + (0 if panels else 0.9)), layout="constrained")
    above: Any = canvas
    if panels:
        halves: Any = canvas.subfigures(2, 1, height_ratios=heights)
        above, below = halves
        _draw_panels(below, sweep, curves, shown[-1], rows[0], panels)
    axes = above.subplots(len(rows), len(shown), squeeze=False)
    for row, quality in enumerate(rows):
        for column, latency in enumerate(shown):
            _draw_overview(axes[row][column], sweep, curves, latency, quality)
    if not panels:
        lines, names = axes[0][0].get_legend_handles_labels()
        above.legend(
            lines, names, loc="outside lower center", ncols=int(width // 3), fontsize=8, frameon=False
        )
    heading = [*title.split("\n"), *([PSEUDO_NOTE] if sweep.pseudo else [])]
    canvas.suptitle("\n".join(fill(line, int(11 * width)) for line in heading), fontsize=11)
    canvas.savefig(path, dpi=110, metadata={"Software": None})


def _look(index: int) -> dict[str, str]:
    """Colour and mark of a curve in PNG."""
    return {"color": f"C{index % 10}", "marker": "osd^vP*X"[index // 10 % 8]}


def _draw_overview(
    axis: Any, sweep: SweepResult, curves: Mapping[str, Sequence[Point]], latency: str, quality: str
) -> None:
    """All settings: lines where curves are few, else dots and the best that can be had of append-only policies."""
    few = len(curves) <= FEW
    for index, (name, points) in enumerate(curves.items()):
        placed = _placed(points, latency, quality)
        xs, ys = [x for x, _, _ in placed], [y for _, y, _ in placed]
        axis.plot(
            xs, ys, ms=4, lw=1, ls="-" if few else "", alpha=1 if few else 0.7, label=name, **_look(index)
        )
    if not few:
        front = _front(_placed([p for points in curves.values() for p in points], latency, quality))
        axis.step([x for x, _ in front], [y for _, y in front], where="post", color="k", lw=1)
    ceiling = sweep.ceiling()
    if ceiling is not None and quality in ceiling.scores:
        axis.axhline(ceiling.scores[quality], color="0.5", ls="--", lw=1, label="offline (ceiling)")
    axis.set_xlabel(f"{NAMES[latency]} (s)")
    axis.set_ylabel(quality)
    axis.grid(alpha=0.25)


def _draw_panels(
    figure: Any,
    sweep: SweepResult,
    curves: Mapping[str, Sequence[Point]],
    latency: str,
    quality: str,
    rows: int,
) -> None:
    """A panel for each curve, before all settings in grey."""
    axes = figure.subplots(rows, PANELS, squeeze=False, sharex=True, sharey=True)
    everything = _placed(sweep.points, latency, quality)
    for axis in axes.flat[len(curves) :]:
        axis.set_axis_off()
    for index, (axis, (name, points)) in enumerate(zip(axes.flat, curves.items(), strict=False)):
        axis.plot([x for x, _, _ in everything], [y for _, y, _ in everything], ".", color="0.85", ms=3)
        placed = _placed(points, latency, quality)
        axis.plot([x for x, _, _ in placed], [y for _, y, _ in placed], ms=4, lw=1, **_look(index))
        axis.set_title(fill(name.replace(",", ", "), 34), fontsize=7)
        axis.tick_params(labelsize=7)
        axis.grid(alpha=0.25)
    figure.supxlabel(f"{NAMES[latency]} (s)", fontsize=8)
    figure.supylabel(quality, fontsize=8)
