"""A server that says what a test tells it to: the page's files over HTTP, `simul.v1` on a socket, sessions that resume.

Every message of the page is decoded strictly and validated against the schema; so is everything that is said to it.
"""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from itertools import count
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.sync.server import ServerConnection, serve

import server
from server import protocol as p
from server.codec import decode_client, encode
from server.schema import json_schema

PAGE = Path(server.__file__).parent / "page"
KINDS = {"html": "text/html; charset=utf-8", "js": "text/javascript", "css": "text/css"}
POLICY = (
    "default-src 'self'; connect-src 'self'; img-src 'self' data:; worker-src 'self'; media-src 'self' blob:; "
    "frame-ancestors 'self'; base-uri 'none'; form-action 'none'"
)
INFO = {
    "server": "0",
    "model": "Scripted",
    "ready": True,
    "source": "en",
    "targets": ["de"],
    "policy": "local-agreement",
    "speech": ["de", "en", "fr"],
    "terms": True,
}
NO_LAG = p.LagParts()
_SCHEMA = json_schema()
TO_SERVER = Draft202012Validator({**_SCHEMA, "oneOf": [{"$ref": "#/$defs/client"}]})
TO_CLIENT = Draft202012Validator({**_SCHEMA, "oneOf": [{"$ref": "#/$defs/server"}]})


@dataclass
class ScriptedSession:
    """One session: what the page sent, what it was told."""

    name: str
    start: p.SessionStart
    token: str = "t0"
    pcm: bytearray = field(default_factory=bytearray)
    heard: list[p.ClientMessage] = field(default_factory=list)
    told: list[p.ServerMessage] = field(default_factory=list)
    seq: int = 0
    acked: int = 0

    @property
    def received(self) -> int:
        """Samples, gaps included."""
        return len(self.pcm) // 2

    @property
    def targets(self) -> tuple[str, ...]:
        """Languages that are asked for at present."""
        updates = [m.targets for m in self.heard if isinstance(m, p.SessionUpdate) and m.targets is not None]
        return (updates or [self.start.targets or ()])[-1]


