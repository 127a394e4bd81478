"""Vosk's WebSocket protocol (`/vosk`): one answer to every binary frame, at once, even if nothing is new.

An answer is the text of a segment that has become complete, or else what of the open one is known so far.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Mapping
from typing import Any

from server import protocol as p
from server.codec import ProtocolError, read_json
from server.connection import AudioFrame, Request
from server.dialects.base import Dialect, Frame, RawFrame, terms_within

RATE = 8_000
"""Unless the client says otherwise."""


class VoskDialect(Dialect):
    """One socket of `/vosk`."""

    def __init__(self, query: Mapping[str, str]) -> None:
        super().__init__(query)
        self._rate = RATE
        self._with_words = False
        self._terms: tuple[str, ...] = ()
        self._begun = False
        self._open = self._tail = ""
        self._words: list[dict[str, Any]] = []
        self._done: deque[dict[str, Any]] = deque()
        self._odd = b""

    def receive(self, frame: Frame) -> list[Request | RawFrame]:
        """Settings, audio, or the end."""
        if isinstance(frame, bytes):
            data = self._odd + frame
            self._odd = data[len(data) & ~1 :]
            return [*self._beginning(), AudioFrame(data[: len(data) & ~1]), RawFrame(self._answer())]
        data = read_json(frame)
        if not isinstance(data, dict):
            raise ProtocolError("A message is a JSON object with config or eof.")
        if "eof" in data:
            return [*self._beginning(), p.SessionClose()]
        self._configure(data.get("config"))
        return []

    def _configure(self, config: Any) -> None:
        if isinstance(config, dict):
            rate = config.get("sample_rate", self._rate)
            plain = isinstance(rate, (int, float)) and abs(rate) < 1e9
            self._rate = int(rate) if plain else self._rate
            self._with_words = bool(config.get("words", self._with_words))
            self._terms = terms_within(config.get("phrase_list")) or self._terms

    def _beginning(self) -> list[Request | RawFrame]:
        if self._begun:
            return []
        self._begun = True
        audio = p.AudioFormat("pcm_s16le", self._rate)
        return [p.SessionStart(audio=audio, targets=(), glossary=self._terms or None)]

    def _answer(self) -> Frame:
        if self._done:
            return json.dumps(self._done.popleft(), ensure_ascii=False)
        return json.dumps({"partial": (self._open + self._tail).strip()}, ensure_ascii=False)

    def told(self, message: p.ServerMessage) -> list[Frame]:
        """Nothing by itself but the last text, and errors."""
        if isinstance(message, p.SettledText):
            self._open, self._tail = self._open + message.text, message.tail
            self._words += [_word(word) for word in message.words]
        elif isinstance(message, p.TailText):
            self._tail = message.text
        elif isinstance(message, p.SegmentDone):
            self._done.append(self._result(message.text))
            self._open, self._tail, self._words = "", "", []
        elif isinstance(message, p.SessionEnd):
            return [self._rest()]
        elif isinstance(message, p.ErrorMessage):
            return [json.dumps({"error": message.message})]
        return []

    def _result(self, text: str) -> dict[str, Any]:
        return {"result": self._words, "text": text} if self._with_words else {"text": text}

    def _rest(self) -> Frame:
        """All segments that were not told yet, as one text."""
        found: dict[str, Any] = {"text": " ".join(done["text"] for done in self._done)}
        if self._with_words:
            found["result"] = [word for done in self._done for word in done["result"]]
        return json.dumps(found, ensure_ascii=False)


def _word(word: p.WireWord) -> dict[str, Any]:
    times = {"start": (word.t0 or 0) / 1000, "end": (word.t1 or 0) / 1000}
    return {"word": word.w.strip(), "conf": 1.0 if word.p is None else word.p, **times}
