"""The foot of a terminal, drawn by rich: what is printed scrolls away above it and stays, what is drawn is replaced."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

from rich.console import Console, RenderableType
from rich.live import Live

try:
    import termios
except ImportError:  # Windows: no echo of control characters there, and no Ctrl-Z.
    termios = None  # type: ignore[assignment]


def stop_process() -> None:
    """Stop as Ctrl-Z does by default; returns when the process goes on."""
    os.kill(os.getpid(), signal.SIGTSTP)


class Screen:
    """Draws on a terminal from the first `draw` to `close`.

    Meanwhile keys are not echoed: an echoed `^C` would move the cursor and leave parts of the drawing behind. Ctrl-Z
    takes the drawing away and gives the terminal back before the process stops; when it goes on, also after a stop
    that it was not told of, everything is drawn again.

    console: a new one to draw with. stop: stops the process.
    """

    def __init__(self, console: Callable[[], Console], stop: Callable[[], None] = stop_process) -> None:
        self._make_console, self._stop = console, stop
        self._shown: RenderableType | None = None
        self._modes: list[Any] | None = None
        self._handled: list[int] = []
        self._busy = False
        self._pending: Callable[[], None] | None = None
        self._begin()

    def _begin(self) -> None:
        self.console = self._make_console()
        self._live = Live(
            console=self.console,
            auto_refresh=False,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )

    @property
    def width(self) -> int:
        """Columns to draw in."""
        return self.console.width

    @property
    def drawn(self) -> bool:
        """Whether something is drawn now."""
        return self._shown is not None

    def print(self, text: RenderableType) -> None:
        """Put `text` above what is drawn; it stays."""
        with self._writing():
            self.console.print(text)

    def draw(self, renderable: RenderableType) -> None:
        """Show `renderable` in place of what was drawn before."""
        with self._writing():
            if self._shown is None:
                self._take_terminal()
                self._live.start()
            self._shown = renderable
            self._live.update(renderable, refresh=True)

    def close(self) -> None:
        """Take away what is drawn and give the terminal back."""
        with self._writing():
            if self._shown is not None:
                self._shown = None
                self._live.stop()
                self._begin()
                self._give_terminal_back()

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        """Signals that come in the middle of a write are answered after it."""
        outer, self._busy = self._busy, True
        try:
            yield
        finally:
            self._busy = outer
            self._answer()

    def _take_terminal(self) -> None:
        if termios is None or threading.current_thread() is not threading.main_thread():
            return
        with contextlib.suppress(OSError, ValueError, termios.error):
            modes = termios.tcgetattr(self.console.file.fileno())
            self._set_modes([*modes[:3], modes[3] & ~termios.ECHO, *modes[4:]])
            self._modes = modes
        for number in (signal.SIGTSTP, signal.SIGCONT):
            if signal.getsignal(number) == signal.SIG_DFL:
                signal.signal(number, self._told)
                self._handled.append(number)

    def _give_terminal_back(self) -> None:
        while self._handled:
            signal.signal(self._handled.pop(), signal.SIG_DFL)
        if self._modes is not None:
            with contextlib.suppress(OSError, ValueError, termios.error):
                self._set_modes(self._modes)
            self._modes = None

    def _set_modes(self, modes: list[Any]) -> None:
        """Change the terminal, which a process in the background may not: it would be stopped."""
        if os.tcgetpgrp(self.console.file.fileno()) == os.getpgrp():
            termios.tcsetattr(self.console.file.fileno(), termios.TCSANOW, modes)

    def _told(self, number: int, frame: FrameType | None) -> None:
        self._pending = self._suspend if number == signal.SIGTSTP else self._draw_anew
        self._answer()

    def _answer(self) -> None:
        if self._pending is not None and not self._busy:
            answer, self._pending = self._pending, None
            answer()

    def _suspend(self) -> None:
        shown = self._shown
        self.close()
        self._stop()
        if shown is not None:
            self.draw(shown)

    def _draw_anew(self) -> None:
        """The process goes on after a stop it was not told of: nobody knows what is on the terminal now."""
        shown, self._shown = self._shown, None
        self._give_terminal_back()
        self._begin()
        if shown is not None:
            self.draw(shown)
