"""One stream of a session's text as it stands, and how its messages are made of a worker's events."""

from __future__ import annotations

from dataclasses import dataclass, field

from server import protocol as p
from server.voice import SpokenUtterance
from simul.languages import SPACELESS
from simul.session.events import TimedWord
from simul.session.transcript import Transcript
from simul.units import SAMPLE_RATE

SPEECH_SHARE = 32
"""Speech counts by this part of its bytes: 8 MiB of it are kept."""


def to_ms(samples: int) -> int:
    """Samples at 16 kHz as milliseconds."""
    return samples * 1000 // SAMPLE_RATE


@dataclass
class TextStream:
    """One stream of text as it stands. settled: ms up to which text rests on audio; repeat: what is to be said again.

    After a worker broke, a stream settles anew what it had settled of the open segment; that much is passed over. Of
    the line, the first `before` characters rest on audio that is not kept any more.
    """

    name: str
    language: str
    transcript: Transcript
    segments: list[str] = field(default_factory=list)
    segment: int = 0
    line: str = ""
    tail: str = ""
    settled: int = 0
    words: int = 0
    repeat: str = ""
    before: int = 0

    def state(self) -> p.StreamState:
        """As a snapshot tells it."""
        return p.StreamState(self.name, tuple(self.segments), self.segment, self.line, self.tail)


def size_of(message: p.ServerMessage) -> int:
    """About how many bytes a message takes up."""
    if isinstance(message, SpokenUtterance):
        return 200 + len(message.pcm) // SPEECH_SHARE
    words = len(message.words) if isinstance(message, p.SettledText) else 0
    return 200 + 2 * len(getattr(message, "text", "")) + 40 * words


def wire_word(word: TimedWord) -> p.WireWord:
    """A word as messages tell it."""
    start = None if word.start is None else to_ms(word.start)
    end = None if word.end is None else to_ms(word.end)
    confidence = None if word.confidence is None else round(word.confidence, 3)
    return p.WireWord(word.text, start, end, confidence)


def joined(stream: TextStream, text: str) -> str:
    """The text of a further segment with the space before it, where the language has spaces."""
    return text if not stream.segments or stream.language in SPACELESS else " " + text


def after_repeat(stream: TextStream, text: str) -> str:
    """What of text that is settled anew goes beyond what was said before."""
    said = stream.repeat
    new = text.lstrip() if len(said) == len(stream.line) else text
    if said.startswith(new):
        stream.repeat = said[len(new) :]
        return ""
    stream.repeat = ""
    if new.startswith(said):
        return new[len(said) :]
    # The audio was heard otherwise this time: what is settled stays, and as many words as were said are passed over.
    words, count = new.split(), len(said.split())
    stream.repeat = " ".join(said.split()[len(words) :])
    return "".join(f" {word}" for word in words[count:])
