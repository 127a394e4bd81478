"""What the audience is told: captions, line by line. The same over WebSockets and as Server-Sent Events."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from server.protocol import ServerMessage


@dataclass(frozen=True)
class AudienceLanguage:
    """A language that can be watched: code, and English name."""

    code: str
    name: str


@dataclass(frozen=True)
class WatchReady(ServerMessage):
    """The first message: languages there are, the one spoken, the one watched, and whether somebody speaks.

    heard: languages that can be listened to as well.
    """

    type: ClassVar[str] = "watch.ready"
    languages: tuple[AudienceLanguage, ...]
    source: str
    language: str
    live: bool
    heard: tuple[str, ...] = ()


@dataclass(frozen=True)
class Caption(ServerMessage):
    """A line of the talk; it takes the place of one with the same number.

    event: number of the message, by which a watcher that comes back goes on. language: of the text, which is the one
    spoken where `stand_in` says that the translation is late. t0, t1: of the talk (ms).
    """

    type: ClassVar[str] = "caption"
    event: int
    line: int
    language: str
    text: str
    t0: int
    t1: int
    stand_in: bool = False


@dataclass(frozen=True)
class CaptionTail(ServerMessage):
    """What is being said and may still change, in the language spoken; replaces the former."""

    type: ClassVar[str] = "caption.tail"
    language: str
    text: str


@dataclass(frozen=True)
class WatchState(ServerMessage):
    """The talk has begun, or is over for now."""

    type: ClassVar[str] = "watch.state"
    live: bool


WATCH_MESSAGES: Mapping[str, type[ServerMessage]] = {
    kind.type: kind for kind in (WatchReady, Caption, CaptionTail, WatchState)
}
