"""The native protocol `simul.v1`: every message as a dataclass; `server.codec` reads and writes them as JSON.

A text frame is one JSON object with `type`. A binary frame is audio alone: whole samples, no header; from the client in
the agreed encoding, channels interleaved; from the server speech, 16-bit mono, after `speech.begin`. The clock of a
session is the number of samples per channel that it has received, gaps included; times in messages are milliseconds of
that clock. Text comes in streams: "source", and one for each target language. A stream is a list of segments; of a
segment, settled text only grows, and the tail is replaced whole.

Messages of the server that must not be lost are numbered without a hole (`numbered`); the others repeat the number of
the last one before them. Unknown fields are ignored, so that later versions may add some.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal

SUBPROTOCOL = "simul.v1"
VERSION = "1.0"
SOURCE = "source"
"""The stream of what is spoken."""

Encoding = Literal["pcm_s16le", "pcm_f32le", "mulaw", "alaw"]


@dataclass(frozen=True)
class AudioFormat:
    """What binary frames hold: rate in Hz, channels interleaved (they are mixed)."""

    encoding: Encoding = "pcm_s16le"
    rate: int = 16_000
    channels: int = 1


@dataclass(frozen=True)
class PolicyChoice:
    """A read/write policy by name, and its parameters as texts."""

    name: str
    params: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Want:
    """What the client wants to be told besides settled text. speech: every target language is spoken, by the voice of
    `voice` for it (names by language, of those in `/v1/info`), else by the usual one.
    """

    tail: bool = True
    words: bool = True
    source_text: bool = True
    progress: bool = True
    speech: bool = False
    voice: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class WireWord:
    """A settled word: text, begin and end (ms), probability 0 to 1; what is not known is left out."""

    w: str
    t0: int | None = None
    t1: int | None = None
    p: float | None = None


@dataclass(frozen=True)
class LagParts:
    """Why settled text came late, in ms: waiting for the processor, computing, waiting for context."""

    queue: int = 0
    compute: int = 0
    policy: int = 0


@dataclass(frozen=True)
class StreamConfig:
    """What a session does: languages, streams of text, policy, model, audio.

    speech: streams that are spoken; voice: those of them that were given a voice; terms: how many it brought.
    """

    source: str
    targets: tuple[str, ...]
    streams: tuple[str, ...]
    policy: str
    chunk_ms: int
    model: str
    audio: AudioFormat = AudioFormat()
    speech: tuple[str, ...] = ()
    terms: int = 0
    two_way: tuple[str, ...] = ()
    voice: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ServerLimits:
    """Bounds of a session: bytes of a frame, ms of audio that may wait, ms without audio, ms in all."""

    frame_bytes: int
    queue_ms: int
    idle_ms: int
    session_ms: int


@dataclass(frozen=True)
class StreamState:
    """One stream as it stands: settled text of finished segments, the open segment's settled text and tail."""

    stream: str
    segments: tuple[str, ...]
    segment: int
    text: str
    tail: str


@dataclass(frozen=True)
class Missing:
    """Audio from t0 to t1 (ms) that neither side has any more."""

    t0: int
    t1: int


@dataclass(frozen=True)
class ClientMessage:
    """Base of what a client sends."""

    type: ClassVar[str] = ""


@dataclass(frozen=True)
class SessionStart(ClientMessage):
    """The first message. What is left out is as the server was started; `targets` empty: transcribe only.

    glossary: names and rare words that are going to be said, each a line as in a file of `--terms`: the word, after tab
    stops other ways of saying it, and what it is called in other languages as "de=Wort". two_way: two languages, of
    which either is spoken: which one is found out for every segment ("source", whose messages say it), and told in the
    other, whose stream it is.
    """

    type: ClassVar[str] = "session.start"
    protocol: str = VERSION
    audio: AudioFormat = AudioFormat()
    source: str | None = None
    targets: tuple[str, ...] | None = None
    mode: Literal["live", "file"] = "live"
    policy: PolicyChoice | None = None
    chunk_ms: int | None = None
    want: Want = Want()
    glossary: tuple[str, ...] | None = None
    two_way: tuple[str, ...] | None = None
    token: str | None = None
    client: str | None = None


@dataclass(frozen=True)
class SessionResume(ClientMessage):
    """The first message on a new socket: go on with a session. next_sample: the first that can still be sent."""

    type: ClassVar[str] = "session.resume"
    session: str
    resume_token: str
    last_seq: int
    next_sample: int
    token: str | None = None


