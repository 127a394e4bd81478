"""A result as it is shown: tables, figures, notices and the same data as JSON and TSV."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from latency_metrics.base import Notice


@dataclass(frozen=True)
class Table:
    """Rows of texts under a header.

    Attributes:
        title: heading; empty for none.
        header: names of the columns.
        rows: as many cells as the header has.
        note: one sentence below.
        folded: whether a page shows only the heading until it is opened.
    """

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str = ""
    folded: bool = False


@dataclass(frozen=True)
class Figure:
    """A drawing, made when it is needed.

    Attributes:
        title: heading.
        draw: gives the SVG.
        caption: what it shows, symbols and units named.
    """

    title: str
    draw: Callable[[], str]
    caption: str


@dataclass(frozen=True)
class Document:
    """A result in every form.

    Attributes:
        title: what was done to what.
        highlights: (label, figure, note) of the few numbers that count most.
        tables: shown everywhere.
        figures: shown on pages.
        details: tables shown on pages only.
        notices: everything odd, named.
        settings: options in force.
        data: the result for programs.
        tsv: the result as tab-separated lines.
    """

    title: str
    tables: Sequence[Table]
    data: Mapping[str, Any]
    tsv: str
    highlights: Sequence[tuple[str, str, str]] = ()
    figures: Sequence[Figure] = ()
    details: Sequence[Table] = ()
    notices: Sequence[Notice] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)

    def json(self) -> str:
        """One JSON object: title, settings, notices and the data; numbers that are none become null."""
        whole = {
            "title": self.title,
            "settings": dict(self.settings),
            "notices": [{"where": notice.where, "reason": notice.reason} for notice in self.notices],
            **self.data,
        }
        return json.dumps(finite(whole), ensure_ascii=False, indent=1, allow_nan=False) + "\n"


def finite(value: Any) -> Any:
    """`value` with NaN and infinities as None, at any depth."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    return value


def tsv(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Tab-separated lines; tabs and line ends inside cells become spaces, None an empty cell."""
    lines = ["\t".join(header), *("\t".join(map(_cell, row)) for row in rows)]
    return "\n".join(lines) + "\n"


def _cell(value: Any) -> str:
    return "" if value is None else str(value).translate({9: " ", 10: " ", 13: " "})


def grouped(notices: Iterable[Notice]) -> list[tuple[str, list[str]]]:
    """Reasons in order of first appearance, each with all the places it was found."""
    found: dict[str, list[str]] = {}
    for notice in notices:
        found.setdefault(notice.reason, []).append(notice.where)
    return list(found.items())


def listed(places: Sequence[str], shown: int = 5) -> str:
    """Places in a sentence, at most `shown` of them by name."""
    more = len(places) - shown
    return ", ".join(places[:shown]) + (f" and {more} more" if more > 0 else "")
