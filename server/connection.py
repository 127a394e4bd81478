"""The rules of one socket: which message may come when, how much, how often. No I/O; every moment is an argument.

Messages of the native protocol go in, from the socket or a dialect; what the host is to do comes out of `requests`,
refusals come out of `errors`. A connection that is closed takes nothing more.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from server import protocol as p
from server.codec import CloseCode, ProtocolError
from server.intake import ENCODINGS
from simul.audio.pcm import BYTES_PER_SAMPLE

LOW_RATE, HIGH_RATE = 8_000, 48_000
CHANNELS = (1, 2)
LANGUAGE_LENGTH = 16
TARGETS = 16
TERMS, TERM_LENGTH = 500, 200
"""Of a session, and of each its characters."""
GAP_MS = 24 * 3600 * 1000


@dataclass(frozen=True)
class ConnectionLimits:
    """Bounds of one socket. Times in seconds.

    control_rate, control_burst: control messages a second, and at once. audio_rate: times real time in live mode,
    beyond audio_burst seconds at once.
    """

    frame_bytes: int = 64 * 1024
    file_frame_bytes: int = 1 << 20
    first_message: float = 10.0
    first_audio: float = 30.0
    idle: float = 60.0
    session: float = 4 * 3600.0
    control_rate: float = 20.0
    control_burst: float = 40.0
    audio_rate: float = 4.0
    audio_burst: float = 60.0


@dataclass(frozen=True)
class AudioFrame:
    """Whole frames of audio in the agreed format."""

    data: bytes


@dataclass(frozen=True)
class Bucket:
    """So much may pass at once, and `rate` a second after that; `level` is what has passed of it."""

    size: float
    rate: float
    level: float = 0.0
    at: float = 0.0

    def poured(self, amount: float, now: float) -> Bucket:
        """The bucket after `amount` more; it overflowed where `level` exceeds `size`."""
        level = max(0.0, self.level - (now - self.at) * self.rate)
        return Bucket(self.size, self.rate, level + amount, now)

    @property
    def over(self) -> bool:
        """Whether too much has passed."""
        return self.level > self.size


Request = p.ClientMessage | AudioFrame


class Connection:
    """Judges what one client sends; `state` is "opening", "open", "ending" or "closed"."""

    def __init__(self, now: float, limits: ConnectionLimits | None = None) -> None:
        self.limits = limits or ConnectionLimits()
        self.state = "opening"
        self.code, self.reason = CloseCode.DONE, ""
        self._opened = self._heard = now
        self._count = 0
        self._audio = p.AudioFormat()
        self._any_audio, self._live = False, True
        self._control = Bucket(self.limits.control_burst, self.limits.control_rate, at=now)
        self._flow = Bucket(self.limits.audio_burst, self.limits.audio_rate, at=now)
        self._requests: deque[Request] = deque()
        self._errors: deque[p.ErrorMessage] = deque()

    def requests(self) -> list[Request]:
        """What the host is to do, in order; each is given once."""
        found = list(self._requests)
        self._requests.clear()
        return found

    def errors(self) -> list[p.ErrorMessage]:
        """What is to be said to the client; each is given once. After a fatal one the socket is to be closed."""
        found = list(self._errors)
        self._errors.clear()
        return found

    @property
    def closed(self) -> bool:
        """Whether nothing more is taken; `code` and `reason` say why."""
        return self.state == "closed"

    def refuse(self, error: ProtocolError, ref: int | None = None) -> None:
        """A message could not be read: say so; before the session began, that closes the socket."""
        fatal = self.state == "opening" or error.close != CloseCode.BAD_MESSAGE
        self._say(error.code, str(error), fatal, error.close, error.param, ref, error.retry_after_ms)

    def fail(self, code: str, message: str, close: int, retry_after_ms: int | None = None) -> None:
        """Say what went wrong and close."""
        self._say(code, message, True, close, "", None, retry_after_ms)

    def _say(
        self,
        code: str,
        message: str,
        fatal: bool,
        close: int,
        param: str = "",
        ref: int | None = None,
        retry_after_ms: int | None = None,
    ) -> None:
        if self.closed:
            return
        self._errors.append(
            p.ErrorMessage(code, message, fatal, param, retry_after_ms=retry_after_ms, ref=ref)
        )
        if fatal:
            self.close(close, message)

    def close(self, code: int, reason: str = "") -> None:
        """Nothing more is taken."""
        if not self.closed:
            self.state, self.code, self.reason = "closed", code, reason

    def receive(self, message: Request, now: float) -> None:
        """The next message or audio of the client."""
        if self.closed:
            return
        self._count += 1
        try:
            if isinstance(message, AudioFrame):
                self._take_audio(message, now)
            else:
                self._take_message(message, now)
        except ProtocolError as error:
            self.refuse(error, self._count)

    def _take_message(self, message: p.ClientMessage, now: float) -> None:
        self._control = self._control.poured(1.0, now)
        if self._control.over:
            raise ProtocolError(
                f"More than {self.limits.control_rate:.0f} messages a second came; send fewer.",
                code="rate_limit",
                close=CloseCode.RATE,
            )
        opening = isinstance(message, (p.SessionStart, p.SessionResume))
        if self.state == "opening" and not opening:
            raise ProtocolError(
                f"The first message must be session.start or session.resume, not {message.type}.", "type"
            )
        if self.state != "opening" and opening:
            raise ProtocolError("The session has begun; a socket carries one session.", "type")
        if self.state == "ending" and not isinstance(message, (p.Ack, p.Ping)):
            raise ProtocolError(f"The session is ending; {message.type} comes too late.", "type")
        self._check(message)
        self._admit(message, now)
        self._requests.append(message)

    def _admit(self, message: p.ClientMessage, now: float) -> None:
        if isinstance(message, p.SessionStart):
            self.joined(message.audio, message.mode == "live")
        if isinstance(message, (p.SessionStart, p.SessionResume)):
            self.state, self._heard = "open", now
        elif isinstance(message, p.SessionClose):
            self.state = "ending"
        elif isinstance(message, p.Gap):
            self._heard = now

    def joined(self, audio: p.AudioFormat, live: bool) -> None:
        """The session that the socket carries: what its audio is, and whether it comes in real time."""
        self._audio, self._live = audio, live

    def _take_audio(self, frame: AudioFrame, now: float) -> None:
        if self.state == "opening":
            raise ProtocolError("Audio came before session.start; send that first.", close=1003)
        if self.state == "ending":
            raise ProtocolError("Audio came after end; the session is ending.", code="audio_after_end")
        size = BYTES_PER_SAMPLE[ENCODINGS[self._audio.encoding]] * self._audio.channels
        if len(frame.data) % size:
            raise ProtocolError(
                f"A frame of {len(frame.data)} bytes is not a whole number of {self._audio.encoding} samples "
                f"({size} bytes for all channels).",
                code="audio_format",
            )
        most = self.limits.frame_bytes if self._live else self.limits.file_frame_bytes
        if len(frame.data) > most:
            raise ProtocolError(
                f"A frame of {len(frame.data)} bytes came; send at most {most}.",
                code="frame_too_big",
                close=CloseCode.TOO_BIG,
            )
        if self._live:
            self._flow = self._flow.poured(len(frame.data) / size / self._audio.rate, now)
        if self._flow.over:
            raise ProtocolError(
                f"Audio came faster than {self.limits.audio_rate:g} times real time; use mode file for files.",
                code="rate_limit",
                close=CloseCode.RATE,
            )
        self._heard, self._any_audio = now, True
        if frame.data:
            self._requests.append(frame)

    def _check(self, message: p.ClientMessage) -> None:
        """Values that no session can have."""
        if isinstance(message, p.SessionStart):
            if message.protocol.partition(".")[0] != p.VERSION.partition(".")[0]:
                raise ProtocolError(
                    f"The protocol version {message.protocol!r:.40} is not spoken here; this is {p.VERSION}.",
                    "protocol",
                    "protocol_version",
                    CloseCode.UNAVAILABLE,
                )
            _check_audio(message.audio)
            if message.chunk_ms is not None and not 100 <= message.chunk_ms <= 10_000:
                raise ProtocolError("The field chunk_ms must be from 100 to 10000.", "chunk_ms")
        if isinstance(message, (p.SessionStart, p.SessionUpdate)):
            _check_languages(message.source, message.targets)
            _check_terms(message.glossary or ())
            _check_languages(None, message.two_way)
            if message.two_way and len(message.two_way) != 2:
                said = "A conversation has two languages; give two in two_way, or none."
                raise ProtocolError(said, "two_way", "language", CloseCode.UNAVAILABLE)
        if isinstance(message, p.Gap) and not 0 < message.ms <= GAP_MS:
            raise ProtocolError(f"The field ms must be from 1 to {GAP_MS}.", "ms")
        if isinstance(message, p.SessionResume) and (message.last_seq < 0 or message.next_sample < 0):
            raise ProtocolError("The fields last_seq and next_sample are 0 or more.", "last_seq")

    def tick(self, now: float) -> None:
        """Close what has been silent or open for too long."""
        limits = self.limits
        if self.state == "opening" and now - self._opened > limits.first_message:
            self.fail("timeout", "No session.start came; send it first.", CloseCode.IDLE)
        elif self.state == "open":
            patience = limits.idle if self._any_audio else limits.first_audio
            if now - self._heard > patience:
                said = f"No audio and no gap came for {patience:g} s; send gap while there is no audio."
                self.fail("idle", said, CloseCode.IDLE)


def _check_audio(audio: p.AudioFormat) -> None:
    if not LOW_RATE <= audio.rate <= HIGH_RATE:
        raise ProtocolError(
            f"The rate {audio.rate} Hz cannot be used; give {LOW_RATE} to {HIGH_RATE}.",
            "audio.rate",
            "audio_format",
            CloseCode.UNAVAILABLE,
        )
    if audio.channels not in CHANNELS:
        raise ProtocolError(
            f"Audio of {audio.channels} channels cannot be used; give 1 or 2.",
            "audio.channels",
            "audio_format",
            CloseCode.UNAVAILABLE,
        )


def _check_terms(terms: tuple[str, ...]) -> None:
    if len(terms) > TERMS:
        raise ProtocolError(f"The glossary has {len(terms)} terms; {TERMS} are allowed.", "glossary")
    if any(len(term) > TERM_LENGTH for term in terms):
        raise ProtocolError(f"A term of the glossary is longer than {TERM_LENGTH} characters.", "glossary")


def _check_languages(source: str | None, targets: tuple[str, ...] | None) -> None:
    for language in (*(() if source is None else (source,)), *(targets or ())):
        if not 2 <= len(language) <= LANGUAGE_LENGTH or not language.replace("-", "").isalnum():
            raise ProtocolError(
                f"{language!r:.40} is no language; give a code such as en, de or pt-BR.",
                "source" if language == source else "targets",
                "language",
                CloseCode.UNAVAILABLE,
            )
    if targets is not None and (len(targets) > TARGETS or len(set(targets)) != len(targets)):
        raise ProtocolError(
            f"Give up to {TARGETS} different target languages.", "targets", "language", CloseCode.UNAVAILABLE
        )