@dataclass(frozen=True)
class SessionUpdate(ClientMessage):
    """Change languages, policy, terms or what is wanted from the next audio on; what is left out stays."""

    type: ClassVar[str] = "session.update"
    source: str | None = None
    targets: tuple[str, ...] | None = None
    policy: PolicyChoice | None = None
    want: Want | None = None
    glossary: tuple[str, ...] | None = None
    two_way: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Flush(ClientMessage):
    """Settle everything heard so far and go on; answered by `flushed`."""

    type: ClassVar[str] = "flush"
    id: str = ""


@dataclass(frozen=True)
class Mark(ClientMessage):
    """Echoed by `marked` once all audio before it has been processed."""

    type: ClassVar[str] = "mark"
    id: str = ""


@dataclass(frozen=True)
class Gap(ClientMessage):
    """Time passed without audio (muted, device lost): the clock moves on by `ms`."""

    type: ClassVar[str] = "gap"
    ms: int


@dataclass(frozen=True)
class Ack(ClientMessage):
    """The last numbered message that the client has applied."""

    type: ClassVar[str] = "ack"
    seq: int


@dataclass(frozen=True)
class Ping(ClientMessage):
    """Answered by `pong` with the same `ts`."""

    type: ClassVar[str] = "ping"
    ts: float


@dataclass(frozen=True)
class SessionClose(ClientMessage):
    """No more audio: settle the rest, say `session.end`, close."""

    type: ClassVar[str] = "end"


@dataclass(frozen=True)
class ServerMessage:
    """Base of what a server sends. numbered: it takes the next number and is kept until acknowledged."""

    type: ClassVar[str] = ""
    numbered: ClassVar[bool] = False
    seq: int = field(default=0, kw_only=True)


@dataclass(frozen=True)
class SessionWaiting(ServerMessage):
    """The session cannot begin yet; audio may be sent and is kept. reason: "loading" models, "capacity"."""

    type: ClassVar[str] = "session.waiting"
    reason: Literal["loading", "capacity"]
    message: str


@dataclass(frozen=True)
class SessionReady(ServerMessage):
    """The session has begun. resume_token: can be used once, within resume_window_ms of a lost connection."""

    type: ClassVar[str] = "session.ready"
    session: str
    resume_token: str
    resume_window_ms: int
    config: StreamConfig
    limits: ServerLimits
    server: str
    protocol: str = VERSION


@dataclass(frozen=True)
class SessionResumed(ServerMessage):
    """The session goes on. Send audio from next_sample; messages after from_seq follow; gap: what is lost."""

    type: ClassVar[str] = "session.resumed"
    session: str
    resume_token: str
    next_sample: int
    from_seq: int
    gap: Missing | None = None


@dataclass(frozen=True)
class SessionUpdated(ServerMessage):
    """What the session does from here on."""

    type: ClassVar[str] = "session.updated"
    numbered: ClassVar[bool] = True
    config: StreamConfig


@dataclass(frozen=True)
class SettledText(ServerMessage):
    """Text that will not change: append `text` to the stream; `tail` then stands behind it.

    All `text` of a stream in a row is the whole of it, spaces included. t0, t1: what it rests on (ms).
    """

    type: ClassVar[str] = "settled"
    numbered: ClassVar[bool] = True
    stream: str
    segment: int
    text: str
    language: str
    t0: int
    t1: int
    tail: str = ""
    words: tuple[WireWord, ...] = ()
    lag: LagParts = LagParts()


@dataclass(frozen=True)
class TailText(ServerMessage):
    """What stands behind the settled text of a stream and may still change; replaces the former tail."""

    type: ClassVar[str] = "tail"
    stream: str
    segment: int
    text: str
    language: str


@dataclass(frozen=True)
class SegmentDone(ServerMessage):
    """A segment is complete: its settled texts in a row, without spaces at the ends, are `text`."""

    type: ClassVar[str] = "segment.end"
    numbered: ClassVar[bool] = True
    stream: str
    segment: int
    text: str
    language: str
    t0: int
    t1: int
    reason: str


