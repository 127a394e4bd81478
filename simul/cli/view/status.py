"""Status lines of a stream: how far it is, how loud it is, how far computing is behind; what matters is never cut."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from simul.audio.level import LevelMeter
from simul.clock import Clock, WallClock
from simul.session.drive import Step
from simul.units import SAMPLE_RATE

if TYPE_CHECKING:
    from rich.text import Text

_BAR_WIDTH = 16
_METER_WIDTH = 24
_LATE_SECONDS = 1.0


@dataclass(frozen=True)
class Piece:
    """A part of a status line. Parts with a `spare` are shown where there is room, those with the smallest first."""

    text: Text
    spare: int = 0


@dataclass(frozen=True)
class Status:
    """A status line, and a warning that gets a line of its own."""

    pieces: tuple[Piece, ...] = ()
    warning: Text | None = None

    def lines(self, width: int) -> list[Text]:
        """The lines to draw in `width` columns, the warning first."""
        from rich.text import Text

        room, kept = width, []
        for place in sorted(range(len(self.pieces)), key=lambda place: self.pieces[place].spare):
            piece = self.pieces[place]
            if not piece.spare or piece.text.cell_len <= room:
                kept.append(place)
                room -= piece.text.cell_len
        line = Text.assemble(*(self.pieces[place].text for place in sorted(kept)))
        line = line[len(line) - len(line.plain.lstrip()) :] if line else line
        found = [text for text in (self.warning, line) if text]
        for text in found:
            text.truncate(width, overflow="ellipsis")
        return found


class FileStatus:
    """Progress of a file: bar, position, and how fast it goes or how far behind it is.

    duration: samples of the whole file, None when unknown. paced: it runs at the pace of live speech.
    """

    def __init__(self, name: str, duration: int | None, paced: bool, clock: Clock | None = None) -> None:
        self._name, self._duration, self._paced = name, duration, paced
        self._clock = clock or WallClock()
        self._start = self._clock.now()

    def __call__(self, step: Step) -> Status:
        """The line for now."""
        from rich.text import Text

        seconds = step.arrived / SAMPLE_RATE
        pieces = [Piece(Text(f"{self._name}  "), 1)] if self._name else []
        if self._duration:
            share = min(1.0, step.arrived / self._duration)
            total = clock_text(self._duration / SAMPLE_RATE)
            pieces += [
                Piece(bar(share, _BAR_WIDTH), 4),
                Piece(Text(f" {share:4.0%}  "), 3),
                Piece(Text(clock_text(seconds))),
                Piece(Text(f" / {total}"), 1),
            ]
        else:
            pieces.append(Piece(Text(clock_text(seconds))))
        if self._paced:
            return Status((*pieces, behind(step)))
        speed = seconds / max(self._clock.now() - self._start, 1e-6)
        pieces.append(Piece(Text(f"  {speed:.1f}×"), 2))
        if self._duration:
            left = max(0, self._duration - step.arrived) / SAMPLE_RATE
            pieces.append(Piece(Text(f"  {clock_text(left / speed + 0.5)} left", "dim"), 3))
        return Status(tuple(pieces))


class MicrophoneStatus:
    """Level meter, clip and silence warnings, and how far behind the computer is."""

    def __init__(self) -> None:
        self._meter = LevelMeter()

    def __call__(self, step: Step) -> Status:
        """The line for now."""
        from rich.text import Text

        assert step.samples is not None
        level = self._meter.push(step.samples)
        warning = None
        if level.clipped:
            warning = Text("CLIPPED: turn it down", "red")
        elif level.no_signal:
            warning = Text("NO SIGNAL: is it muted?", "yellow")
        pieces = (
            Piece(Text.assemble(("● ", "red"), clock_text(step.arrived / SAMPLE_RATE))),
            Piece(Text.assemble("  ", meter(level.rms_dbfs, level.peak_dbfs, _METER_WIDTH)), 2),
            Piece(Text(f" {level.rms_dbfs:4.0f} dB, peak {level.peak_dbfs:4.0f}", "dim"), 1),
            behind(step),
        )
        return Status(pieces, warning)


def behind(step: Step) -> Piece:
    """How far computing is behind the speech."""
    from rich.text import Text

    seconds = max(0.0, step.behind)
    style = "dim" if seconds < _LATE_SECONDS else "yellow" if seconds < 3 * _LATE_SECONDS else "red"
    return Piece(Text(f"  {seconds:.1f} s behind", style))


def bar(share: float, width: int) -> Text:
    """A bar of `width` columns, filled to `share` (0 to 1)."""
    from rich.text import Text

    filled = round(min(max(share, 0.0), 1.0) * width)
    return Text.assemble(("━" * filled, "green"), ("─" * (width - filled), "dim"))


def clock_text(seconds: float) -> str:
    """`m:ss`, or `h:mm:ss` from an hour on."""
    whole = max(0, int(seconds))
    hours, minutes = whole // 3600, whole // 60 % 60
    return f"{hours}:{minutes:02d}:{whole % 60:02d}" if hours else f"{minutes}:{whole % 60:02d}"


def meter(rms_dbfs: float, peak_dbfs: float, width: int) -> Text:
    """A level meter from -60 dBFS to full scale: filled up to the rms, with a mark at the peak."""
    from rich.text import Text

    rms, peak = (round((min(max(level, -60.0), 0.0) + 60) / 60 * width) for level in (rms_dbfs, peak_dbfs))
    cells = Text()
    for column in range(width):
        level = (column + 1) / width * 60 - 60
        style = "red" if level > -3 else "yellow" if level > -12 else "green"
        mark = "█" if column < rms else "│" if column == peak - 1 else "·"
        cells.append(mark, "dim" if mark == "·" else style)
    return cells
