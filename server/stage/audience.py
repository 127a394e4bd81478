"""The audience's sockets: WebSockets, and Server-Sent Events for those behind a proxy that breaks WebSockets.

Everybody gets the same frames, made once. Nobody is waited for: who reads too slowly is let go of and comes back, with
the number of the last event.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from io import BytesIO

from websockets.asyncio.server import ServerConnection, broadcast
from websockets.exceptions import ConnectionClosed

from server import protocol as p
from server.codec import CloseCode, encode
from server.pages import HttpAnswer, say
from server.stage.encoding import FORMATS
from server.stage.messages import Caption
from server.stage.stage import Stage
from simul.errors import UsageError
from simul.install import install_hint

MOST_WAITING = 256 * 1024
"""Bytes that wait for a watcher who does not read."""
KEEPALIVE_SECONDS = 15.0
SSE_HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nCache-Control: no-store\r\n"
    b"X-Accel-Buffering: no\r\nConnection: close\r\n\r\nretry: 2000\n\n"
)
SOUND_HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: %s\r\nCache-Control: no-store\r\nX-Accel-Buffering: no\r\n"
    b"Connection: close\r\n\r\n"
)


class Frames:
    """Messages as frames; the last one is kept, since it goes to many."""

    def __init__(self) -> None:
        self._message: p.ServerMessage | None = None
        self._text, self._event = "", b""
        self.made = 0

    def _make(self, message: p.ServerMessage) -> None:
        if message is not self._message:
            self.made += 1
            self._message, self._text = message, encode(message)
            number = f"id: {message.event}\n" if isinstance(message, Caption) else ""
            self._event = f"{number}event: {message.type}\ndata: {self._text}\n\n".encode()

    def text(self, message: p.ServerMessage) -> str:
        """For a WebSocket."""
        self._make(message)
        return self._text

    def event(self, message: p.ServerMessage) -> bytes:
        """As a Server-Sent Event."""
        self._make(message)
        return self._event


class SocketWatcher:
    """Watches over a WebSocket."""

    def __init__(self, socket: ServerConnection, frames: Frames) -> None:
        self._socket, self._frames = socket, frames

    def tell(self, message: p.ServerMessage) -> None:
        """Send a frame without waiting."""
        if self._socket.transport.get_write_buffer_size() > MOST_WAITING:
            self._socket.transport.abort()
        else:
            broadcast([self._socket], self._frames.text(message))


class SoundListener:
    """Listens over plain HTTP."""

    def __init__(self, connection: ServerConnection) -> None:
        self._transport = connection.transport

    def hear(self, data: bytes) -> None:
        """Send bytes without waiting."""
        if self._transport.get_write_buffer_size() > MOST_WAITING:
            self._transport.abort()
        elif not self._transport.is_closing():
            self._transport.write(data)


class EventWatcher:
    """Watches over Server-Sent Events."""

    def __init__(self, connection: ServerConnection, frames: Frames) -> None:
        self._transport, self._frames = connection.transport, frames

    def tell(self, message: p.ServerMessage) -> None:
        """Send an event without waiting."""
        if self._transport.get_write_buffer_size() > MOST_WAITING:
            self._transport.abort()
        elif not self._transport.is_closing():
            self._transport.write(self._frames.event(message))


@dataclass(frozen=True)
class Audience:
    """The way to a stage; `now` is the host's clock, `link` the address of the audience's page."""

    stage: Stage
    frames: Frames
    now: Callable[[], float]
    link: str = ""

    def _language(self, query: Mapping[str, str]) -> str:
        return query.get("lang") or self.stage.source

    def unknown(self, query: Mapping[str, str]) -> str | None:
        """What is wrong with the language asked for, if anything."""
        language = self._language(query)
        if language in self.stage.languages:
            return None
        return (
            f"The language {language!r:.40} is not offered; choose one of {', '.join(self.stage.languages)}."
        )

    async def serve_socket(self, socket: ServerConnection, query: Mapping[str, str]) -> None:
        """Let somebody watch until they leave; what they send is ignored."""
        wrong = self.unknown(query)
        if wrong:
            await socket.send(encode(p.ErrorMessage("language", wrong, fatal=True, param="lang")))
            await socket.close(CloseCode.UNAVAILABLE, wrong[:120])
            return
        watcher = SocketWatcher(socket, self.frames)
        self.stage.watch(watcher, self._language(query), event_number(query.get("after")), self.now())
        try:
            async for _ in socket:
                pass
        except ConnectionClosed:
            pass
        finally:
            self.stage.leave(watcher)

    async def serve_events(
        self, connection: ServerConnection, query: Mapping[str, str], last: str | None
    ) -> None:
        """The same as Server-Sent Events, in the place of an answer; last: the header Last-Event-ID."""
        connection.transport.write(SSE_HEAD)
        watcher = EventWatcher(connection, self.frames)
        after = event_number(last if last is not None else query.get("after"))
        self.stage.watch(watcher, self._language(query), after, self.now())
        try:
            while not connection.connection_lost_waiter.done():
                with suppress(TimeoutError):
                    async with asyncio.timeout(KEEPALIVE_SECONDS):
                        await asyncio.shield(connection.connection_lost_waiter)
                if not connection.transport.is_closing():
                    connection.transport.write(b": still here\n\n")
        finally:
            self.stage.leave(watcher)

    def silent(self, query: Mapping[str, str]) -> str | None:
        """Why a language cannot be listened to, if so."""
        code, form, known = self._language(query), query.get("format", "ogg"), self.stage.speech.languages
        if code not in known:
            there = f"choose one of {', '.join(known)}" if known else "start the server with --speak LANG"
            return f"The language {code!r:.40} is not spoken here; {there}."
        return (
            None if form in FORMATS else f"The format {form!r:.40} is not known; use {' or '.join(FORMATS)}."
        )

    async def serve_sound(self, connection: ServerConnection, query: Mapping[str, str]) -> None:
        """The talk as it is spoken in a language, in the place of an answer, until the listener leaves."""
        form = query.get("format", "ogg")
        connection.transport.write(SOUND_HEAD % FORMATS[form].media.encode())
        listener = SoundListener(connection)
        self.stage.speech.listen(listener, self._language(query), form, self.now())
        try:
            await asyncio.shield(connection.connection_lost_waiter)
        finally:
            self.stage.speech.leave(listener)

    def captions(self, query: Mapping[str, str]) -> HttpAnswer:
        """What has been said so far, as WebVTT."""
        text = self.stage.webvtt(self._language(query))
        return HttpAnswer(
            HTTPStatus.OK, text.encode(), "text/vtt; charset=utf-8", {"Cache-Control": "no-store"}
        )

    def code(self) -> HttpAnswer:
        """The QR code of the audience's page."""
        try:
            import segno
        except ImportError:
            return say(HTTPStatus.NOT_IMPLEMENTED, f"QR codes need segno: {install_hint('serve')}.")
        picture = BytesIO()
        segno.make(self.link, micro=False).save(picture, kind="svg", scale=8, border=2)
        return HttpAnswer(HTTPStatus.OK, picture.getvalue(), "image/svg+xml")


def event_number(text: str | None) -> int | None:
    """The number of an event, where it is one."""
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 16 else None


def terminal_code(link: str) -> str:
    """The QR code of a link for a terminal.

    Raises:
        UsageError: segno is missing.
    """
    try:
        import segno
    except ImportError:
        raise UsageError(f"QR codes need segno: {install_hint('serve')}.") from None
    from io import StringIO

    drawn = StringIO()
    segno.make(link, micro=False).terminal(drawn, compact=True, border=1)
    return drawn.getvalue()
