"""What every dialect is: a translator of frames without I/O, one for each socket."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar
from urllib.parse import parse_qsl

from server import protocol as p
from server.connection import TERM_LENGTH, TERMS, ConnectionLimits, Request

Frame = str | bytes

UNHURRIED = ConnectionLimits(
    frame_bytes=1 << 20,
    control_rate=1000.0,
    control_burst=10_000.0,
    audio_rate=1e9,
    audio_burst=1e12,
    first_message=60.0,
    first_audio=60.0,
    idle=600.0,
)
"""For clients of other servers, which send as they like: what waits is bounded by not reading on."""


@dataclass(frozen=True)
class RawFrame:
    """A frame to be sent in its turn, without a message behind it."""

    frame: Frame


class Dialect(ABC):
    """Frames in, requests out; messages in, frames out.

    query: of the address. limits: of its connection. subprotocol: what the socket agrees on, if anything.
    resumable: a client that drops out can come back; otherwise its session is over. several: fields of the address that
    may be given several times; their values are in lines.
    """

    subprotocol: ClassVar[str | None] = None
    limits: ClassVar[ConnectionLimits] = UNHURRIED
    resumable: ClassVar[bool] = False
    several: ClassVar[tuple[str, ...]] = ()

    def __init__(self, query: Mapping[str, str]) -> None:
        self.query = query

    def opening(self) -> list[Request | RawFrame]:
        """What happens as soon as the socket is open."""
        return []

    @abstractmethod
    def receive(self, frame: Frame) -> list[Request | RawFrame]:
        """What a frame means.

        Raises:
            ProtocolError: nothing.
        """

    @abstractmethod
    def told(self, message: p.ServerMessage) -> list[Frame]:
        """How the client is told a message; some are not for it."""


def read_query(text: str, several: tuple[str, ...]) -> dict[str, str]:
    """The fields of an address; of one that is given twice the last value, or all of them in lines."""
    found: dict[str, str] = {}
    for name, value in parse_qsl(text):
        found[name] = f"{found[name]}\n{value}" if name in several and name in found else value
    return found


def terms_within(value: Any) -> tuple[str, ...]:
    """The texts of a list of terms, each short enough to be one, not more than are served; others are left aside."""
    listed = value if isinstance(value, list) else []
    return tuple(term for term in listed if isinstance(term, str) and 0 < len(term) <= TERM_LENGTH)[:TERMS]


def within(value: Any, *names: str) -> Any:
    """What stands in nested JSON objects under these names; None where there is no such."""
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def text_within(value: Any, *names: str) -> str | None:
    """The same where it is a text that is not empty."""
    found = within(value, *names)
    return found if isinstance(found, str) and found else None
