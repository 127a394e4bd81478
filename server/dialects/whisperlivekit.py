"""WhisperLiveKit's `/asr`, so that its clients work unchanged.

Binary frames are 16-bit samples at 16 kHz, an empty one ends the audio. The server first says how to talk to it, then
the whole transcript whenever it changes (`mode=full`) or what is new (`mode=diff`), and at last `ready_to_stop`.
Lines of finished segments never change; in full mode the open segment is a growing last line, in diff mode, whose
clients only append, it stays in the buffers until it is complete.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from server import protocol as p
from server.codec import ProtocolError
from server.connection import AudioFrame, Request
from server.dialects.base import Dialect, Frame, RawFrame


@dataclass
class _Line:
    """A segment: its source, its translation, where it is (ms)."""

    segment: int
    t0: int
    t1: int
    text: str = ""
    translation: str = ""
    done: bool = False

    def to_json(self, language: str) -> dict[str, Any]:
        found: dict[str, Any] = {
            "speaker": 1,
            "text": self.text or self.translation,
            "start": _clock(self.t0),
            "end": _clock(self.t1),
        }
        if self.translation:
            found["translation"] = self.translation
        if language:
            found["detected_language"] = language
        return found


class WhisperLiveKitDialect(Dialect):
    """One socket of `/asr`."""

    def __init__(self, query: Mapping[str, str]) -> None:
        super().__init__(query)
        self.mode = "diff" if query.get("mode") == "diff" else "full"
        self._lines: list[_Line] = []
        self._open: dict[str, str] = {}
        self._tails: dict[str, str] = {}
        self._targets: tuple[str, ...] = ()
        self._language = ""
        self._odd = b""
        self._behind = 0
        self._count = self._told_lines = 0
        self._told = ""
        self._ended = False

    def opening(self) -> list[Request | RawFrame]:
        """How to talk to the server, and the session that the address asks for."""
        config = {"type": "config", "useAudioWorklet": True, "mode": self.mode}
        language, target = self.query.get("language"), self.query.get("target_language")
        start = p.SessionStart(
            source=None if language in (None, "", "auto") else language,
            targets=None if not target else (target,),
            token=self.query.get("token"),
        )
        return [RawFrame(json.dumps(config)), start]

    def receive(self, frame: Frame) -> list[Request | RawFrame]:
        """Audio, cut anywhere; an empty frame ends it."""
        if isinstance(frame, str):
            return []
        if not frame:
            if self._ended:
                return []
            self._ended = True
            return [p.SessionClose()]
        if frame[:4] in (b"\x1aE\xdf\xa3", b"OggS", b"RIFF"):
            raise ProtocolError(
                "This is a container (WebM, Ogg or WAV); send 16-bit samples at 16 kHz, as the config message says.",
                code="audio_format",
                close=4400,
            )
        data = self._odd + frame
        whole = len(data) & ~1
        self._odd = data[whole:]
        return [AudioFrame(data[:whole])] if whole else []

    def told(self, message: p.ServerMessage) -> list[Frame]:
        """The transcript as it stands after the message, where that changed."""
        if isinstance(message, p.SessionReady):
            self._targets = message.config.targets
            self._language = message.config.source
            return []
        if isinstance(message, p.SessionWaiting):
            return [
                json.dumps({**self._state([]), "status": "no_audio_detected", "message": message.message})
            ]
        if isinstance(message, p.ErrorMessage):
            return [json.dumps({**self._state([]), "type": "error", "error": message.message})]
        if isinstance(message, p.SessionEnd):
            return [*self._update(), json.dumps({"type": "ready_to_stop"})]
        if isinstance(message, p.SessionProgress):
            self._behind = message.queue_ms
        elif isinstance(message, p.SettledText):
            self._settled(message)
        elif isinstance(message, p.TailText):
            self._tails[message.stream] = message.text
        elif isinstance(message, p.SegmentDone):
            self._closed(message)
        else:
            return []
        return self._update()

    def _line(self, segment: int, t0: int, t1: int) -> _Line:
        for line in reversed(self._lines):
            if line.segment == segment:
                line.t0, line.t1 = min(line.t0, t0), max(line.t1, t1)
                return line
        self._lines.append(_Line(segment, t0, t1))
        return self._lines[-1]

    def _settled(self, message: p.SettledText) -> None:
        line = self._line(message.segment, message.t0, message.t1)
        if message.stream == p.SOURCE:
            line.text = (line.text + message.text).lstrip()
        elif message.stream == self._targets[0]:
            line.translation = (line.translation + message.text).lstrip()
        self._tails[message.stream] = message.tail

    def _closed(self, message: p.SegmentDone) -> None:
        self._tails[message.stream] = ""
        line = self._line(message.segment, message.t0, message.t1)
        last = self._targets[0] if self._targets else p.SOURCE
        line.done = line.done or message.stream in (last, p.SOURCE)

    def _update(self) -> list[Frame]:
        done = [line for line in self._lines if line.done]
        rest = [line for line in self._lines if not line.done]
        shown = self._lines if self.mode == "full" else done
        state = self._state([line.to_json(self._language) for line in shown])
        text = " ".join(line.text for line in rest) if self.mode == "diff" else ""
        translation = " ".join(line.translation for line in rest) if self.mode == "diff" else ""
        target = self._targets[0] if self._targets else ""
        state["buffer_transcription"] = (text + self._tails.get(p.SOURCE, "")).lstrip()
        state["buffer_translation"] = (translation + self._tails.get(target, "")).lstrip()
        if self.mode == "full":
            return self._once(state)
        return self._difference(state)

    def _once(self, state: dict[str, Any]) -> list[Frame]:
        text = json.dumps(state, ensure_ascii=False)
        if text == self._told:
            return []
        self._told = text
        return [text]

    def _difference(self, state: dict[str, Any]) -> list[Frame]:
        before = self._told
        if not self._once(state) or state == before:
            return []
        self._count += 1
        lines = state["lines"]
        if self._count == 1:
            found = {"type": "snapshot", "seq": 1, **state}
        else:
            del state["lines"]
            found = {"type": "diff", "seq": self._count, "n_lines": len(lines), **state}
            if new := lines[self._told_lines :]:
                found["new_lines"] = new
        self._told_lines = len(lines)
        return [json.dumps(found, ensure_ascii=False)]

    def _state(self, lines: list[dict[str, Any]]) -> dict[str, Any]:
        return {
            "status": "active_transcription",
            "lines": lines,
            "buffer_transcription": "",
            "buffer_diarization": "",
            "buffer_translation": "",
            "remaining_time_transcription": round(self._behind / 1000, 1),
            "remaining_time_diarization": 0.0,
        }


def _clock(ms: int) -> str:
    """Milliseconds as H:MM:SS."""
    return str(timedelta(seconds=ms // 1000))
