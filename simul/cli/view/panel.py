"""The live caption panel: what is heard, what has settled and what may still change, redrawn on a terminal."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TextIO

from simul.cli.view.render import DIM, GREEN, PLAIN, RED, YELLOW, Part, clock_text
from simul.session.drive import Step
from simul.session.events import Retract, SegmentEnd, Settled, Tail
from simul.units import SAMPLE_RATE

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.text import Text

_STYLES = {PLAIN: "", DIM: "dim", RED: "red", YELLOW: "yellow", GREEN: "green"}
_SOURCE_LINES, _TARGET_LINES = 2, 3
_GAUGE_SECONDS, _GAUGE_CELLS = 5.0, 10


class CaptionPanel:
    """A panel at the foot of the terminal; complete segments scroll away above it and stay.

    In the panel: the recogniser's words dim (if `with_source`), settled text bold, the tail dim and italic,
    and a gauge that shows how long ago the newest settled word was spoken.
    """

    def __init__(
        self,
        stream: TextIO,
        title: str,
        status: Callable[[Step], Sequence[Part]],
        colours: bool,
        with_source: bool = True,
    ) -> None:
        from rich.console import Console
        from rich.live import Live

        self._console = Console(file=stream, force_terminal=True, no_color=not colours, highlight=False)
        self._title, self._status, self._with_source = title, status, with_source
        self._source = self._settled = self._tail = ""
        self._lag: float | None = None
        self._line: Sequence[Part] = ()
        self._live = Live(console=self._console, auto_refresh=False, transient=True)
        self._live.start()

    def step(self, step: Step) -> None:
        """Take in the events and redraw."""
        for event in step.events:
            if isinstance(event, Settled):
                self._settle(event)
            elif isinstance(event, Retract):
                self._settled = self._settled[: len(self._settled) - event.characters]
            elif isinstance(event, Tail):
                self._tail = event.text
                self._source = event.source or ""
            elif isinstance(event, SegmentEnd):
                self._scroll(event)
        if step.samples is not None:
            self._line = self._status(step)
            self._live.update(self._draw(), refresh=True)

    def close(self) -> None:
        """Take the panel away; what is settled stays above."""
        if self._settled.strip():
            self._console.print(self._written(0.0, self._settled, ""))
        self._live.update("", refresh=True)
        self._live.stop()

    def _settle(self, event: Settled) -> None:
        self._settled += event.text
        if event.spans:
            self._lag = event.time - max(end for _, end in event.spans) / SAMPLE_RATE

    def _scroll(self, event: SegmentEnd) -> None:
        self._console.print(self._written(event.start / SAMPLE_RATE, event.text, event.source or ""))
        self._settled = self._tail = self._source = ""

    def _written(self, seconds: float, text: str, source: str) -> RenderableType:
        from rich.table import Table
        from rich.text import Text

        lines = [Text(text.strip(), "bold")] if text.strip() else []
        if source.strip() and self._with_source:
            lines.insert(0, Text(source.strip(), "dim"))
        grid = Table.grid(padding=(0, 2))
        grid.add_column(style="cyan", justify="right", width=7)
        grid.add_column()
        grid.add_row(clock_text(seconds), Text("\n").join(lines))
        return grid

    def _draw(self) -> RenderableType:
        from rich import box
        from rich.console import Group
        from rich.panel import Panel
        from rich.text import Text

        width = max(20, self._console.width - 4)
        target = Text.assemble((self._settled.lstrip(), "bold"), (self._tail, "dim italic"))
        heard = self._last_lines(Text(self._source.strip(), "dim"), width, _SOURCE_LINES)
        rows = [
            *([*heard, Text("")] if self._with_source else []),
            *self._last_lines(target, width, _TARGET_LINES),
            Text(""),
        ]
        foot = Text.assemble(*((text, _STYLES.get(style, style)) for text, style in self._line))
        foot.append_text(self._gauge())
        foot.truncate(width, overflow="ellipsis")
        return Panel(
            Group(*rows, foot),
            title=self._title,
            title_align="left",
            box=box.ROUNDED,
            border_style="blue",
        )

    def _last_lines(self, text: Text, width: int, count: int) -> list[Text]:
        """The last `count` lines of `text`, filled up so that the panel keeps its height."""
        from rich.text import Text

        lines = list(text.wrap(self._console, width)) if text.plain else []
        lines = lines[-count:]
        return [*lines, *(Text("") for _ in range(count - len(lines)))]

    def _gauge(self) -> Text:
        from rich.text import Text

        if self._lag is None:
            return Text("")
        filled = min(_GAUGE_CELLS, max(0, round(self._lag / _GAUGE_SECONDS * _GAUGE_CELLS)))
        style = "green" if self._lag < 3 else "yellow" if self._lag < _GAUGE_SECONDS else "red"
        return Text.assemble(
            ("   lag ", "dim"),
            ("▰" * filled, style),
            ("▱" * (_GAUGE_CELLS - filled), "dim"),
            (f" {self._lag:.1f} s", style),
        )
