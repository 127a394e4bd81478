"""Live captions of several languages on a terminal: one panel, in which each language has lines of its own."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from simul.cli.view.live import StatusOf, last_lines
from simul.cli.view.screen import Screen
from simul.cli.view.status import clock_text
from simul.session.drive import Step
from simul.session.transcript import Transcript
from simul.units import SAMPLE_RATE

_LINES = 2
"""Lines of each language in the panel, and of what was understood above them."""


class LanguagePanel:
    """The newest words of each of `languages`, its code before them; complete segments scroll away above and stay.

    The recogniser's words are dim, settled text is bold, tails are dim and italic.
    """

    keeps = True

    def __init__(self, screen: Screen, title: str, status: StatusOf, languages: Sequence[str]) -> None:
        self._screen, self._title, self._status = screen, title, status
        self._said = {code: Transcript() for code in languages}

    def step(self, step: Step) -> None:
        """Take in the events and redraw."""
        for event in step.events:
            if event.stream in self._said:
                closed = self._said[event.stream].push(event).closed
                if closed is not None and closed.text.strip():
                    self._screen.print(_row(event.stream, closed.text, closed.start / SAMPLE_RATE))
        if step.samples is not None:
            self._screen.draw(self._panel(step))

    def close(self) -> None:
        """Take the panel away; what is settled stays above."""
        for code, said in self._said.items():
            if said.line.strip():
                self._screen.print(_row(code, said.line))
        self._screen.close()

    def _panel(self, step: Step) -> RenderableType:
        width = max(20, self._screen.width - 4)
        first = next(iter(self._said.values()))
        source = self._lines(Text((first.source or "").strip(), "dim"), width)
        grid = Table.grid(padding=(0, 2))
        grid.add_column(style="cyan", justify="right")
        grid.add_column(overflow="fold")
        for code, said in self._said.items():
            settled = said.line.lstrip()
            tail = said.tail if settled else said.tail.lstrip()
            text = Text.assemble((settled, "bold"), (tail, "dim italic"))
            grid.add_row(code, Text("\n").join(self._lines(text, width - len(code) - 2)))
        foot = self._status(step).lines(width)
        return Panel(
            Group(*source, Text(""), grid, Text(""), *foot),
            title=Text(self._title),
            title_align="left",
            box=box.ROUNDED,
            border_style="blue",
        )

    def _lines(self, text: Text, width: int) -> list[Text]:
        """The last lines of `text`, filled up so that the panel keeps its height."""
        lines = last_lines(self._screen, text, width, _LINES)
        return [*lines, *(Text("") for _ in range(_LINES - len(lines)))]


def _row(code: str, text: str, seconds: float | None = None) -> RenderableType:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="cyan", justify="right", width=7)
    grid.add_column(style="cyan")
    grid.add_column(overflow="fold")
    grid.add_row("" if seconds is None else clock_text(seconds), code, Text(text.strip(), "bold"))
    return grid
