"""The native protocol: frames are its messages."""

from __future__ import annotations

from typing import ClassVar

from server import protocol as p
from server.codec import decode_client, encode
from server.connection import AudioFrame, ConnectionLimits, Request
from server.dialects.base import Dialect, Frame, RawFrame
from server.voice import SpokenUtterance


class NativeDialect(Dialect):
    """`simul.v1`."""

    subprotocol: ClassVar[str | None] = p.SUBPROTOCOL
    resumable: ClassVar[bool] = True
    limits: ClassVar[ConnectionLimits] = ConnectionLimits()

    def receive(self, frame: Frame) -> list[Request | RawFrame]:
        """A text frame is a message, a binary frame audio."""
        return [AudioFrame(frame) if isinstance(frame, bytes) else decode_client(frame)]

    def told(self, message: p.ServerMessage) -> list[Frame]:
        """As it is; speech as what announces it, its samples, what closes it."""
        return [*message.frames()] if isinstance(message, SpokenUtterance) else [encode(message)]
