"""simulstream's WebSocket protocol (`/simulstream`): settings as JSON, 16-bit samples, and text as it settles.

An answer holds the text that is new and the text that it takes the place of, which here is always empty.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from server import protocol as p
from server.codec import ProtocolError, read_json
from server.connection import AudioFrame, Request
from server.dialects.base import Dialect, Frame, RawFrame, text_within

RATE = 16_000
"""Unless the client says otherwise."""


class SimulstreamDialect(Dialect):
    """One socket of `/simulstream`."""

    def __init__(self, query: Mapping[str, str]) -> None:
        super().__init__(query)
        self._rate = RATE
        self._source: str | None = None
        self._target: str | None = None
        self._begun = False
        self._shown: str = p.SOURCE
        self._odd = b""

    def receive(self, frame: Frame) -> list[Request | RawFrame]:
        """Settings, audio cut anywhere, or the end."""
        if isinstance(frame, bytes):
            data = self._odd + frame
            self._odd = data[len(data) & ~1 :]
            return [*self._beginning(), AudioFrame(data[: len(data) & ~1])]
        data = read_json(frame)
        if not isinstance(data, dict):
            raise ProtocolError("A message is a JSON object, such as one with sample_rate or end_of_stream.")
        if "end_of_stream" in data:
            return [*self._beginning(), p.SessionClose()]
        return self._configure(data)

    def _configure(self, data: dict[str, Any]) -> list[Request | RawFrame]:
        rate = data.get("sample_rate", self._rate)
        if not isinstance(rate, int) or isinstance(rate, bool):
            raise ProtocolError("sample_rate is a whole number of samples a second.")
        source, target = text_within(data, "source_lang"), text_within(data, "target_lang")
        self._source, self._target = source or self._source, target or self._target
        if not self._begun:
            self._rate = rate
            return []
        if rate != self._rate:
            raise ProtocolError("The sample rate cannot change while audio comes in; connect anew.")
        return [p.SessionUpdate(self._source, self._targets())] if source or target else []

    def _targets(self) -> tuple[str, ...] | None:
        """None: what the server was started for."""
        return None if self._target is None else (self._target,)

    def _beginning(self) -> list[Request | RawFrame]:
        if self._begun:
            return []
        self._begun = True
        audio = p.AudioFormat("pcm_s16le", self._rate)
        token = self.query.get("token")
        return [p.SessionStart(audio=audio, source=self._source, targets=self._targets(), token=token)]

    def told(self, message: p.ServerMessage) -> list[Frame]:
        """Text of the target language, or of the source where nothing is translated."""
        if isinstance(message, (p.SessionReady, p.SessionUpdated)):
            self._shown = next(iter(message.config.targets), p.SOURCE)
        elif isinstance(message, p.SettledText) and message.stream == self._shown and message.text:
            return [json.dumps({"new": message.text, "deleted": ""}, ensure_ascii=False)]
        elif isinstance(message, p.SessionEnd):
            return [json.dumps({"end_of_processing": True})]
        elif isinstance(message, p.ErrorMessage):
            return [json.dumps({"error": message.message}, ensure_ascii=False)]
        return []
