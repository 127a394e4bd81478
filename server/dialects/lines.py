"""Lines over plain TCP: 16-bit samples at 16 kHz in, `BEGIN END TEXT` (ms) out, as soon as text is settled.

For `ffmpeg … -f s16le - | nc HOST PORT`. The end of the input ends the audio.
"""

from __future__ import annotations

from collections.abc import Mapping

from server import protocol as p
from server.connection import AudioFrame, Request
from server.dialects.base import Dialect, Frame, RawFrame


class LineDialect(Dialect):
    """One connection. The text is the last language's."""

    def __init__(self, query: Mapping[str, str]) -> None:
        super().__init__(query)
        self._odd = b""
        self._stream = p.SOURCE

    def opening(self) -> list[Request | RawFrame]:
        """The session begins with the connection."""
        return [p.SessionStart()]

    def receive(self, frame: Frame) -> list[Request | RawFrame]:
        """Bytes, cut anywhere; none at the end."""
        if isinstance(frame, str) or not frame:
            return [p.SessionClose()]
        data = self._odd + frame
        self._odd = data[len(data) & ~1 :]
        return [AudioFrame(data[: len(data) & ~1])]

    def told(self, message: p.ServerMessage) -> list[Frame]:
        """A line for every settled text."""
        if isinstance(message, p.SessionReady):
            self._stream = message.config.streams[-1]
        if isinstance(message, p.SettledText) and message.stream == self._stream:
            return [f"{message.t0} {message.t1} {message.text.strip()}\n".encode()]
        if isinstance(message, p.ErrorMessage):
            return [f"error: {message.message}\n".encode()]
        return []
