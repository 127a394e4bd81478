"""Spoken translation: settled text of a stream becomes utterances, one after the other. No I/O; moments are arguments.

Text is cut where it can be spoken (`tts.Chunker`), a worker speaks one piece of a lane at a time, and what was asked of
a worker that broke is asked of the next one. Nothing that was settled is left unspoken, and nothing is spoken twice.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from server import protocol as p
from server.codec import encode
from server.workers.messages import SPEECH_RATE, SpeakText, TextSpoken
from tts import Chunker, Playout, SpeakingPace

FRAME_BYTES = SPEECH_RATE
"""Of speech in one frame: half a second."""
IDLE_SECONDS = 0.3
"""Of speech left to play, below which words that wait for a better place to be cut are spoken."""


@dataclass(frozen=True)
class SpokenUtterance(p.ServerMessage):
    """A piece of speech on its way to a client: what announces it, its samples, what closes it. It has one number."""

    numbered = True
    begin: p.SpeechBegin
    pcm: bytes

    @property
    def end(self) -> p.SpeechEnd:
        """What closes it."""
        begin = self.begin
        place = begin.stream, begin.utterance, begin.text, begin.samples, begin.position
        return p.SpeechEnd(*place, seq=self.seq)

    def frames(self) -> list[str | bytes]:
        """As it is sent."""
        parts = [self.pcm[at : at + FRAME_BYTES] for at in range(0, len(self.pcm), FRAME_BYTES)]
        return [encode(replace(self.begin, seq=self.seq - 1)), *parts, encode(self.end)]


@dataclass(frozen=True)
class _Piece:
    """Text to be spoken, and what it rests on (ms)."""

    text: str
    t0: int
    t1: int


class VoiceLane:
    """Speech of one language in a row: what waits, what a worker speaks at present, where the listener is."""

    def __init__(self, key: str, language: str, voice: str = "") -> None:
        self.key, self.language, self.voice = key, language, voice
        self.count = self.position = 0
        """Utterances so far, and their samples."""
        self._jobs = 0
        self._queue: deque[_Piece] = deque()
        self._asked: SpeakText | None = None
        self._given = False
        self._playout = Playout(SPEECH_RATE)

    @property
    def busy(self) -> bool:
        """Whether something is still to be spoken."""
        return bool(self._queue)

    def backlog(self, now: float) -> float:
        """Seconds of speech that the listener has not heard yet, as far as is known here."""
        return self._playout.backlog(_sample(now)) / SPEECH_RATE

    def say(self, text: str, t0: int, t1: int) -> None:
        """Speak a text after those before it; what cannot be pronounced is passed over."""
        if any(character.isalnum() for character in text):
            self._queue.append(_Piece(text.strip(), t0, t1))

    def job(self, now: float) -> SpeakText | None:
        """What a worker is to speak next; None: nothing, or it speaks."""
        if self._given or not self._queue:
            return None
        if self._asked is None:
            pace = self._playout.pace(_sample(now))
            text = self._queue[0].text
            self._asked = SpeakText(
                self.key, self._jobs, text, self.language, pace.speed, pace.hurry, self.voice
            )
            self._jobs += 1
        self._given = True
        return self._asked

    def again(self) -> None:
        """The worker broke: what it was asked for is to be asked for again."""
        self._given = False

    def clear(self) -> None:
        """Nothing of what waits is to be spoken any more."""
        self._queue.clear()
        self._asked, self._given = None, False

    def spoken(self, answer: TextSpoken, now: float) -> SpokenUtterance | None:
        """What a worker spoke; None where that is not what was asked for, or there is no sound."""
        asked = self._asked
        if asked is None or answer.number != asked.number:
            return None
        piece = self._queue.popleft()
        self._asked, self._given = None, False
        if not answer.pcm:
            return None
        ready, before = _sample(now), self._playout.end
        pace = SpeakingPace(asked.speed, asked.hurry)
        slot = self._playout.place(len(answer.pcm) // 2, ready, pace, piece.text)
        pause = slot.onset - before if before > ready else 0
        pcm = bytes(2 * pause) + answer.pcm
        samples = len(pcm) // 2
        place = self.language, self.count, piece.text, self.language, answer.voice, SPEECH_RATE
        begin = p.SpeechBegin(*place, samples, self.position, piece.t0, piece.t1)
        self.count += 1
        self.position += samples
        return SpokenUtterance(begin, pcm)


def _sample(now: float) -> int:
    return round(now * SPEECH_RATE)


class StreamVoice:
    """Speaks one stream of settled text."""

    def __init__(self, key: str, language: str) -> None:
        self.lane = VoiceLane(key, language)
        self._chunker = Chunker(language)
        self._spans: deque[tuple[int, int, int]] = deque()
        """Of text that is held: characters, t0, t1."""

    def settled(self, text: str, t0: int, t1: int, now: float) -> None:
        """Text was settled."""
        if text:
            self._spans.append((len(text), t0, t1))
            self._say(self._chunker.push(text, now))

    def pause(self, now: float) -> None:
        """Time passes: words that have waited long enough are spoken once there is nothing else to hear."""
        if not self.lane.busy and self.lane.backlog(now) < IDLE_SECONDS:
            self._say(self._chunker.poll(now))

    def flush(self) -> None:
        """Nothing belongs to what is held: speak it."""
        self._say(self._chunker.flush())
        self._spans.clear()

    def go_on(self, messages: Iterable[p.ServerMessage]) -> None:
        """What a server before this one said of the stream: what was settled and not spoken is spoken."""
        held: list[_Piece | None] = []
        for message in messages:
            if isinstance(message, p.SettledText):
                held.append(_Piece(message.text, message.t0, message.t1))
            elif isinstance(message, p.SegmentDone):
                held.append(None)
            elif isinstance(message, p.SpeechEnd):
                held = _without(held, message.text)
                self.lane.count = message.utterance + 1
                self.lane.position = message.position + message.samples
        for piece in held:
            if piece is None:
                self.flush()
            else:
                self.settled(piece.text, piece.t0, piece.t1, 0.0)

    def _say(self, units: Iterable[str]) -> None:
        for unit in units:
            self.lane.say(unit, *self._span(len(unit)))

    def _span(self, characters: int) -> tuple[int, int]:
        """What the next characters rest on; they are let go of."""
        begin, end = None, 0
        while characters > 0 and self._spans:
            length, t0, t1 = self._spans.popleft()
            begin, end = t0 if begin is None else min(begin, t0), max(end, t1)
            if length > characters:
                self._spans.appendleft((length - characters, t0, t1))
            characters -= length
        return begin or 0, end


def _without(held: list[_Piece | None], said: str) -> list[_Piece | None]:
    """Pieces and borders of segments (None) after what was said."""
    at = "".join(piece.text for piece in held if piece).find(said)
    left = at + len(said) if at >= 0 else 0
    for index, piece in enumerate(held):
        if piece is not None and len(piece.text) > left:
            return [replace(piece, text=piece.text[left:]), *held[index + 1 :]]
        left -= len(piece.text) if piece else 0
    return []


@dataclass
class SessionVoices:
    """The voices of a session. A stream that is left for another language is spoken to its end."""

    key: str
    voices: dict[str, StreamVoice] = field(default_factory=dict)
    _told: bool = False

    @property
    def busy(self) -> bool:
        """Whether something is still to be spoken."""
        return any(voice.lane.busy for voice in self.voices.values())

    def choose(self, streams: Iterable[str], chosen: Mapping[str, str]) -> None:
        """Speak these streams, and of the others what was settled. chosen: voices by stream, where not the usual."""
        wanted = set(streams)
        for name in wanted - self.voices.keys():
            self.voices[name] = StreamVoice(self.key, name)
        for name in self.voices.keys() - wanted:
            self.voices[name].flush()
        for name in wanted:
            self.voices[name].lane.voice = chosen.get(name, "")

    def heard(self, message: p.ServerMessage, streams: Iterable[str], now: float) -> None:
        """What the client is told; `streams` are those that are spoken."""
        voice = self.voices.get(getattr(message, "stream", ""))
        if voice is None or message.stream not in streams:  # type: ignore[attr-defined]
            return
        if isinstance(message, p.SettledText):
            voice.settled(message.text, message.t0, message.t1, now)
        elif isinstance(message, p.SegmentDone):
            voice.flush()

    def go_on(self, messages: Iterable[p.ServerMessage]) -> None:
        """What a server before this one said."""
        told = list(messages)
        for name, voice in self.voices.items():
            voice.go_on(message for message in told if getattr(message, "stream", "") == name)

    def finish(self) -> None:
        """There will be no more text."""
        for voice in self.voices.values():
            voice.flush()

    def again(self) -> None:
        """The worker broke."""
        for voice in self.voices.values():
            voice.lane.again()

    def jobs(self, now: float) -> Iterator[SpeakText]:
        """What a worker is to speak."""
        for voice in self.voices.values():
            voice.pause(now)
            job = voice.lane.job(now)
            if job is not None:
                yield job

    def spoken(self, answer: TextSpoken, now: float) -> p.ServerMessage | None:
        """What a worker spoke, or, the first time that it could not, why."""
        voice = self.voices.get(answer.language)
        if voice is None:
            return None
        found = voice.lane.spoken(answer, now)
        if found is None and answer.failure and not self._told:
            self._told = True
            return p.ErrorMessage("speech", answer.failure)
        return found
