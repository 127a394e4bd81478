"""The page of a sweep: best settings, pictures and the table, in one file of HTML that needs nothing else."""

from __future__ import annotations

import os
from functools import partial

from latency_metrics.base import Notice
from latency_metrics.legend import paragraph
from latency_metrics.reports.document import Document, Figure, Table
from latency_metrics.reports.html import page
from simul.errors import ModelMissingError
from simul.evaluation.sweep.curves import (
    FEW,
    NAMES,
    PSEUDO_NOTE,
    curves_of,
    latencies_of,
    overview_svg,
    panels_svg,
)
from simul.evaluation.sweep.drawing import picture
from simul.evaluation.sweep.result import LIMITS, SweepResult
from simul.files import create

OFFLINE_NOTE = (
    "Offline waits for the end of each segment: what waiting buys, though others can score better by chance."
)
QUALITIES = ("BLEU", "chrF")


def table(sweep: SweepResult, title: str = "") -> Table:
    """Every setting with its scores; latencies in seconds."""
    latencies = [name for name in NAMES if any(name in point.scores for point in sweep.points)]
    rows = []
    for point in sweep.points:
        scores = point.scores
        quality = [f"{scores[name]:.1f}" if name in scores else "" for name in QUALITIES]
        seconds = [f"{scores[name] / 1000:.2f}" if name in scores else "" for name in latencies]
        rows.append([point.setting.policy, point.setting.label, *quality, *seconds])
    least = {n: min((p.scores[n] for p in sweep.points if n in p.scores), default=0.0) for n in latencies}
    note = paragraph([*((name, None) for name in QUALITIES), *least.items()])
    header = ["policy", "settings", *QUALITIES, *(f"{name} s" for name in latencies)]
    return Table(title, header, rows, f"{note} {OFFLINE_NOTE}")


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
    """The sweep as a page; without matplotlib a notice stands for the pictures."""
    notices = [Notice("references", PSEUDO_NOTE)] if sweep.pseudo else []
    figures: list[Figure] = []
    try:
        with picture(1, 1):
            figures = _figures(sweep)
    except ModelMissingError as error:
        notices.append(Notice("pictures", str(error)))
    settings = {k: v for k, v in sweep.settings.items() if isinstance(v, (str, int, float))}
    return Document(
        title,
        [table(sweep, "All settings")],
        sweep.to_dict(),
        "",
        highlights=[(f"best within {name}", setting, note) for name, setting, note in best_rows(sweep)],
        figures=figures,
        notices=notices,
        settings=settings,
    )


def _figures(sweep: SweepResult) -> list[Figure]:
    """The sweep's own plane, policy by policy where there are many, and the other latencies and qualities."""
    caption = (
        "A mark per setting (point at it). Thick line: the best that settings have which take nothing back; ring: the "
        "default; hollow: takes text back; dashed: Offline."
    )
    many = len(curves_of(sweep.points)) > FEW
    planes = [(latency, sweep.quality) for latency in latencies_of(sweep)]
    planes += [
        (sweep.latency, q)
        for q in QUALITIES
        if q != sweep.quality and any(q in p.scores for p in sweep.points)
    ]
    figures = []
    for number, (latency, quality) in enumerate(planes):
        drawing = partial(overview_svg, sweep, latency, quality)
        name = f"{quality} against {NAMES[latency]}"
        figures.append(Figure(name, drawing, caption if number == 0 else "", wide=number == 0))
        if number == 0 and many:
            drawing = partial(panels_svg, sweep, latency, quality)
            note = "Thick line: the best of all that take nothing back."
            figures.append(Figure(f"{name}, policy by policy", drawing, note, wide=True))
    return figures


def write_html(sweep: SweepResult, path: str | os.PathLike[str], title: str) -> None:
    """Write the page.

    Raises:
        SimulError: the file cannot be written.
    """
    with create(path) as file:
        file.write(page(document(sweep, title)))