@dataclass(frozen=True)
class SpeechBegin(ServerMessage):
    """Settled text is spoken: `samples` at `rate` Hz follow in binary frames, and nothing else before `speech.end`.

    utterance: counts those of the stream from 0. position: samples of the stream's speech before this, pauses
    included, so that a client that resumed in an utterance knows what it has. t0, t1: what the text rests on (ms).
    """

    type: ClassVar[str] = "speech.begin"
    stream: str
    utterance: int
    text: str
    language: str
    voice: str
    rate: int
    samples: int
    position: int
    t0: int
    t1: int


@dataclass(frozen=True)
class SpeechEnd(ServerMessage):
    """The utterance is complete; `text` is what was said."""

    type: ClassVar[str] = "speech.end"
    numbered: ClassVar[bool] = True
    stream: str
    utterance: int
    text: str
    samples: int
    position: int


@dataclass(frozen=True)
class AudioAck(ServerMessage):
    """Samples per channel, gaps included, that the server has and will not ask for again."""

    type: ClassVar[str] = "audio.ack"
    samples: int


@dataclass(frozen=True)
class AudioLost(ServerMessage):
    """Audio from t0 to t1 (ms) was not processed, and why."""

    type: ClassVar[str] = "gap"
    numbered: ClassVar[bool] = True
    t0: int
    t1: int
    reason: str


@dataclass(frozen=True)
class SessionProgress(ServerMessage):
    """At most once a second, in ms: received, processed, settled by stream, waiting."""

    type: ClassVar[str] = "progress"
    received: int
    processed: int
    settled: dict[str, int]
    queue_ms: int


@dataclass(frozen=True)
class Degraded(ServerMessage):
    """Computing is behind, so that less is decided or shown; level 0: all is as it should be again."""

    type: ClassVar[str] = "degraded"
    numbered: ClassVar[bool] = True
    level: int
    reduced: str
    reason: str


@dataclass(frozen=True)
class Marked(ServerMessage):
    """All audio before the mark `id` has been processed; t: where it stood (ms)."""

    type: ClassVar[str] = "marked"
    numbered: ClassVar[bool] = True
    id: str
    t: int


@dataclass(frozen=True)
class Flushed(ServerMessage):
    """Everything heard before the flush `id` is settled; t: where it stood (ms)."""

    type: ClassVar[str] = "flushed"
    numbered: ClassVar[bool] = True
    id: str
    t: int


@dataclass(frozen=True)
class Pong(ServerMessage):
    """Answer to a ping; time: the server's clock in seconds since 1970."""

    type: ClassVar[str] = "pong"
    ts: float
    time: float


@dataclass(frozen=True)
class SessionMoving(ServerMessage):
    """The server stops in deadline_ms: resume elsewhere ("" : at the same address), or finish."""

    type: ClassVar[str] = "session.moving"
    deadline_ms: int
    address: str
    message: str


@dataclass(frozen=True)
class Snapshot(ServerMessage):
    """The whole text as it stands: the messages after the client's last number are not kept any more."""

    type: ClassVar[str] = "snapshot"
    streams: tuple[StreamState, ...]


@dataclass(frozen=True)
class ErrorMessage(ServerMessage):
    """What went wrong, in a sentence. fatal: the socket is closed next. ref: number of the client's message."""

    type: ClassVar[str] = "error"
    code: str
    message: str
    fatal: bool = False
    param: str = ""
    hint: str = ""
    retry_after_ms: int | None = None
    ref: int | None = None


@dataclass(frozen=True)
class SessionEnd(ServerMessage):
    """The last message: totals. lost: samples per channel that were received and not processed."""

    type: ClassVar[str] = "session.end"
    numbered: ClassVar[bool] = True
    audio_ms: int
    words: int
    messages: int
    lost: int
    lag_p50_ms: int
    lag_p95_ms: int


CLIENT_MESSAGES: Mapping[str, type[ClientMessage]] = {
    kind.type: kind
    for kind in (SessionStart, SessionResume, SessionUpdate, Flush, Mark, Gap, Ack, Ping, SessionClose)
}
_TEXT = SettledText, TailText, SegmentDone, SpeechBegin, SpeechEnd, Snapshot
_STATE = (
    SessionWaiting,
    SessionReady,
    SessionResumed,
    SessionUpdated,
    SessionProgress,
    Degraded,
    SessionMoving,
)
_ANSWERS = AudioAck, AudioLost, Marked, Flushed, Pong, ErrorMessage, SessionEnd
SERVER_MESSAGES: Mapping[str, type[ServerMessage]] = {
    kind.type: kind for kind in (*_STATE, *_TEXT, *_ANSWERS)
}
