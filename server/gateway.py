"""The sockets: `websockets` in front of a host. Every socket has a dialect, a connection, an outbox and one writer."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from http import HTTPStatus
from typing import Any
from urllib.parse import SplitResult, parse_qsl, urlsplit

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request as HttpRequest
from websockets.http11 import Response
from websockets.typing import Subprotocol

from server import protocol as p
from server.codec import CloseCode
from server.dialects.base import Dialect, read_query
from server.dialects.deepgram import DeepgramDialect
from server.dialects.native import NativeDialect
from server.dialects.openai import OpenAITranscription, OpenAITranslation
from server.dialects.simulstream import SimulstreamDialect
from server.dialects.vosk import VoskDialect
from server.dialects.whisperlivekit import WhisperLiveKitDialect
from server.host import Host
from server.pages import HttpAnswer, Pages, say
from server.port import ClientPort, Keys
from server.stage.audience import Audience

NATIVE = Subprotocol(p.SUBPROTOCOL)
LARGEST_FRAME = (1 << 20) + 1024
SEND_SECONDS = 5.0
"""A client that has not taken a message by then is let go of; its session can be resumed."""
TICK_SECONDS = 0.1
HANDSHAKE_SECONDS = 10.0
REASON_BYTES = 123
NO_WEBSOCKET = frozenset({"opening handshake failed", "unexpected internal error"})
"""What the library says, with a traceback, of a client that speaks something else."""
LOG = logging.getLogger("simul.server.sockets")
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})

DIALECTS: Mapping[str, type[Dialect]] = {
    "/v1/session": NativeDialect,
    "/asr": WhisperLiveKitDialect,
    "/v1/realtime": OpenAITranscription,
    "/v1/realtime/translations": OpenAITranslation,
    "/v1/listen": DeepgramDialect,
    "/vosk": VoskDialect,
    "/simulstream": SimulstreamDialect,
}
"""What is spoken where."""
SINGLE_HEADERS = ("Host", "Upgrade", "Origin", "Authorization", "Last-Event-ID")
WATCH = "/v1/watch"
"""Where the audience of a stage is served."""


def _worth_logging(record: logging.LogRecord) -> bool:
    """Whether a message of the library is more than that somebody sent bytes that are no WebSocket."""
    return record.msg not in NO_WEBSOCKET


class HurriedConnection(ServerConnection):
    """A connection that must say what it wants within some seconds; what it gets then may take as long as it takes."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to wait."""
        super().connection_made(transport)
        self.loop.call_later(HANDSHAKE_SECONDS, self._give_up)

    def _give_up(self) -> None:
        if self.request is None:
            self.transport.abort()


class Socket:
    """One WebSocket: frames to its port, and what the port has for the client by the only one who writes."""

    def __init__(self, socket: ServerConnection, port: ClientPort, gateway: Gateway) -> None:
        self._socket, self.port, self._gateway = socket, port, gateway
        self._wake = asyncio.Event()
        port.on_change = self._wake.set

    async def run(self) -> None:
        """Serve the socket until it closes."""
        writer = asyncio.create_task(self._write())
        try:
            self.port.open(self._gateway.now())
            await self._read()
        except ConnectionClosed:
            pass
        finally:
            self.port.leave(self._gateway.now())
            if self.port.closing is None:
                writer.cancel()
            with suppress(asyncio.CancelledError, ConnectionClosed):
                await writer
            code = self._socket.close_code or CloseCode.INTERNAL
            self._gateway.host.metrics.add("closes_total", code=int(code))

    async def _read(self) -> None:
        async for frame in self._socket:
            if self.port.closing is not None:
                return
            self.port.receive(frame, self._gateway.now())
            while self.port.full:
                await asyncio.sleep(TICK_SECONDS)

    async def _write(self) -> None:
        try:
            while True:
                await self._wake.wait()
                self._wake.clear()
                while (frame := self.port.next_frame()) is not None:
                    async with asyncio.timeout(SEND_SECONDS):
                        await self._socket.send(frame)
                if self.port.closing is not None:
                    code, reason = self.port.closing
                    await self._socket.close(code, _shortened(reason))
                    return
        except TimeoutError:
            self._gateway.host.metrics.add("closes_total", code=CloseCode.TOO_SLOW)
            self._socket.transport.abort()
        except ConnectionClosed:
            return


