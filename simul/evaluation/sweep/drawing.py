"""Drawings by matplotlib in the style of the pages: marks with notes beside them where there is room, SVG and PNG."""

from __future__ import annotations

import contextlib
import io
import os
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from html import escape
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simul.errors import ModelMissingError
from simul.install import install_hint

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, SOFT, FAINT, GRID, SHEET = "#16181d", "#5b616e", "#8b909b", "#eceef1", "#ffffff"
SERIES = ("#2a78d6", "#d9622b", "#1a9a6c", "#8a5cd6", "#c9940a", "#d1437f", "#3a8f1d", "#64748b")
_VARIABLES = dict(
    zip((INK, SOFT, FAINT, GRID, SHEET), ("ink", "soft", "faint", "grid", "sheet"), strict=True)
) | {colour: f"c{number}" for number, colour in enumerate(SERIES)}
"""Names of these colours in the style of a page, which follows the reader's light or dark."""
_STYLE: Any = {
    "font.size": 8, "legend.fontsize": 8, "lines.linewidth": 1.2, "lines.markersize": 4.5, "axes.grid": True,
    "axes.axisbelow": True, "axes.spines.top": False, "axes.spines.right": False, "axes.edgecolor": FAINT,
    "axes.labelcolor": SOFT, "axes.titlecolor": INK, "grid.color": GRID, "text.color": INK, "xtick.color": SOFT,
    "ytick.color": SOFT, "legend.frameon": False, "svg.fonttype": "none", "svg.hashsalt": "simul",
}  # fmt: skip
_PLACES = (
    (-1, 1), (1, -1), (1, 1), (-1, -1), (1, 0), (-1, 0), (0, 1), (0, -1), (-1, 3), (1, -3), (1, 3), (-1, -3)
)  # fmt: skip
"""Where a note may stand from its mark; above and to the left of the best settings there is nothing."""

FEW_NOTES = 8
"""Up to so many notes in a plot may cover marks."""


@dataclass
class Picture:
    """A drawing of any number of plots.

    Notes are written last, in order: each to the first place beside its mark where it covers no mark and no other note,
    in plots of few notes else where it covers no other note, and not at all where there is none.
    """

    figure: Figure
    _marks: list[tuple[Axes, float, float]] = field(default_factory=list)
    _notes: list[tuple[Axes, float, float, str, str]] = field(default_factory=list)
    _tips: list[str] = field(default_factory=list)

    def mark(
        self, axes: Axes, x: float, y: float, colour: str, tip: str, note: str = "", **look: Any
    ) -> None:
        """A mark; `tip` shows when it is pointed at on a page."""
        axes.plot([x], [y], "o", color=colour, gid=f"tip{len(self._tips)}", **look)
        self._tips.append(tip)
        self._marks.append((axes, x, y))
        if note:
            self._notes.append((axes, x, y, note, colour))

    def svg(self, name: str) -> str:
        """The drawing for a page; `name` is read to those who hear it."""
        self._write_notes()
        out = io.StringIO()
        self.figure.savefig(out, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
        # For use inside HTML: no header, no style and no names of its own, one decimal, the page's font and colours.
        drawn = re.sub(r"<(metadata|style).*?</\1>", "", out.getvalue(), flags=re.DOTALL)
        size = re.search(r'viewBox="[^"]*"', drawn)
        drawn = drawn[drawn.index(">", drawn.index("<svg")) + 1 :]
        drawn = re.sub(
            r'<g id="tip(\d+)">', lambda m: f"<g><title>{escape(self._tips[int(m[1])])}</title>", drawn
        )
        drawn = re.sub(r' id="\w+(\.\w+)?_\d+"', "", drawn)
        drawn = re.sub(r"font-family: [^;\"]*", "font-family: inherit", drawn)
        drawn = re.sub(r"font: ([\d.]+px) [^;\"]*", r"font-size: \1; font-family: inherit", drawn)
        drawn = re.sub(r"<[^>]*>", lambda tag: re.sub(r"(\d\.\d)\d+", r"\1", tag[0]), drawn)
        drawn = re.sub(r"\s+", " ", drawn).replace("> <", "><")
        for colour, variable in _VARIABLES.items():
            drawn = drawn.replace(colour, f"var(--{variable})")
        return f'<svg {size[0] if size else ""} role="img" aria-label="{escape(name)}">{drawn.strip()}'

    def png(self, path: str | os.PathLike[str]) -> None:
        """Write the drawing as PNG."""
        self._write_notes()
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        self.figure.savefig(path, format="png", dpi=120, metadata={"Software": None})

    def _write_notes(self) -> None:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.transforms import Bbox

        renderer = FigureCanvasAgg(self.figure).get_renderer()
        self.figure.draw_without_rendering()
        marks, written = (defaultdict[Any, list[Bbox]](list) for _ in range(2))
        for axes, x, y in self._marks:
            across, up = axes.transData.transform((x, y))
            marks[axes].append(Bbox.from_extents(across - 4, up - 4, across + 4, up + 4))
        count = Counter(axes for axes, *_ in self._notes)
        for axes, x, y, text, colour in self._notes:
            obstacles = [marks[axes] + written[axes], written[axes]][: 1 + (count[axes] <= FEW_NOTES)]
            for covered, (dx, dy) in product(obstacles, _PLACES):
                note = axes.annotate(
                    text, (x, y), (5 * dx, 5 * dy), textcoords="offset points", fontsize=7, color=colour,
                    ha=("center", "left", "right")[dx], va="bottom" if dy > 0 else "top" if dy else "center",
                )  # fmt: skip
                note.set_in_layout(False)
                box = note.get_window_extent(renderer)
                if all(
                    axes.bbox.fully_contains(*corner) for corner in (box.min, box.max)
                ) and not box.count_overlaps(covered):
                    written[axes].append(box)
                    break
                note.remove()
        self._notes.clear()


@contextlib.contextmanager
def picture(width: float, height: float) -> Iterator[Picture]:
    """A drawing of so many inches, in the style that holds while it is made.

    Raises:
        ModelMissingError: matplotlib is not installed.
    """
    try:
        from matplotlib import rc_context
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ModelMissingError(
            f"Pictures need matplotlib, which is not installed; run: {install_hint('plot')}"
        ) from error
    with rc_context(_STYLE):
        yield Picture(Figure((width, height), layout="constrained"))
