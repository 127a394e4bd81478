"""The one fold of events: what text stands, what may still change, and what each event does to the text."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from simul.languages import SPACELESS
from simul.session.events import End, Event, Retract, SegmentEnd, Settled, Tail


@dataclass(frozen=True)
class Change:
    """What an event does to the settled text: take `removed` characters off its end, then append `added`.

    closed: the event ended a segment.
    """

    removed: int = 0
    added: str = ""
    closed: SegmentEnd | None = None

    def apply(self, text: str) -> str:
        """`text` after the change."""
        return text[: len(text) - self.removed] + self.added


class Transcript:
    """Takes the events of one stream, in order.

    line: settled text of the open segment, without the space before it. tail, source: what was last shown of it.
    segments: the ends of segments so far. retracted: characters taken back. end: the totals, once the stream is over.
    language: of the text, for events of schema 1, which do not say.
    """

    def __init__(self, language: str = "") -> None:
        self.language = language
        self.line = self.tail = ""
        self.source: str | None = None
        self.segments: list[SegmentEnd] = []
        self.retracted = 0
        self.end: End | None = None
        self._started = self._boundary = False

    def push(self, event: Event) -> Change:
        """Take in an event; a further segment begins with a space where the language has spaces."""
        if isinstance(event, Settled):
            text = event.text
            self.line = self.line + text if self.line else text.lstrip()
            if self._boundary and self._started and not text[:1].isspace() and self._spaced(event):
                text = " " + text
            self._boundary, self._started = False, self._started or bool(text)
            return Change(added=text)
        if isinstance(event, Retract):
            self.line = self.line[: max(0, len(self.line) - event.characters)]
            self.retracted += event.characters
            return Change(removed=event.characters)
        if isinstance(event, Tail):
            self.tail, self.source = event.text, event.source
        elif isinstance(event, SegmentEnd):
            self.border()
            self.segments.append(event)
            return Change(closed=event)
        elif isinstance(event, End):
            self.end = event
        return Change()

    def border(self) -> None:
        """What follows belongs to a further segment."""
        self.line, self.tail, self.source, self._boundary = "", "", None, True

    def _spaced(self, event: Event) -> bool:
        return (event.language or self.language).split("-")[0].lower() not in SPACELESS


def settled_text(events: Iterable[Event], language: str = "") -> str:
    """The whole output of a stream: all settled text, joined, with retractions applied."""
    transcript, text = Transcript(language), ""
    for event in events:
        text = transcript.push(event).apply(text)
    return text
