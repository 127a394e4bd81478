"""What a stream looks like on a terminal: settled text that stays, below it a tail, a panel or a status line."""

from __future__ import annotations

from collections.abc import Callable

from rich import box
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from simul.cli.view.screen import Screen
from simul.cli.view.status import Piece, Status, clock_text
from simul.session.drive import Step
from simul.session.events import Settled
from simul.session.transcript import Transcript
from simul.units import SAMPLE_RATE

StatusOf = Callable[[Step], Status]

_OPEN_LINES = 4
_SOURCE_LINES, _TARGET_LINES = 2, 3
_GAUGE_SECONDS, _GAUGE_CELLS = 5.0, 10


def last_lines(screen: Screen, text: Text, width: int, count: int) -> list[Text]:
    """The last `count` lines of `text`, wrapped at `width` columns."""
    return list(text.wrap(screen.console, width))[-count:] if text else []


class TerminalOutput:
    """Settled text as it settles, the tail dim behind it, a status line below.

    Of append-only text each full line scrolls away at once; where a policy takes text back, the segment waits.
    """

    keeps = True

    def __init__(self, screen: Screen, status: StatusOf, revises: bool = False) -> None:
        self._screen, self._status, self._revises = screen, status, revises
        self._open, self._transcript = "", Transcript()

    def step(self, step: Step) -> None:
        """Write what settled and redraw the rest."""
        for event in step.events:
            change = self._transcript.push(event)
            self._open = change.apply(self._open)
            if change.closed:
                self._end_line()
        if not self._revises:
            self._scroll()
        if step.samples is not None:
            width, settled = self._screen.width, self._open.lstrip()
            tail = self._transcript.tail
            text = Text.assemble(settled, (tail if settled else tail.lstrip(), "dim"))
            lines = last_lines(self._screen, text, width, _OPEN_LINES)
            self._screen.draw(Group(*lines, *self._status(step).lines(width)))

    def close(self) -> None:
        """Take away tail and status; what is settled stays."""
        self._end_line()
        self._screen.close()

    def _scroll(self) -> None:
        """Print the lines that are full. The last one may grow: its last word may not be complete."""
        lines = Text(self._open.strip()).wrap(self._screen.console, self._screen.width)
        for line in lines[:-1]:
            self._screen.print(line)
        if len(lines) > 1:
            end = len(self._open.rstrip())
            self._open = self._open[end - len(lines[-1].plain) :]

    def _end_line(self) -> None:
        if self._open.strip():
            self._screen.print(Text(self._open.strip()))
        self._open = ""


class StatusOutput:
    """The status line alone, where the text goes elsewhere."""

    keeps = False

    def __init__(self, screen: Screen, status: StatusOf) -> None:
        self._screen, self._status = screen, status

    def step(self, step: Step) -> None:
        """Redraw the line."""
        if step.samples is not None:
            self._screen.draw(Group(*self._status(step).lines(self._screen.width)))

    def close(self) -> None:
        """Take the line away."""
        self._screen.close()


class CaptionPanel:
    """A panel at the foot of the terminal; complete segments scroll away above it and stay.

    In the panel: the recogniser's words dim (if `with_source`), settled text bold, the tail dim and italic,
    and a gauge that shows how long ago the newest settled word was spoken.
    """

    keeps = True

    def __init__(self, screen: Screen, title: str, status: StatusOf, with_source: bool = True) -> None:
        self._screen, self._title, self._status, self._with_source = screen, title, status, with_source
        self._transcript = Transcript()
        self._lag: float | None = None

    def step(self, step: Step) -> None:
        """Take in the events and redraw."""
        for event in step.events:
            closed = self._transcript.push(event).closed
            if isinstance(event, Settled) and event.spans:
                self._lag = event.time - max(end for _, end in event.spans) / SAMPLE_RATE
            if closed is not None:
                start = closed.start / SAMPLE_RATE
                self._screen.print(self._written(start, closed.text, closed.source or ""))
        if step.samples is not None:
            self._screen.draw(self._panel(self._status(step)))

    def close(self) -> None:
        """Take the panel away; what is settled stays above."""
        if self._transcript.line.strip():
            self._screen.print(self._written(0.0, self._transcript.line, ""))
        self._screen.close()

    def _written(self, seconds: float, text: str, source: str) -> RenderableType:
        lines = [Text(text.strip(), "bold")] if text.strip() else []
        if source.strip() and self._with_source:
            lines.insert(0, Text(source.strip(), "dim"))
        grid = Table.grid(padding=(0, 2))
        grid.add_column(style="cyan", justify="right", width=7)
        grid.add_column(overflow="fold")
        grid.add_row(clock_text(seconds), Text("\n").join(lines))
        return grid

    def _panel(self, status: Status) -> RenderableType:
        width = max(20, self._screen.width - 4)
        said = self._transcript
        settled = said.line.lstrip()
        tail = said.tail if settled else said.tail.lstrip()
        rows = self._rows(Text.assemble((settled, "bold"), (tail, "dim italic")), width, _TARGET_LINES)
        if self._with_source:
            rows = [
                *self._rows(Text((said.source or "").strip(), "dim"), width, _SOURCE_LINES),
                Text(""),
                *rows,
            ]
        foot = Status((*status.pieces, *self._gauge()), status.warning).lines(width)
        return Panel(
            Group(*rows, Text(""), *foot),
            title=Text(self._title),
            title_align="left",
            box=box.ROUNDED,
            border_style="blue",
        )

    def _rows(self, text: Text, width: int, count: int) -> list[Text]:
        """The last `count` lines of `text`, filled up so that the panel keeps its height."""
        lines = last_lines(self._screen, text, width, count)
        return [*lines, *(Text("") for _ in range(count - len(lines)))]

    def _gauge(self) -> list[Piece]:
        if self._lag is None:
            return []
        filled = min(_GAUGE_CELLS, max(0, round(self._lag / _GAUGE_SECONDS * _GAUGE_CELLS)))
        style = "green" if self._lag < 3 else "yellow" if self._lag < _GAUGE_SECONDS else "red"
        bar = Text.assemble((" " + "▰" * filled, style), ("▱" * (_GAUGE_CELLS - filled), "dim"))
        return [Piece(Text("  lag", "dim")), Piece(bar, 3), Piece(Text(f" {self._lag:.1f} s", style))]
