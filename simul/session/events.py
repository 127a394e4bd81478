"""What a session says: one versioned schema for files, standard output, logs and the wire.

Positions are integer samples of the stream (16 kHz). `time` is in seconds on the session's clock since the
stream was opened: the moment the event was put out, computation included. Every event names its stream, and events
that hold text the language of it. Events of schema 1, which lack some fields, are read too.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar

from simul.errors import SimulError
from simul.plain import read_fields

SCHEMA_VERSION = 2
WORDS = frozenset({"words", "source_words"})
"""Fields that hold timed words."""


@dataclass(frozen=True)
class Event:
    """Base of all events; `type` names the kind in JSON."""

    type: ClassVar[str] = "event"
    stream: str = field(default="", kw_only=True)
    language: str = field(default="", kw_only=True)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values, with the kind under "type" and the schema version under "v"; of words, what is known."""
        found = {"v": SCHEMA_VERSION, "type": self.type, **asdict(self)}
        for name in WORDS & found.keys():
            found[name] = [
                {k: v for k, v in word.items() if v is not None and v is not False} for word in found[name]
            ]
        return found

    def to_json(self) -> str:
        """One line of JSON."""
        return json.dumps(self.to_dict(), ensure_ascii=False)


@dataclass(frozen=True)
class TimedWord:
    """A word of the target or the source, or a part of one where an event ends inside it.

    start, end: stream samples it rests on. confidence: its probability, 0 to 1. stability: how many passes in a row
    have shown it in this place (words of a tail). joined: it makes the word before it longer. heard: what had been
    understood where a term stands now. None: not known.
    """

    text: str
    start: int | None = None
    end: int | None = None
    confidence: float | None = None
    stability: int | None = None
    joined: bool = False
    heard: str | None = None


@dataclass(frozen=True)
class Start(Event):
    """A stream was opened."""

    type: ClassVar[str] = "start"
    source: str
    target: str
    policy: str
    backend: str
    sample_rate: int
    chunk: int


@dataclass(frozen=True)
class Settled(Event):
    """Text that will not change: append `text` to what stands (a leading space is part of it).

    `tokens` are the model's pieces; `spans` the source samples (start, end) each rests on, where known.
    `heard` is how much of the stream had been received when the decision was taken. `forced` marks text that
    a limit settled, not the policy's rule. `words`: the text as timed words. `source_words`: the words of the source
    that were heard since the last settled text of the segment up to where this text rests, where there is a recogniser.
    """

    type: ClassVar[str] = "settled"
    segment: int
    text: str
    tokens: tuple[str, ...]
    heard: int
    time: float
    spans: tuple[tuple[int, int], ...] | None = None
    reason: str = ""
    forced: bool = False
    words: tuple[TimedWord, ...] = ()
    source_words: tuple[TimedWord, ...] = ()


@dataclass(frozen=True)
class Tail(Event):
    """Text that may still change; it replaces the former tail.

    `source` is the recogniser's view of the whole segment, `source_words` the same as timed words. `words`: the tail's.
    """

    type: ClassVar[str] = "tail"
    segment: int
    text: str
    heard: int
    time: float
    source: str | None = None
    words: tuple[TimedWord, ...] = ()
    source_words: tuple[TimedWord, ...] = ()


@dataclass(frozen=True)
class Retract(Event):
    """Take back the last `characters` characters (`tokens` tokens) of the settled text; only revising policies do."""

    type: ClassVar[str] = "retract"
    segment: int
    characters: int
    tokens: int
    heard: int
    time: float


@dataclass(frozen=True)
class SegmentEnd(Event):
    """A segment is complete. `start` and `end` are stream samples; `text` and `source` what it holds.

    `kind`: "pause", "limit" or "end" (of the stream).
    """

    type: ClassVar[str] = "segment"
    segment: int
    start: int
    end: int
    text: str
    kind: str
    heard: int
    time: float
    source: str | None = None
    source_words: tuple[TimedWord, ...] = ()


@dataclass(frozen=True)
class Speech(Event):
    """A unit of target speech: `samples` long at `rate`, to begin at `onset` seconds of session time.

    `start`, `end`: the samples of the source that it renders. `audio`: the sound as base64 of 16-bit little-endian
    samples, where the reader cannot get it elsewhere (on the wire).
    """

    type: ClassVar[str] = "speech"
    unit: int
    text: str
    samples: int
    rate: int
    onset: float
    time: float
    start: int | None = None
    end: int | None = None
    audio: str | None = None


@dataclass(frozen=True)
class SpokenIn(Event):
    """The language that is spoken from here on: found out, or another one than was given (`expected`, else empty)."""

    type: ClassVar[str] = "spoken"
    spoken: str
    expected: str
    heard: int
    time: float


@dataclass(frozen=True)
class Lag(Event):
    """How far the session is behind what arrived, in seconds, when that exceeds its limit."""

    type: ClassVar[str] = "lag"
    seconds: float
    heard: int
    time: float


@dataclass(frozen=True)
class Skipped(Event):
    """Audio from `start` to `end` that was not processed, and why."""

    type: ClassVar[str] = "skipped"
    start: int
    end: int
    reason: str
    time: float


@dataclass(frozen=True)
class Late(Event):
    """Computing has fallen behind: `decisions` decision points were passed over. No audio was.

    `reason` says why; `heard` is where the next decision falls.
    """

    type: ClassVar[str] = "late"
    decisions: int
    heard: int
    reason: str
    time: float


@dataclass(frozen=True)
class Error(Event):
    """Something went wrong; what was settled before stays valid."""

    type: ClassVar[str] = "error"
    message: str
    time: float


@dataclass(frozen=True)
class End(Event):
    """The stream is over; totals. Every sample heard was processed but for `skipped` ones.

    `late_decisions`: decision points that were passed over since computing was behind.
    """

    type: ClassVar[str] = "end"
    heard: int
    skipped: int
    segments: int
    tokens: int
    passes: int
    bad_samples: int
    time: float
    late_decisions: int = 0


KINDS: Mapping[str, type[Event]] = {
    kind.type: kind
    for kind in (Start, Settled, Tail, Retract, SegmentEnd, Speech, SpokenIn, Lag, Skipped, Late, Error, End)
}


def from_dict(data: Mapping[str, Any]) -> Event:
    """The event of a dictionary that `Event.to_dict` made; unknown keys of later versions are ignored.

    Raises:
        SimulError: the kind is unknown, a field is missing, or a value is not of its field's type.
    """
    name = data.get("type")
    kind = KINDS.get(name) if isinstance(name, str) else None
    if kind is None:
        shown = repr(name)[:40] if isinstance(name, str) else f"of {type(name).__name__}"
        raise SimulError(f"Unknown event type {shown}; known are {', '.join(KINDS)}.")
    try:
        found: Event = read_fields(kind, data)
    except ValueError as error:
        raise SimulError(f"Incomplete {kind.type} event: {error}.") from error
    return found


def from_json(line: str) -> Event:
    """The event of one line of JSON."""
    try:
        data = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise SimulError(f"Not a JSON event: {error}.") from error
    if not isinstance(data, dict):
        raise SimulError("Not a JSON event: the line is no object.")
    return from_dict(data)
