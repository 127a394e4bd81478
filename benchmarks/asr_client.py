"""A client of WhisperLiveKit's `/asr` that writes down what it was shown and when, and what that says of a server.

It speaks the documented protocol and nothing else, so that any server of it is measured alike: 16-bit samples at 16 kHz
in real time, an empty message at the end, then states until `ready_to_stop`. Lines of a state are its text; buffers
are what may still change. A word is there from the moment from which it is never taken back.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from rapidfuzz.distance import Levenshtein
from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

from benchmarks.word_lag import TimedWords, lags
from latency_metrics.quantiles import quantiles
from simul.evaluation.word_errors import normalise
from simul.units import SAMPLE_RATE

PIECE = SAMPLE_RATE // 10
END_SECONDS = 60.0
"""How long a client waits after the end of the audio."""


@dataclass(frozen=True)
class Talk:
    """16-bit samples, what is said, and where its words end (seconds)."""

    name: str
    pcm: bytes
    text: str
    clock: TimedWords = ()

    @property
    def seconds(self) -> float:
        """How long it is."""
        return len(self.pcm) / 2 / SAMPLE_RATE


@dataclass
class Seen:
    """What one client saw: states with the seconds since it sent its first sample, the end, the way it went wrong."""

    talk: Talk
    states: list[tuple[float, str, str]] = field(default_factory=list)
    finished: float | None = None
    bytes: int = 0
    late: float = 0.0
    error: str = ""

    @property
    def text(self) -> str:
        """The lines of the last state, and what its buffer still holds."""
        return "".join(self.states[-1][1:]) if self.states else ""


async def play(address: str, talk: Talk, seen: Seen) -> None:
    """One session from the beginning to the end of a talk; whatever goes wrong is in `seen`."""
    try:
        async with connect(address, proxy=None, max_size=None) as socket:
            await socket.recv()
            began = time.monotonic()
            hearing = asyncio.create_task(_hear(socket, seen, began))
            for place in range(0, len(talk.pcm), 2 * PIECE):
                piece = talk.pcm[place : place + 2 * PIECE]
                due = began + (place + len(piece)) / 2 / SAMPLE_RATE
                await asyncio.sleep(max(0.0, due - time.monotonic()))
                seen.late = max(seen.late, time.monotonic() - due)
                await socket.send(piece)
            await socket.send(b"")
            ended = time.monotonic()
            await asyncio.wait_for(hearing, END_SECONDS)
            seen.finished = time.monotonic() - ended
    except (OSError, WebSocketException, TimeoutError) as error:
        seen.error = seen.error or str(error) or "no end within the time"


async def _hear(socket: Any, seen: Seen, began: float) -> None:
    async for frame in socket:
        at = time.monotonic() - began
        seen.bytes += len(frame)
        state = json.loads(frame)
        if state.get("type") == "ready_to_stop":
            return
        seen.error = state.get("error") or seen.error
        if "lines" in state:
            lines = "".join(f"{line['text'].strip()} " for line in state["lines"] if line.get("text"))
            seen.states.append((at, lines, state.get("buffer_transcription") or ""))


def word_times(seen: Seen, language: str, text_of: Callable[[str, str], str]) -> TimedWords:
    """The words of the last text, each with the time from which it stood there for good."""
    last = normalise(seen.text, language)
    times: list[float] = []
    for at, lines, buffer in seen.states:
        same = _common(normalise(text_of(lines, buffer), language), last)
        times = times[:same] + [at] * (same - len(times))
    return list(zip(last, times, strict=False))


def _common(words: Sequence[str], others: Sequence[str]) -> int:
    """How many words both begin with."""
    pairs = enumerate(zip(words, others, strict=False))
    return next((i for i, (a, b) in pairs if a != b), min(len(words), len(others)))


def figures(seen: Seen, language: str) -> dict[str, Any]:
    """Words of the transcript, those that no word was written for, all edits; lags of settled and of shown words."""
    said, heard = normalise(seen.talk.text, language), normalise(seen.text, language)
    kinds = [edit.tag for edit in Levenshtein.editops(said, heard)]
    settled = lags(seen.talk.clock, word_times(seen, language, lambda lines, _: lines))
    shown = lags(seen.talk.clock, word_times(seen, language, lambda lines, buffer: lines + buffer))
    return {
        "talk": seen.talk.name,
        "seconds": round(seen.talk.seconds, 2),
        "words": len(said),
        "edits": len(kinds),
        "missing": kinds.count("delete"),
        "finished": None if seen.finished is None else round(seen.finished, 2),
        "settled_lags": [round(lag, 2) for lag in settled],
        "shown_lags": [round(lag, 2) for lag in shown],
        "states": len(seen.states),
        "bytes": seen.bytes,
        "sent_late": round(seen.late, 3),
        "error": seen.error,
        "text": seen.text.strip(),
    }


def together(sessions: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The sessions of a case as one row."""
    words = sum(each["words"] for each in sessions)
    edits = sum(each["edits"] for each in sessions)
    finished = [each["finished"] for each in sessions if each["finished"] is not None]
    row: dict[str, Any] = {
        "sessions": len(sessions),
        "failed": sum(bool(each["error"]) for each in sessions),
        "words": words,
        "edits": edits,
        "wer": round(100 * edits / max(1, words), 2),
        "missing": sum(each["missing"] for each in sessions),
        "finished_most": max(finished, default=None),
    }
    for kind in ("settled", "shown"):
        found = [lag for each in sessions for lag in each[f"{kind}_lags"]]
        p50, p95 = quantiles(found, 0.5, 0.95) if found else (None, None)
        row |= {f"{kind}_p50": p50, f"{kind}_p95": p95}
    return row
