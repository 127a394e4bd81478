"""The audio of one stream, cut into segments by pauses and by Whisper's window, and trimmed behind the text."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from simul.hearing.endpoint import EndpointConfig, Endpointer
from simul.hearing.voice_activity import FRAME, VoiceActivity
from simul.units import SAMPLE_RATE

LIMIT = 29 * SAMPLE_RATE
"""A segment's audio never grows beyond this: the network sees 30 s."""
SEARCH = 4 * SAMPLE_RATE
"""How far back from the limit the quietest place to cut is looked for."""
QUIET = SAMPLE_RATE // 5

PAUSES = EndpointConfig(
    lookback=15, start_voiced=4, pause=19, short_pause=9, end_share=0.9, soft_limit=470, hard_limit=1_000_000
)
"""In frames of 32 ms: speech starts with 4 voiced frames of 15; it ends after 0.6 s of silence, and after 15 s
of speech already with 0.3 s."""


@dataclass
class Span:
    """A closed segment: samples [start, end) of the stream, the end of the voiced part, and what closed it."""

    start: int
    end: int
    voiced_end: int
    cause: Literal["pause", "limit", "end"]


class SpeechStream:
    """Samples go in; out comes the current segment's audio, from `start` to `until` (stream samples).

    With `activity` a segment begins where speech begins and ends at a pause; silence between segments is
    dropped. Without it one segment lasts to the end of the stream. Either way a segment that reaches 29 s is
    closed at its quietest place of the last 4 s. What comes out does not depend on how pushes cut the audio.
    """

    def __init__(self, activity: Callable[[], VoiceActivity] | None, pauses: EndpointConfig = PAUSES) -> None:
        self._activity = None if activity is None else activity()
        self._endpointer, self._lookback = Endpointer(pauses), pauses.lookback * FRAME
        self._buffer = np.empty(0, np.float32)
        self._base = 0
        self._judged = 0
        self._floor = 0
        self._open: int | None = 0 if activity is None else None
        self._last_voiced = 0
        self.closed: deque[Span] = deque()
        self.received = self.voiced = 0
        self.ended = False

    @property
    def start(self) -> int:
        """Where the current segment's audio begins; between segments, the earliest place the next can begin."""
        if self.closed:
            return self.closed[0].start
        if self._open is not None:
            return self._open
        return max(self._floor, self._judged - self._lookback)

    @property
    def until(self) -> int:
        """Where the current segment's audio ends so far."""
        return self.closed[0].end if self.closed else self.received

    @property
    def final(self) -> bool:
        """Whether no later audio belongs to the current segment."""
        return bool(self.closed) or self.ended

    @property
    def finished(self) -> bool:
        """Whether the current segment is the last."""
        return self.ended and len(self.closed) <= 1

    @property
    def speaking(self) -> bool:
        """Whether the current segment's audio holds speech (without voice activity detection: any audio)."""
        if not self.closed and self._open is None:
            return False
        return self._activity is None or self.voiced_end > self.start

    @property
    def in_speech(self) -> bool:
        """Whether a segment is open at the end of what was received."""
        return self._open is not None and not self.ended

    @property
    def open_start(self) -> int:
        """Where the open segment begins; without one, the earliest place it can begin."""
        return self._open if self._open is not None else max(self._floor, self._judged - self._lookback)

    @property
    def voiced_end(self) -> int:
        """Where the last voiced frame of the current segment ends."""
        return self.closed[0].voiced_end if self.closed else self._last_voiced

    @property
    def closed_by(self) -> str:
        """What closed the current segment; empty while it is open."""
        return (self.closed[0].cause if self.closed else "end") if self.final else ""

    def cut(self, start: int, end: int) -> NDArray[np.float32]:
        """Samples [start, end) of the stream, of segments that have not been left yet."""
        return self._buffer[start - self._base : end - self._base]

    def push(self, samples: NDArray[np.float32]) -> None:
        """Take in float32 mono samples at 16 kHz."""
        self._buffer = np.concatenate([self._buffer, samples.astype(np.float32, copy=False)])
        received = self.received + len(samples)
        if self._activity is None:
            self.received = received
            self._close_long(received)
            return
        whole = (received - self._judged) // FRAME
        frames = self.cut(self._judged, self._judged + whole * FRAME).reshape(whole, FRAME)
        for voiced in self._activity(frames):
            self._judged += FRAME
            self._judge(voiced)
            self._close_long(self._judged)
        self.received = received
        self._drop()

    def end(self) -> None:
        """No more samples: close what is open; voiced frames too few to open a segment still make one."""
        if self.ended:
            return
        if self._open is None and self._endpointer.pending_voiced:
            self._open = self.open_start
        self.ended = True
        if self._open is not None:
            self.closed.append(Span(self._open, self.received, self._last_voiced, "end"))
            self._open, self._floor = None, self.received

    def next(self) -> None:
        """Leave the current, closed segment."""
        if self.closed:
            self.closed.popleft()
        elif self.ended:
            self._floor = self.received
        self._drop()

    def trim(self, before: int) -> None:
        """Forget the current segment's audio before stream sample `before`."""
        cut = min(max(before, self.start), self.until)
        if self.closed:
            self.closed[0].start = cut
        elif self._open is not None:
            self._open = cut
        else:
            self._floor = max(self._floor, cut)
        self._drop()

    def dump(self) -> dict[str, Any]:
        """All that changes, as plain values and arrays."""
        return {
            "samples": self._buffer.copy(),
            "base": self._base,
            "judged": self._judged,
            "floor": self._floor,
            "open": self._open,
            "last_voiced": self._last_voiced,
            "closed": [asdict(span) for span in self.closed],
            "received": self.received,
            "voiced": self.voiced,
            "ended": self.ended,
            "endpointer": self._endpointer.dump(),
            "activity": None if self._activity is None else self._activity.dump(),
        }

    def load(self, dumped: Mapping[str, Any]) -> None:
        """Go on from what `dump` gave, on a new stream that was made alike."""
        self._buffer, self._base = dumped["samples"].copy(), dumped["base"]
        self._judged, self._floor, self._open = dumped["judged"], dumped["floor"], dumped["open"]
        self._last_voiced = dumped["last_voiced"]
        self.closed = deque(Span(**span) for span in dumped["closed"])
        self.received, self.voiced, self.ended = dumped["received"], dumped["voiced"], dumped["ended"]
        self._endpointer.load(dumped["endpointer"])
        if self._activity is not None:
            self._activity.load(dumped["activity"])

    def _judge(self, voiced: bool) -> None:
        if voiced:
            self._last_voiced = self._judged
            self.voiced += FRAME
        change = self._endpointer.push(voiced)
        if change == "start":
            self._open = max(self._floor, self._judged - self._lookback)
        elif change in ("pause", "limit") and self._open is not None:
            self._close(self._judged, "pause" if change == "pause" else "limit")
            self._open = None

    def _close(self, end: int, cause: Literal["pause", "limit"]) -> None:
        assert self._open is not None
        self.closed.append(Span(self._open, end, min(self._last_voiced, end), cause))
        self._floor = end

    def _close_long(self, now: int) -> None:
        while self._open is not None and now - self._open >= LIMIT:
            cut = self._quietest(self._open + LIMIT - SEARCH, self._open + LIMIT)
            self._close(cut, "limit")
            self._open = cut

    def _quietest(self, low: int, high: int) -> int:
        """The middle of the 0.2 s with the least energy between two samples."""
        energy = np.concatenate([[0.0], np.cumsum(self.cut(low, high).astype(np.float64) ** 2)])
        return low + int(np.argmin(energy[QUIET:] - energy[:-QUIET])) + QUIET // 2

    def _drop(self) -> None:
        """Free the samples that no segment can need any more."""
        keep = min(self.start, self._judged) if self._activity is not None else self.start
        if keep > self._base:
            self._buffer = self._buffer[keep - self._base :].copy()
            self._base = keep
