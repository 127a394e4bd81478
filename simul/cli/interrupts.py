"""Ctrl-C and what asks a program to end (SIGTERM, SIGHUP): the first settles the rest, the second ends at once."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Any, BinaryIO

if TYPE_CHECKING:
    from typing_extensions import Self

_POLL_SECONDS = 0.1
_PIPE_BYTES = 1 << 16


ENDING = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))
"""Signals that end a program; SIGHUP comes when its terminal is closed."""


class Interrupts:
    """While entered, the first ending signal only sets a mark (and calls `on_stop`); the second raises
    KeyboardInterrupt. A signal that the process was started to ignore, as under `nohup`, stays ignored.

    Nothing is written from the signal handler: it may have interrupted a write.
    """

    def __init__(self, on_stop: Callable[[], None] | None = None) -> None:
        self._on_stop = on_stop
        self._requested = False
        self._previous: dict[int, Any] = {}

    def stopped(self) -> bool:
        """Whether a signal came."""
        return self._requested

    def __enter__(self) -> Self:
        self._previous = _set_handlers(self._handle)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _restore(self._previous)
        self._previous = {}

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self._requested:
            signal.signal(number, signal.SIG_DFL)
            raise KeyboardInterrupt
        self._requested = True
        if self._on_stop is not None:
            self._on_stop()


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """SIGTERM and SIGHUP raise KeyboardInterrupt too, so that what a command opened is closed."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_DFL)
        raise KeyboardInterrupt

    previous = _set_handlers(interrupt, ENDING[1:])
    try:
        yield
    finally:
        _restore(previous)


def _set_handlers(
    handle: Callable[[int, FrameType | None], None], numbers: Sequence[int] = ENDING
) -> dict[int, Any]:
    """Handle signals that are not ignored; gives what handled them before. Only the main thread can."""
    if threading.current_thread() is not threading.main_thread():
        return {}
    heeded = [number for number in numbers if signal.getsignal(number) not in (signal.SIG_IGN, None)]
    return {number: signal.signal(number, handle) for number in heeded}


def _restore(previous: Mapping[int, Any]) -> None:
    for number, handler in previous.items():
        signal.signal(number, handler)


class StoppableInput:
    """A byte stream that ends when `stopped` says so, even while nothing arrives.

    What a pipe already holds at that moment is still delivered. Streams without a file descriptor that can be
    waited on are read as they are.
    """

    def __init__(self, stream: BinaryIO, stopped: Callable[[], bool]) -> None:
        self._stream, self._stopped = stream, stopped
        self._left = _PIPE_BYTES
        try:
            self._descriptor: int | None = stream.fileno()
            select.select([self._descriptor], [], [], 0)
        except (OSError, ValueError, AttributeError):
            self._descriptor = None

    def read1(self, size: int = _PIPE_BYTES) -> bytes:
        """Up to `size` bytes as soon as there are any; b"" at the end."""
        if self._descriptor is None:
            data: bytes = getattr(self._stream, "read1", self._stream.read)(size)
            return data
        # Read past the stream's own buffer, whose content select would not know about.
        while not self._stopped():
            if self._ready(self._descriptor, _POLL_SECONDS):
                return os.read(self._descriptor, size)
        if not (self._left and self._ready(self._descriptor, 0)):
            return b""
        data = os.read(self._descriptor, min(size, self._left))
        self._left -= len(data)
        return data

    read = read1

    @staticmethod
    def _ready(descriptor: int, seconds: float) -> bool:
        ready, _, _ = select.select([descriptor], [], [], seconds)
        return bool(ready)
