"""Drawing on a terminal: settled text that stays, below it a tail and a status line that are redrawn."""

from __future__ import annotations

import re
import shutil
import unicodedata
from collections.abc import Callable, Sequence
from typing import TextIO

PLAIN, DIM, BOLD, YELLOW, RED, GREEN = "", "2", "1", "33", "31", "32"
"""Styles, as the numbers of the terminal's escape sequence."""

Part = tuple[str, str]
"""Text and its style."""

_TAIL_LINES = 4
_PIECES = re.compile(r"\s+|\S+")


def terminal_width() -> int:
    """Columns of the terminal."""
    return max(20, shutil.get_terminal_size().columns)


def cell_width(text: str) -> int:
    """Columns that `text` takes: 2 for wide characters, 0 for combining marks and control characters."""
    return sum(_cells(character) for character in text)


def _cells(character: str) -> int:
    if " " <= character <= "~":
        return 1
    if unicodedata.category(character) in ("Mn", "Me", "Cf", "Cc"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def paint(text: str, style: str, colours: bool) -> str:
    """`text` in `style`, or as it is without colours."""
    return f"\x1b[{style}m{text}\x1b[0m" if style and colours and text else text


def fit(text: str, width: int) -> str:
    """`text` cut to `width` columns, with an ellipsis if anything was cut."""
    if cell_width(text) <= width:
        return text
    kept, used = "", 0
    for character in text:
        used += _cells(character)
        if used > width - 1:
            break
        kept += character
    return kept + "…"


def wrap(text: str, column: int, width: int) -> tuple[list[str], int]:
    """`text` as lines that continue a line at `column`, and the column after it; never reaches `width`.

    The first line continues the current one. Blanks at a break disappear.
    """
    lines = [""]
    for piece in _PIECES.findall(text):
        if piece.isspace():
            if column and column < width - 1:
                lines[-1] += " "
                column += 1
            continue
        cells = cell_width(piece)
        if column + cells >= width and column and (cells < width and not _has_wide(piece)):
            lines[-1] = lines[-1].rstrip(" ") if len(lines) > 1 else lines[-1]
            lines.append("")
            column = 0
        for character in piece:
            step = _cells(character)
            if column + step >= width:
                lines.append("")
                column = 0
            lines[-1] += character
            column += step
    return lines, column


def _has_wide(text: str) -> bool:
    return any(_cells(character) == 2 for character in text)


class Screen:
    """The end of a terminal: settled text is written once, what is drawn after it is replaced by the next draw.

    The cursor rests at the end of the settled text, so that clearing from there removes the drawing.
    """

    def __init__(self, stream: TextIO, colours: bool, width: Callable[[], int] = terminal_width) -> None:
        self._stream, self._colours, self._width = stream, colours, width
        self._column = 0
        self._drawn = False

    def write(self, text: str, style: str = PLAIN) -> None:
        """Settled text: it stays."""
        self.clear()
        lines, self._column = wrap(text, self._column, self._width())
        self._stream.write("\n".join(paint(line, style, self._colours) for line in lines))
        self._stream.flush()

    def end_line(self) -> None:
        """Go to a new line, unless this one is empty."""
        self.clear()
        if self._column:
            self._stream.write("\n")
            self._column = 0
        self._stream.flush()

    def draw(self, parts: Sequence[Part], status: Sequence[Part] = ()) -> None:
        """Show `parts` after the settled text and `status` on the line below."""
        width = self._width()
        rows, column = [""], self._column
        for text, style in parts:
            lines, column = wrap(text, column, width)
            painted = [paint(line, style, self._colours) for line in lines]
            rows[-1] += painted[0]
            rows += painted[1:]
        rows = rows[:_TAIL_LINES]
        if status:
            line = "".join(paint(text, style, self._colours) for text, style in fit_parts(status, width - 1))
            rows = [*rows, line] if self._column or any(rows) else [line]
        back = f"\x1b[{len(rows) - 1}A" if len(rows) > 1 else ""
        right = f"\x1b[{self._column}C" if self._column else ""
        self._stream.write("\x1b[J" + "\n".join(rows) + back + "\r" + right)
        self._stream.flush()
        self._drawn = True

    def clear(self) -> None:
        """Take away what was drawn."""
        if self._drawn:
            self._stream.write("\x1b[J")
            self._stream.flush()
            self._drawn = False


def fit_parts(parts: Sequence[Part], width: int) -> list[Part]:
    """`parts` cut to `width` columns in all."""
    fitted: list[Part] = []
    for text, style in parts:
        kept = fit(text, width) if width > 0 else ""
        fitted.append((kept, style))
        width -= cell_width(text)
    return fitted


def bar(share: float, width: int) -> list[Part]:
    """A bar of `width` columns, filled to `share` (0 to 1)."""
    filled = round(min(max(share, 0.0), 1.0) * width)
    return [("━" * filled, GREEN), ("─" * (width - filled), DIM)]


def clock_text(seconds: float) -> str:
    """`m:ss`, or `h:mm:ss` from an hour on."""
    whole = max(0, int(seconds))
    hours, minutes = whole // 3600, whole // 60 % 60
    return f"{hours}:{minutes:02d}:{whole % 60:02d}" if hours else f"{minutes}:{whole % 60:02d}"


def meter(rms_dbfs: float, peak_dbfs: float, width: int) -> list[Part]:
    """A level meter from -60 dBFS to full scale: filled up to the rms, with a mark at the peak."""
    rms, peak = (round((min(max(level, -60.0), 0.0) + 60) / 60 * width) for level in (rms_dbfs, peak_dbfs))
    cells = []
    for column in range(width):
        level = (column + 1) / width * 60 - 60
        style = RED if level > -3 else YELLOW if level > -12 else GREEN
        if column < rms:
            cells.append(("█", style))
        else:
            cells.append(("│", style) if column == peak - 1 else ("·", DIM))
    return cells
