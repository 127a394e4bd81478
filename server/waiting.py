"""Who gets a place and who waits for one: first come, first served, for a short time."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any

from server import protocol as p
from server.codec import CloseCode, ProtocolError


@dataclass(frozen=True)
class WaitingClient:
    """A client that waits since a moment."""

    peer: Any
    start: p.SessionStart
    since: float


@dataclass
class WaitingRoom:
    """places: sessions at once. length: clients that may wait; patience: seconds that each may."""

    places: int
    length: int
    patience: float
    line: deque[WaitingClient] = field(default_factory=deque)

    def free(self, taken: int) -> bool:
        """Whether a client that comes now gets a place at once."""
        return not self.line and taken < self.places

    def queue(self, waiting: WaitingClient) -> None:
        """Let a client wait.

        Raises:
            ProtocolError: too many wait already.
        """
        if len(self.line) >= self.length:
            raise ProtocolError(
                "The server is full, and so is its waiting room; try again in a few seconds.",
                code="overloaded",
                close=CloseCode.OVERLOADED,
                retry_after_ms=5000,
            )
        self.line.append(waiting)

    def admitted(self, taken: int) -> list[WaitingClient]:
        """Those that get a place now that `taken` are taken."""
        return [self.line.popleft() for _ in range(min(len(self.line), max(0, self.places - taken)))]

    def expired(self, now: float) -> list[WaitingClient]:
        """Those that have waited too long."""
        found = []
        while self.line and now - self.line[0].since > self.patience:
            found.append(self.line.popleft())
        return found

    def forget(self, peer: Any) -> None:
        """A client went away."""
        self.line = deque(waiting for waiting in self.line if waiting.peer is not peer)


def turn_away(peer: Any) -> None:
    """Tell a client, in words, that there is no place for it."""
    said = "The server is full; try again in a few seconds."
    peer.send([p.ErrorMessage("overloaded", said, fatal=True, retry_after_ms=5000)])
    peer.close(CloseCode.OVERLOADED, said)