class ScriptedServer:
    """Listens on loopback. `welcome` may be replaced: what happens after session.start."""

    def __init__(self, info: dict[str, Any] | None = None) -> None:
        self.info = {**INFO, **(info or {})}
        self.sessions: list[ScriptedSession] = []
        self.connections: list[ServerConnection] = []
        self.paths: list[str] = []
        self.ready = True
        self.ack = True
        self.refusal: tuple[p.ErrorMessage, int] | None = None
        self.streams: Callable[[ServerConnection], None] | None = None
        self.port = 0
        self._open: ServerConnection | None = None
        self._numbers = count()
        self._lock = threading.RLock()
        self.up()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    @property
    def session(self) -> ScriptedSession:
        """The newest."""
        return self.sessions[-1]

    # -- up and down --------------------------------------------------------------------------------------------------

    def up(self) -> None:
        """Listen, at the former port if there was one."""
        listener = socket.create_server(("127.0.0.1", self.port))
        self.port = listener.getsockname()[1]
        self._server = serve(
            self._serve,
            sock=listener,
            process_request=self._http,
            subprotocols=["simul.v1"],
            compression=None,
        )
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def down(self) -> None:
        """Break all connections, and listen no more."""
        self._server.shutdown()
        self.cut()
        self._thread.join()

    def cut(self) -> None:
        """Break the connections as a network does, without a word."""
        with self._lock:
            broken, self.connections, self._open = self.connections, [], None
        for connection in broken:
            with contextlib.suppress(OSError):  # closed already
                connection.socket.shutdown(socket.SHUT_RDWR)

    # -- what is served -----------------------------------------------------------------------------------------------

    def _http(self, connection: ServerConnection, request: Request) -> Response | None:
        if request.headers.get("Upgrade", "").lower() == "websocket":
            return None
        path = request.path.partition("?")[0]
        self.paths.append(path)
        if path == "/v1/info":
            return _answer(json.dumps(self.info).encode(), "application/json")
        name = path.removeprefix("/") or "index.html"
        found = PAGE / name
        if "/" in name or not found.is_file():
            return Response(
                HTTPStatus.NOT_FOUND,
                "Not Found",
                Headers({"Content-Length": "0", "Connection": "close"}),
                b"",
            )
        return _answer(found.read_bytes(), KINDS[found.suffix[1:]])

    def _serve(self, connection: ServerConnection) -> None:
        with self._lock:
            self.connections.append(connection)
        assert connection.request is not None
        try:
            if self.streams is not None and "watch" in connection.request.path:
                self.streams(connection)
                return
            session: ScriptedSession | None = None
            for frame in connection:
                with self._lock:
                    session = self._take(connection, session, frame)
        except (ConnectionClosed, OSError):
            pass

    def _take(self, connection: ServerConnection, session: ScriptedSession | None, frame: str | bytes) -> Any:
        if isinstance(frame, bytes):
            assert session is not None
            assert len(frame) % 2 == 0
            session.pcm += frame
            if self.ack:
                self._send(connection, p.AudioAck(session.received, seq=session.seq))
            return session
        TO_SERVER.validate(json.loads(frame))
        message = decode_client(frame)
        if isinstance(message, p.SessionStart):
            return self._begin(connection, message)
        if isinstance(message, p.SessionResume):
            return self._resume(connection, message)
        assert session is not None
        session.heard.append(message)
        if isinstance(message, p.Gap):
            session.pcm += bytes(message.ms * 32)
        elif isinstance(message, p.Ping):
            self._send(connection, p.Pong(message.ts, 0.0, seq=session.seq))
        elif isinstance(message, p.Ack):
            session.acked = message.seq
        elif isinstance(message, p.SessionUpdate):
            self.say(p.SessionUpdated(self.config(session)))
        return session

    def _begin(self, connection: ServerConnection, start: p.SessionStart) -> ScriptedSession | None:
        if self.refusal is not None:
            message, code = self.refusal
            self._send(connection, message)
            connection.close(code, message.message[:100])
            return None
        session = ScriptedSession(f"s{next(self._numbers)}", start)
        self.sessions.append(session)
        self._open = connection
        if self.ready:
            self.begin()
        else:
            self.say(p.SessionWaiting("loading", "The models are being loaded; audio is kept until then."))
        return session

    def begin(self) -> None:
        """Say that the session begins."""
        limits = p.ServerLimits(65536, 60000, 60000, 14400000)
        session = self.session
        self.say(p.SessionReady(session.name, session.token, 60000, self.config(session), limits, "0"))

    def config(self, session: ScriptedSession) -> p.StreamConfig:
        """What a session does."""
        targets = session.targets
        return p.StreamConfig("en", targets, ("source", *targets), "local-agreement", 500, "scripted")

    def _resume(self, connection: ServerConnection, message: p.SessionResume) -> ScriptedSession | None:
        found = [session for session in self.sessions if session.name == message.session]
        if not found or found[0].token != message.resume_token:
            self._send(
                connection, p.ErrorMessage("unknown_session", "The session is not known here.", fatal=True)
            )
            connection.close(4404, "The session is not known here.")
            return None
        session = found[0]
        session.token = f"t{int(session.token[1:]) + 1}"
        self._open = connection
        gap = None
        if message.next_sample > session.received:
            gap = p.Missing(session.received // 16, message.next_sample // 16)
            session.pcm += bytes(2 * (message.next_sample - session.received))
        self.say(p.SessionResumed(session.name, session.token, session.received, message.last_seq, gap))
        for old in session.told:
            if old.numbered and old.seq > message.last_seq:
                self._send(connection, old)
        return session

    # -- what is said -------------------------------------------------------------------------------------------------

    def say(self, message: p.ServerMessage) -> None:
        """Number a message, and send it if the page is connected."""
        with self._lock:
            session = self.session
            session.seq += message.numbered
            message = replace(message, seq=session.seq)
            session.told.append(message)
            if self._open is not None:
                self._send(self._open, message)

    def _send(self, connection: ServerConnection, message: p.ServerMessage) -> None:
        text = encode(message)
        TO_CLIENT.validate(json.loads(text))
        try:
            connection.send(text)
        except (ConnectionClosed, OSError):
            self._open = None if self._open is connection else self._open

    def speak(self, stream: str, utterance: int, pcm: bytes, position: int, cut: int | None = None) -> None:
        """Speech in frames of half a second; cut: bytes of it after which the connection breaks."""
        samples = len(pcm) // 2
        place = stream, utterance, "Wort", stream, "voice", 24_000, samples, position, 0, 1000
        self.say(p.SpeechBegin(*place))
        assert self._open is not None
        for at in range(0, len(pcm) if cut is None else cut, 24_000):
            self._open.send(pcm[at : at + 24_000 if cut is None else min(at + 24_000, cut)])
        if cut is not None:
            self.cut()
        self.say(p.SpeechEnd(stream, utterance, "Wort", samples, position))

    def settle(
        self,
        stream: str,
        segment: int,
        text: str,
        t0: int,
        t1: int,
        tail: str = "",
        language: str = "",
        lag: p.LagParts = NO_LAG,
    ) -> None:
        """Settled text."""
        language = language or ("en" if stream == "source" else stream)
        self.say(p.SettledText(stream, segment, text, language, t0, t1, tail, (), lag))

    def tail(self, stream: str, segment: int, text: str, language: str = "") -> None:
        """Text that may change."""
        self.say(p.TailText(stream, segment, text, language or ("en" if stream == "source" else stream)))

    def done(self, stream: str, segment: int, text: str, t0: int, t1: int, language: str = "") -> None:
        """The end of a segment."""
        language = language or ("en" if stream == "source" else stream)
        self.say(p.SegmentDone(stream, segment, text, language, t0, t1, "pause"))

    def finish(self, lost: int = 0) -> None:
        """The end of the session."""
        session = self.session
        self.say(p.SessionEnd(session.received // 16, 10, session.seq + 1, lost, 900, 1800))
        assert self._open is not None
        self._open.close(1000, "")


def _answer(body: bytes, kind: str) -> Response:
    headers = {
        "Content-Type": kind,
        "Content-Length": str(len(body)),
        "Connection": "close",
        "Content-Security-Policy": POLICY,
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "no-cache",
    }
    return Response(HTTPStatus.OK, "OK", Headers(headers), body)
