"""A subset of Deepgram's live protocol (`/v1/listen`, version 1): raw audio in, `Results` out, no models or features.

Settled text comes as final results, the tail as interim ones, the end of a segment as an empty final result with
`speech_final`. `keyterm` and `keywords` are terms. `Finalize` settles what was heard, `CloseStream` (or an empty frame)
ends the session.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, ClassVar

from server import protocol as p
from server.codec import CloseCode, ProtocolError, read_json
from server.connection import AudioFrame, Request
from server.dialects.base import Dialect, Frame, RawFrame, terms_within, within

ENCODINGS: Mapping[str, p.Encoding] = {"linear16": "pcm_s16le", "mulaw": "mulaw", "alaw": "alaw"}


class DeepgramDialect(Dialect):
    """One socket of `/v1/listen`."""

    several: ClassVar[tuple[str, ...]] = ("keyterm", "keywords")

    def __init__(self, query: Mapping[str, str]) -> None:
        super().__init__(query)
        self._interim = query.get("interim_results", "false").lower() == "true"
        self._words: tuple[p.WireWord, ...] = ()
        self._at = 0
        self._request = ""
        self._odd = b""
        self._frame_bytes = 2

    def opening(self) -> list[Request | RawFrame]:
        """The session that the address asks for."""
        encoding = self.query.get("encoding", "linear16")
        rate, channels = self.query.get("sample_rate", "16000"), self.query.get("channels", "1")
        if encoding not in ENCODINGS:
            raise ProtocolError(
                f"The encoding {encoding!r:.40} is not known here; give one of {', '.join(ENCODINGS)}.",
                "encoding",
                "audio_format",
                CloseCode.UNAVAILABLE,
            )
        if not (rate.isdecimal() and channels.isdecimal()):
            raise ProtocolError("The sample_rate and the channels are whole numbers.", "sample_rate")
        self._frame_bytes = (2 if encoding == "linear16" else 1) * max(1, int(channels))
        audio = p.AudioFormat(ENCODINGS[encoding], int(rate), int(channels))
        language = self.query.get("language")
        source = None if language in (None, "", "multi") else str(language).partition("-")[0]
        return [p.SessionStart(audio=audio, source=source, targets=(), glossary=self._terms() or None)]

    def _terms(self) -> tuple[str, ...]:
        """Key terms, and keywords without how much they weigh."""
        terms = self.query.get("keyterm", "").splitlines()
        words = [line.partition(":")[0] for line in self.query.get("keywords", "").splitlines()]
        return terms_within([*terms, *words])

    def receive(self, frame: Frame) -> list[Request | RawFrame]:
        """Audio, or what is to be done with it."""
        if isinstance(frame, bytes):
            data = self._odd + frame
            whole = len(data) - len(data) % self._frame_bytes
            self._odd = data[whole:]
            return [AudioFrame(data[:whole])] if frame else [p.SessionClose()]
        kind = within(read_json(frame), "type")
        if kind == "CloseStream":
            return [p.SessionClose()]
        if kind == "Finalize":
            return [p.Flush("finalize")]
        if kind == "KeepAlive":
            return []
        raise ProtocolError(
            f"The message type {kind!r:.40} is not known; send Finalize, KeepAlive or CloseStream."
        )

    def told(self, message: p.ServerMessage) -> list[Frame]:
        """Results."""
        if isinstance(message, p.SessionReady):
            self._request = message.session
        if isinstance(message, p.ErrorMessage):
            error = {
                "type": "Error",
                "description": message.message,
                "message": message.message,
                "variant": message.code,
            }
            return [json.dumps(error)]
        if isinstance(message, p.SettledText):
            self._at = message.t1
            return [self._results(message.text.strip(), message.t0, message.t1, message.words, final=True)]
        if isinstance(message, p.TailText) and self._interim and message.text.strip():
            return [self._results(message.text.strip(), self._at, self._at, (), final=False)]
        if isinstance(message, p.SegmentDone):
            return [self._results("", message.t1, message.t1, (), final=True, speech_final=True)]
        if isinstance(message, p.Flushed):
            return [
                self._results("", message.t, message.t, (), final=True, speech_final=True, from_finalize=True)
            ]
        if isinstance(message, p.SessionEnd):
            return [self._metadata(message)]
        return []

    def _results(
        self,
        text: str,
        t0: int,
        t1: int,
        words: tuple[p.WireWord, ...],
        final: bool,
        speech_final: bool = False,
        from_finalize: bool = False,
    ) -> Frame:
        known = [word.p for word in words if word.p is not None]
        alternative: dict[str, Any] = {"transcript": text, "words": [_word(word, t0, t1) for word in words]}
        alternative["confidence"] = round(sum(known) / len(known), 3) if known else 0.0
        info = {"name": "simul", "version": p.VERSION, "arch": "simul"}
        return json.dumps(
            {
                "type": "Results",
                "channel_index": [0, 1],
                "start": t0 / 1000,
                "duration": (t1 - t0) / 1000,
                "is_final": final,
                "speech_final": speech_final,
                "from_finalize": from_finalize,
                "channel": {"alternatives": [alternative]},
                "metadata": {"request_id": self._request, "model_info": info, "model_uuid": ""},
            },
            ensure_ascii=False,
        )

    def _metadata(self, message: p.SessionEnd) -> Frame:
        return json.dumps(
            {
                "type": "Metadata",
                "transaction_key": "deprecated",
                "request_id": self._request,
                "sha256": "",
                "created": "",
                "duration": message.audio_ms / 1000,
                "channels": 1,
            }
        )


def _word(word: p.WireWord, t0: int, t1: int) -> dict[str, Any]:
    """A word; where its times are not known, those of the text it is in."""
    begin, end = t0 if word.t0 is None else word.t0, t1 if word.t1 is None else word.t1
    bare = word.w.strip(" .,;:!?…\"'()").lower()
    found = {"word": bare, "punctuated_word": word.w.strip(), "start": begin / 1000, "end": end / 1000}
    return {**found, "confidence": word.p} if word.p is not None else found
