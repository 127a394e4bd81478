"""What is on its way to a client: messages in order, of which those that newer ones replace are left out."""

from __future__ import annotations

from collections import deque

from server import protocol as p
from server.dialects.base import RawFrame

MOST_MESSAGES = 5_000
"""A client that reads so little that more are waiting is let go of."""

Outgoing = p.ServerMessage | RawFrame


class Outbox:
    """A queue without I/O; `over` tells whether its reader is too slow."""

    def __init__(self) -> None:
        self._queue: deque[Outgoing] = deque()
        self.replaced = 0

    def __len__(self) -> int:
        return len(self._queue)

    @property
    def over(self) -> bool:
        """Whether too much is waiting."""
        return len(self._queue) > MOST_MESSAGES

    def put(self, message: Outgoing) -> None:
        """Queue a message; one that it replaces and that is still waiting goes."""
        place = _place(message)
        if place is not None:
            for waiting in self._queue:
                if _place(waiting) == place:
                    self._queue.remove(waiting)
                    self.replaced += 1
                    break
        self._queue.append(message)

    def pop(self) -> Outgoing:
        """The next message."""
        return self._queue.popleft()


def _place(message: Outgoing) -> tuple[str, ...] | None:
    """What a newer message of the same place replaces."""
    if isinstance(message, p.TailText):
        return ("tail", message.stream)
    if isinstance(message, (p.SessionProgress, p.AudioAck)):
        return (message.type,)
    return None
