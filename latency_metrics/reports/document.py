"""A result as it is shown: tables, figures, notices and the same data as JSON and TSV."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from latency_metrics.base import Notice

_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")


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
        wide: whether it takes the whole width of a page.
    """

    title: str
    draw: Callable[[], str]
    caption: str
    wide: bool = False


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
            "notices": [asdict(notice) for notice in self.notices],
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


def grouped(notices: Iterable[Notice], alike: int = 3) -> list[tuple[str, list[str]]]:
    """Reasons, with the scores they concern, in order of first appearance, each with all the places it was found.

    More than `alike` reasons that differ only in their numbers become one, the numbers beside the places.
    """
    families: dict[tuple[str, tuple[str, ...]], list[Notice]] = {}
    for notice in notices:
        families.setdefault((_NUMBER.sub("…", notice.reason), notice.metrics), []).append(notice)
    found: list[tuple[str, list[str]]] = []
    for (family, metrics), members in families.items():
        named = f" [{listed(metrics, 3)}]" if metrics else ""
        reasons: dict[str, list[str]] = {}
        for notice in members:
            reasons.setdefault(notice.reason, []).append(notice.where)
        if len(reasons) > alike:
            places = [f"{n.where} ({', '.join(_NUMBER.findall(n.reason))})" for n in members]
            found.append((family + named, places))
        else:
            found += [(reason + named, where) for reason, where in reasons.items()]
    return found


def plain(value: Any) -> str:
    """A setting in words."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "none" if value is None else str(value)


def listed(places: Sequence[str], shown: int = 5) -> str:
    """Places in a sentence, at most `shown` of them by name."""
    more = len(places) - shown
    return ", ".join(places[:shown]) + (f" and {more} more" if more > 0 else "")
