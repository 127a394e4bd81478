"""A document as one page of HTML that needs nothing else: style and drawings are inside, no script.

`html.escape` of the standard library guards every text of the input (a test feeds it markup). Jinja2 would be one more
dependency and 43 ms of import (`python -m benchmarks.own_code imports`) for these 90 lines of fixed elements.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from importlib.resources import files
from typing import Any

from latency_metrics.base import Notice
from latency_metrics.reports.document import Document, Figure, Table, grouped, listed, plain

OPEN_NOTICES = 900
"""Characters of notices that a page shows unfolded."""


def page(document: Document) -> str:
    """The page of a document."""
    style = (files("latency_metrics.reports") / "data" / "report.css").read_text(encoding="utf-8")
    title = escape(document.title)
    parts = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{title}</title>",
        f"<style>{style}</style></head><body><main>",
        f"<h1>{title}</h1>",
        f'<p class="sub">{escape(_settings_line(document.settings))}</p>',
        _cards(document.highlights),
        _notices(document.notices),
        _figures(document.figures),
        *(_table(table) for table in document.tables),
        *(_table(table) for table in document.details),
        f"<footer>{escape(_footer())}</footer>",
        "</main></body></html>",
    ]
    return "\n".join(part for part in parts if part) + "\n"


def _footer() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return f"Made by simul {version('simul')}. Light and dark follow the reader's system."
    except PackageNotFoundError:
        return "Made by simul."


def _settings_line(settings: Any) -> str:
    names = {
        "lang": "language",
        "latency_unit": "unit",
        "bleu_tokenizer": "BLEU tokenizer",
        "recording_end": "recording end",
        "offset_delays": "offset delays",
        "fix_simuleval_emission_ca": "CA times repaired",
    }
    return " · ".join(
        f"{names.get(name, name.replace('_', ' '))}: {plain(value)}" for name, value in settings.items()
    )


def _cards(highlights: Sequence[tuple[str, str, str]]) -> str:
    if not highlights:
        return ""
    cards = [
        f'<div class="card"><div class="name">{escape(name)}</div><div class="figure">{escape(figure)}</div>'
        f'<div class="interval">{escape(note)}</div></div>'
        for name, figure, note in highlights
    ]
    return f'<div class="cards">{"".join(cards)}</div>'


def _figures(figures: Sequence[Figure]) -> str:
    if not figures:
        return ""
    parts = []
    for figure in figures:
        drawing = figure.draw()
        wide = ' class="wide"' if figure.wide else ""
        parts.append(
            f"<figure{wide}><h2>{escape(figure.title)}</h2>{drawing}"
            f'<figcaption class="caption">{escape(figure.caption)}</figcaption></figure>'
        )
    return f'<div class="figures">{"".join(parts)}</div>'


def _table(table: Table) -> str:
    if not table.rows:
        return ""
    kinds = [_column(table, i) for i in range(len(table.header))]
    head = _row("th", table.header, kinds)
    body = "".join(_row("td", row, kinds) for row in table.rows)
    note = f'<p class="caption">{escape(table.note)}</p>' if table.note else ""
    inner = f'<div class="scroll"><table><thead>{head}</thead><tbody>{body}</tbody></table></div>{note}'
    if table.folded:
        return f"<details><summary>{escape(table.title)}</summary>{inner}</details>"
    return f"<h2>{escape(table.title)}</h2>{inner}" if table.title else inner


def _row(tag: str, cells: Sequence[str], kinds: Sequence[str]) -> str:
    shown = []
    for cell, kind in zip(cells, kinds, strict=True):
        style = f' class="{kind}"' if kind else ""
        shown.append(f"<{tag}{style}>{escape(cell)}</{tag}>")
    return f"<tr>{''.join(shown)}</tr>"


def _column(table: Table, column: int) -> str:
    """Class of a column: figures, long texts, signatures, or nothing."""
    if table.header[column] == "signature":
        return "code"
    cells = [row[column] for row in table.rows]
    if any(len(cell) > 60 for cell in cells):
        return "long"
    figures = [cell for cell in cells if cell]
    if figures and all(
        cell[0].isdigit() or cell[0] in "-−–+[<" or cell in ("NaN", "n/a", "N/A") for cell in figures
    ):
        return "n"
    return ""


def _notices(notices: Sequence[Notice]) -> str:
    groups = grouped(notices)
    if not groups:
        return ""
    items = "".join(
        f'<li>{escape(reason)} <span class="where">({escape(listed(places, 12))})</span></li>'
        for reason, places in groups
    )
    word = "notice" if len(groups) == 1 else "notices"
    opened = " open" if len(items) <= OPEN_NOTICES else ""
    return (
        f'<details class="notices"{opened}><summary>{len(groups)} {word} about the input</summary>'
        f"<ul>{items}</ul></details>"
    )