class Gateway:
    """Listens, checks who knocks, and hands sockets to the host.

    tokens: those that clients must give one of (none: nobody needs one). origins: of web pages that may connect besides
    the server's own.
    """

    def __init__(
        self,
        host: Host,
        now: Callable[[], float],
        tokens: frozenset[str] = frozenset(),
        origins: frozenset[str] = frozenset(),
        tls: ssl.SSLContext | None = None,
        audience: Audience | None = None,
    ) -> None:
        self.host, self.now = host, now
        self._keys, self._origins, self._tls = Keys(tokens), origins, tls
        self._sockets: set[Socket] = set()
        self._late = 0.0
        self._pages = Pages(host, lambda: self._late)
        self.audience = audience
        self._server: Server | None = None
        self._ticker: asyncio.Task[None] | None = None
        self._loopback = True
        host.metrics.gauge("sockets", "WebSockets that are open.", lambda: len(self._sockets))
        host.metrics.gauge("loop_lag_seconds", "How late the event loop is.", lambda: self._late)

    async def start(self, address: str, port: int) -> int:
        """Listen; the port that was taken.

        Raises:
            OSError: the address cannot be listened at.
        """
        self._loopback = address in LOOPBACK
        LOG.addFilter(_worth_logging)
        hurry: dict[str, Any] = {"ssl_handshake_timeout": HANDSHAKE_SECONDS} if self._tls else {}
        self._server = await serve(
            self._serve,
            address,
            port,
            process_request=self._judge,
            subprotocols=[NATIVE],
            select_subprotocol=_chosen,
            compression=None,
            max_size=LARGEST_FRAME,
            max_queue=4,
            server_header=None,
            logger=LOG,
            ssl=self._tls,
            open_timeout=None,
            create_connection=HurriedConnection,
            **hurry,
        )
        self._ticker = asyncio.create_task(self._tick())
        found: int = next(iter(self._server.sockets)).getsockname()[1]
        return found

    async def stop(self) -> None:
        """Close what is open."""
        if self._ticker is not None:
            self._ticker.cancel()
        for socket in list(self._sockets):
            socket.port.close(CloseCode.RESTART, "The server stops; come back in a moment.")
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    async def _tick(self) -> None:
        while True:
            before = self.now()
            await asyncio.sleep(TICK_SECONDS)
            now = self.now()
            self._late = max(0.0, now - before - TICK_SECONDS)
            self.host.tick(now)
            for socket in list(self._sockets):
                socket.port.tick(now)

    async def _judge(self, connection: ServerConnection, request: HttpRequest) -> Response | None:
        """Answer plain HTTP; None lets a WebSocket in."""
        address = _split(request.path)
        path, query = address.path, dict(parse_qsl(address.query))
        known = {*DIALECTS, *([WATCH] if self.audience else [])}
        doubled = [name for name in SINGLE_HEADERS if len(request.headers.get_all(name)) > 1]
        if doubled:
            return _response(
                say(HTTPStatus.BAD_REQUEST, f"The header {doubled[0]} was given twice; give it once.")
            )
        if not self._host_allowed(request.headers.get("Host", "")):
            answer = say(HTTPStatus.FORBIDDEN, "This server is not known by that name; use its address.")
        elif request.headers.get("Upgrade", "").lower() != "websocket":
            answer = await self._get(connection, request, path, query)
        elif path not in known:
            answer = say(
                HTTPStatus.NOT_FOUND,
                f"No WebSocket is served at {path:.100}; use {', '.join(sorted(known))}.",
            )
        elif not self._origin_allowed(request.headers):
            answer = say(
                HTTPStatus.FORBIDDEN, "Pages of this origin may not connect; allow it with --origin."
            )
        else:
            return None
        return _response(answer)

    async def _get(
        self, connection: ServerConnection, request: HttpRequest, path: str, query: Mapping[str, str]
    ) -> HttpAnswer:
        """What stands at a path for plain HTTP; events for the audience go on until it leaves."""
        if path in DIALECTS:
            return say(HTTPStatus.UPGRADE_REQUIRED, "This address is for WebSockets.")
        if self.audience is None or not path.startswith(WATCH):
            return self._pages.get(path)
        if path == f"{WATCH}/qr.svg":
            return self.audience.code()
        sound = path == f"{WATCH}/audio"
        wrong = self.audience.silent(query) if sound else self.audience.unknown(query)
        if wrong:
            return say(HTTPStatus.NOT_FOUND, wrong)
        if sound:
            await self.audience.serve_sound(connection, query)
            return say(HTTPStatus.OK, "")
        if path == f"{WATCH}/captions.vtt":
            return self.audience.captions(query)
        if path == f"{WATCH}/events":
            await self.audience.serve_events(connection, query, request.headers.get("Last-Event-ID"))
            return say(HTTPStatus.OK, "")
        return say(HTTPStatus.NOT_FOUND, f"There is nothing at {path:.100}.")

    def _host_allowed(self, name: str) -> bool:
        """Whether the server is called by a name of this machine, which no page elsewhere can give itself."""
        if not self._loopback:
            return True
        return (_split(f"//{name}").hostname or "") in LOOPBACK

    def _origin_allowed(self, headers: Headers) -> bool:
        origin = headers.get("Origin")
        if origin is None or origin in self._origins:
            return True
        return _split(origin).netloc == headers.get("Host", "")

    async def _serve(self, socket: ServerConnection) -> None:
        assert socket.request is not None
        address = _split(socket.request.path)
        query = read_query(address.query, DIALECTS[address.path].several if address.path in DIALECTS else ())
        headers = socket.request.headers
        if address.path == WATCH and self.audience is not None:
            await self.audience.serve_socket(socket, query)
            return
        given = headers.get("Authorization", "").partition(" ")[2] or query.get("token")
        owner = str((socket.remote_address or ("",))[0])
        dialect = DIALECTS[address.path](query)
        port = ClientPort(self.host, dialect, self._keys, owner, given, self.now())
        served = Socket(socket, port, self)
        self._sockets.add(served)
        try:
            await served.run()
        finally:
            self._sockets.discard(served)


def _split(address: str) -> SplitResult:
    """The parts of an address; of one that is none, nothing."""
    try:
        return urlsplit(address)
    except ValueError:
        return SplitResult("", "", "", "", "")


def _chosen(connection: ServerConnection, offered: Sequence[Subprotocol]) -> Subprotocol | None:
    """The native subprotocol where the client offers it; other clients offer others, or none."""
    return NATIVE if NATIVE in offered else None


def _response(answer: HttpAnswer) -> Response:
    headers = Headers(
        {
            "Content-Type": answer.kind,
            "Content-Length": str(len(answer.body)),
            "Connection": "close",
            **answer.headers,
        }
    )
    return Response(answer.status.value, answer.status.phrase, headers, answer.body)


def _shortened(reason: str) -> str:
    """What fits into a close frame."""
    return reason.encode()[:REASON_BYTES].decode(errors="ignore")
