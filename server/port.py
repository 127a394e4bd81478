"""One client at the host, whatever carries its frames: dialect, connection and outbox together, without I/O."""

from __future__ import annotations

import hmac
import logging
from collections.abc import Callable, Iterable

from server import protocol as p
from server.codec import CloseCode, ProtocolError
from server.connection import Connection, Request
from server.dialects.base import Dialect, Frame, RawFrame
from server.host import Host
from server.live import LiveSession
from server.outbox import Outbox

LOG = logging.getLogger("simul.server")


class Keys:
    """The tokens that clients must give one of; where there are none, nobody needs one."""

    def __init__(self, tokens: Iterable[str] = ()) -> None:
        self._tokens = sorted(tokens)

    def owner(self, token: str | None, address: str) -> str:
        """Whose a client is: its token's, or its address's where no token is needed.

        Raises:
            ProtocolError: a token is needed, and this is none.
        """
        if not self._tokens:
            return address
        given = (token or "").encode()
        for number, known in enumerate(self._tokens):
            if hmac.compare_digest(known.encode(), given):
                return f"token {number}"
        said = "The token is not known here." if token else "A token is needed; give it in session.start."
        raise ProtocolError(said, "token", "unauthorized", CloseCode.UNAUTHORIZED)


class ClientPort:
    """Frames in, frames out. token: what the client gave with the address; `on_change` is called when there is
    something to send or to close."""

    def __init__(
        self, host: Host, dialect: Dialect, keys: Keys, address: str, token: str | None, now: float
    ) -> None:
        self.owner = address
        self.on_change: Callable[[], None] = lambda: None
        self.closing: tuple[int, str] | None = None
        self.live: LiveSession | None = None
        self._host, self._dialect, self._keys, self._token = host, dialect, keys, token
        self._connection = Connection(now, dialect.limits)
        self._outbox = Outbox()
        self._frames: list[Frame] = []

    # -- what the host says ---------------------------------------------------------------------------------------

    def send(self, messages: Iterable[p.ServerMessage | RawFrame]) -> None:
        """Queue messages."""
        for message in messages:
            self._outbox.put(message)
        self.on_change()

    def close(self, code: int, reason: str) -> None:
        """Close once what is queued has been sent."""
        if self.closing is None:
            self.closing = (code, reason)
            self._connection.close(code, reason)
        self.on_change()

    def joined(self, session: LiveSession) -> None:
        """The client has this session now."""
        self.live = session
        self._connection.joined(session.audio, session.spec.live)

    # -- what carries the frames ----------------------------------------------------------------------------------

    @property
    def full(self) -> bool:
        """Whether no more is to be read for now."""
        return self.closing is None and self.live is not None and self._host.full(self.live)

    def open(self, now: float) -> None:
        """The client is there."""
        self._understood(self._dialect.opening, now)

    def receive(self, frame: Frame, now: float) -> None:
        """A frame of the client."""
        self._understood(lambda: self._dialect.receive(frame), now)

    def _understood(self, look: Callable[[], list[Request | RawFrame]], now: float) -> None:
        try:
            self._act(look(), now)
        except ProtocolError as error:
            self._connection.refuse(error)
            self._refusals()
        except Exception:
            # A fault of this program that one client brought about must not take others with it.
            LOG.exception("a frame could not be taken")
            self._connection.fail(
                "internal", "Something went wrong in the server that should not.", CloseCode.INTERNAL
            )
            self._refusals()

    @property
    def waiting(self) -> bool:
        """Whether there is something to be sent."""
        return bool(self._frames or len(self._outbox))

    def next_frame(self) -> Frame | None:
        """What is to be sent next; None: nothing now."""
        while not self._frames and len(self._outbox):
            if self._outbox.over:
                raise TimeoutError
            message = self._outbox.pop()
            self._frames = [message.frame] if isinstance(message, RawFrame) else self._dialect.told(message)
        return self._frames.pop(0) if self._frames else None

    def tick(self, now: float) -> None:
        """What is due."""
        self._connection.tick(now)
        self._refusals()

    def leave(self, now: float) -> None:
        """The client is gone; its session waits for it where it knows how to come back."""
        self._host.leave(self, now)
        if self.live is not None and not self._dialect.resumable:
            self._host.drop(self.live)

    def _act(self, items: Iterable[Request | RawFrame], now: float) -> None:
        for item in items:
            if isinstance(item, RawFrame):
                self.send([item])
            else:
                self._connection.receive(item, now)
        for request in self._connection.requests():
            try:
                self._carry_out(request, now)
            except ProtocolError as error:
                self._connection.refuse(error)
        self._refusals()

    def _carry_out(self, request: Request, now: float) -> None:
        if isinstance(request, (p.SessionStart, p.SessionResume)):
            self.owner = self._keys.owner(request.token or self._token, self.owner)
        if isinstance(request, p.SessionStart):
            self._host.begin(self, request, now)
        elif isinstance(request, p.SessionResume):
            self._host.resume(self, request, now)
        elif self.live is not None:
            self._host.receive(self.live, request, now)

    def _refusals(self) -> None:
        errors = self._connection.errors()
        for error in errors:
            self._host.metrics.add("protocol_errors_total", code=error.code)
        if errors:
            self.send(errors)
        if self._connection.closed:
            self.close(self._connection.code, self._connection.reason)
