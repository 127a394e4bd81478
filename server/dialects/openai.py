"""OpenAI's Realtime protocol: transcription (`/v1/realtime?intent=transcription`) and translation
(`/v1/realtime/translations`). Audio comes as base64 in JSON, 16-bit at 24 kHz (transcription: G.711 at 8 kHz too).

Text is only appended there, so tails are not told. In transcription a segment is an item: its settled text comes as
deltas, then whole. `commit` settles what was heard. `keywords` are terms, and so is a `prompt` that is a list of such;
turn detection and models are the server's affair.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping
from typing import Any

from server import protocol as p
from server.codec import ProtocolError, read_json
from server.connection import AudioFrame, Request
from server.dialects.base import Dialect, Frame, RawFrame, terms_within, text_within, within
from server.voice import FRAME_BYTES, SpokenUtterance
from server.workers.messages import SPEECH_RATE

RATE = 24_000
STEP_MS = 200
"""Times of translation are told in steps of it."""
FORMATS = {
    "audio/pcm": p.AudioFormat("pcm_s16le", RATE),
    "audio/pcmu": p.AudioFormat("mulaw", 8_000),
    "audio/pcma": p.AudioFormat("alaw", 8_000),
}
_HOUR = 3600
WORDS_OF_A_TERM = 4
"""At most; a longer part of a prompt makes it a text instead of a list of terms."""


class _OpenAIDialect(Dialect):
    """What both have in common: events in JSON with numbers, audio in base64, errors."""

    def __init__(self, query: Mapping[str, str]) -> None:
        super().__init__(query)
        self._events = 0
        self._begun = False
        self._audio = FORMATS["audio/pcm"]
        self._model = query.get("model", "")

    def _event(self, kind: str, **fields: Any) -> str:
        self._events += 1
        return json.dumps({"type": kind, "event_id": f"event_{self._events}", **fields}, ensure_ascii=False)

    def receive(self, frame: Frame) -> list[Request | RawFrame]:
        """An event of the client."""
        if isinstance(frame, bytes):
            raise ProtocolError("Audio comes as base64 in JSON here, not in binary frames.")
        data = read_json(frame, limited=False)
        kind = data.get("type") if isinstance(data, dict) else None
        if not isinstance(kind, str):
            raise ProtocolError("An event is a JSON object with a type.", "type")
        return self._client_event(kind, data)

    def _client_event(self, kind: str, data: dict[str, Any]) -> list[Request | RawFrame]:
        raise NotImplementedError

    def _start(self) -> p.SessionStart:
        raise NotImplementedError

    def _appended(self, data: dict[str, Any]) -> list[Request | RawFrame]:
        try:
            audio = base64.b64decode(text_within(data, "audio") or "", validate=True)
        except (ValueError, binascii.Error):
            raise ProtocolError("The audio is not base64.", "audio", "invalid_audio") from None
        return [*self._beginning(), AudioFrame(audio)]

    def _beginning(self) -> list[Request | RawFrame]:
        """The session begins with the first audio, when its settings are known."""
        if self._begun:
            return []
        self._begun = True
        return [self._start()]

    def _failed(self, message: p.ErrorMessage) -> list[Frame]:
        kind = "server_error" if message.code in ("failed", "overloaded") else "invalid_request_error"
        error = {
            "type": kind,
            "code": message.code,
            "message": message.message,
            "param": message.param or None,
        }
        return [self._event("error", error=error)]


class OpenAITranscription(_OpenAIDialect):
    """`/v1/realtime?intent=transcription`."""

    def __init__(self, query: Mapping[str, str]) -> None:
        super().__init__(query)
        self._language: str | None = None
        self._terms: tuple[str, ...] | None = None
        self._item = ""
        self._session: dict[str, Any] = {"type": "transcription"}

    def opening(self) -> list[Request | RawFrame]:
        """The session as it is before it is changed."""
        return [RawFrame(self._event("session.created", session=self._session))]

    def _start(self) -> p.SessionStart:
        return p.SessionStart(audio=self._audio, source=self._language, targets=(), glossary=self._terms)

    def _client_event(self, kind: str, data: dict[str, Any]) -> list[Request | RawFrame]:
        if kind in ("session.update", "transcription_session.update"):
            return self._update(within(data, "session"))
        if kind == "input_audio_buffer.append":
            return self._appended(data)
        if kind == "input_audio_buffer.commit":
            return [*self._beginning(), p.Flush("commit")]
        if kind == "input_audio_buffer.clear":
            return [RawFrame(self._event("input_audio_buffer.cleared"))]
        raise ProtocolError(f"The event {kind!r:.60} is not known in transcription.", "type", "unknown_event")

    def _update(self, session: Any) -> list[Request | RawFrame]:
        given = within(session, "audio", "input")
        kind = within(given, "format", "type") or "audio/pcm"
        if not isinstance(kind, str) or kind not in FORMATS:
            raise ProtocolError(f"The format {kind!r:.40} is not known; give one of {', '.join(FORMATS)}.")
        language = text_within(given, "transcription", "language")
        several = within(given, "transcription", "languages")
        first = several[0] if isinstance(several, list) and several and isinstance(several[0], str) else None
        self._language = language or first or self._language
        asked = within(given, "transcription")
        if isinstance(asked, dict) and {"keywords", "prompt"} & asked.keys():
            self._terms = (*terms_within(asked.get("keywords")), *terms_within(_listed(asked.get("prompt"))))
        shown = {**self._session, **session} if isinstance(session, dict) else self._session
        told = [RawFrame(self._event("session.updated", session=shown))]
        if self._begun:
            return [p.SessionUpdate(source=self._language, glossary=self._terms), *told]
        self._audio = FORMATS[kind]
        return [*told]

    def told(self, message: p.ServerMessage) -> list[Frame]:
        """Deltas of an item, then the whole of it."""
        if isinstance(message, p.ErrorMessage):
            return self._failed(message)
        if isinstance(message, p.SettledText):
            item = f"item_{message.segment}"
            place = {"item_id": item, "content_index": 0}
            delta = message.text if item == self._item else message.text.lstrip()
            event = self._event("conversation.item.input_audio_transcription.delta", **place, delta=delta)
            return [*self._new_item(item), event]
        if isinstance(message, p.SegmentDone):
            item = f"item_{message.segment}"
            seconds = {"type": "duration", "seconds": (message.t1 - message.t0) / 1000}
            done = {"item_id": item, "content_index": 0, "transcript": message.text, "usage": seconds}
            event = self._event("conversation.item.input_audio_transcription.completed", **done)
            return [*self._new_item(item), event]
        return []

    def _new_item(self, item: str) -> list[Frame]:
        if item == self._item:
            return []
        before, self._item = self._item or None, item
        return [self._event("input_audio_buffer.committed", item_id=item, previous_item_id=before)]


class OpenAITranslation(_OpenAIDialect):
    """`/v1/realtime/translations`. `session.close` settles the rest; the answer is `session.closed`."""

    def __init__(self, query: Mapping[str, str]) -> None:
        super().__init__(query)
        self._target: str | None = None
        self._transcript = False
        self._stream = p.SOURCE

    def opening(self) -> list[Request | RawFrame]:
        """The session as it is before it is changed."""
        return [RawFrame(self._event("session.created", session=self._session()))]

    def _session(self) -> dict[str, Any]:
        audio = {"input": {}, "output": {"language": self._target}}
        return {
            "id": "session",
            "type": "translation",
            "model": self._model,
            "audio": audio,
            "expires_at": _HOUR,
        }

    def _start(self) -> p.SessionStart:
        targets = None if self._target is None else (self._target,)
        return p.SessionStart(audio=self._audio, targets=targets, want=p.Want(speech=True))

    def _client_event(self, kind: str, data: dict[str, Any]) -> list[Request | RawFrame]:
        if kind == "session.update":
            return self._update(within(data, "session"))
        if kind == "session.input_audio_buffer.append":
            return self._appended(data)
        if kind == "session.close":
            return [*self._beginning(), p.SessionClose()]
        raise ProtocolError(f"The event {kind!r:.60} is not known in translation.", "type", "unknown_event")

    def _update(self, session: Any) -> list[Request | RawFrame]:
        language = text_within(session, "audio", "output", "language")
        self._target = language or self._target
        self._transcript = bool(within(session, "audio", "input", "transcription")) or self._transcript
        told = RawFrame(self._event("session.updated", session=self._session()))
        if self._begun and language:
            return [p.SessionUpdate(targets=(language,)), told]
        return [told]

    def told(self, message: p.ServerMessage) -> list[Frame]:
        """Deltas of both transcripts, and of the speech."""
        if isinstance(message, (p.SessionReady, p.SessionUpdated)):
            self._stream = message.config.streams[-1]
        if isinstance(message, p.ErrorMessage):
            # A language without a voice is nothing that a client of this protocol asked for.
            return [] if message.code == "speech" else self._failed(message)
        if isinstance(message, SpokenUtterance):
            return self._said(message)
        if isinstance(message, p.SessionEnd):
            return [self._event("session.closed")]
        if not isinstance(message, p.SettledText):
            return []
        elapsed = _elapsed(message.t1)
        if message.stream == self._stream:
            return [self._event("session.output_transcript.delta", delta=message.text, elapsed_ms=elapsed)]
        if message.stream == p.SOURCE and self._transcript:
            return [self._event("session.input_transcript.delta", delta=message.text, elapsed_ms=elapsed)]
        return []

    def _said(self, message: SpokenUtterance) -> list[Frame]:
        """Speech in pieces; the rate of this protocol is the one of all speech here."""
        form = {"sample_rate": SPEECH_RATE, "channels": 1, "format": "pcm16"}
        parts = [message.pcm[at : at + FRAME_BYTES] for at in range(0, len(message.pcm), FRAME_BYTES)]
        told = {"elapsed_ms": _elapsed(message.begin.t1), **form}
        kind = "session.output_audio.delta"
        return [self._event(kind, delta=base64.b64encode(part).decode(), **told) for part in parts]


def _listed(prompt: Any) -> list[str]:
    """The terms of a prompt that is a list of them; of one in whole sentences none."""
    parts = [part.strip(" .") for part in re.split("[,;\\n]", prompt)] if isinstance(prompt, str) else []
    short = all(len(part.split()) <= WORDS_OF_A_TERM for part in parts)
    return [part for part in parts if part] if short else []


def _elapsed(ms: int) -> int:
    return -(-ms // STEP_MS) * STEP_MS
