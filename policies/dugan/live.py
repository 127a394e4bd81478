"""The live loop of Dugan et al. 2023 over a buffer of 16-bit audio, and the timing of its speech queue."""

from __future__ import annotations

from collections.abc import Sequence

from policies.dugan.evaluation import ClipSegment
from policies.segments import SegmentPolicy

SAMPLE_RATE = 16000
BYTES = 2
PROMPT_CHARACTERS = 200


class LiveLoop:
    """Collects audio, says when to decode it, and turns the segments of a pass into texts to speak.

    The policy's profile decides. Faithful: a pass is due whenever the whole buffer is longer than a frame, new
    audio or not; every accepted segment is spoken, wherever it stands, and all audio up to the last one's end
    is cut off, at a byte index that truncation may make odd; no prompt reaches the model; what is left at the
    end is lost. Fixed: a pass needs a frame of new audio; only leading segments are spoken; the cut is at a
    sample; the end of the transcript is the prompt; the last pass speaks everything.
    """

    def __init__(self, policy: SegmentPolicy, frame_width: float = 1.0) -> None:
        """`frame_width` in seconds."""
        self._policy, self._frame = policy, frame_width
        self._faithful = policy.profile == "faithful"
        self._previous: list[str] | None = None
        self._new = 0
        self.buffer = b""
        self.transcript = ""

    def feed(self, data: bytes) -> None:
        """Take in 16-bit mono audio at 16 kHz."""
        self.buffer += data
        self._new += len(data)

    @property
    def due(self) -> bool:
        """Whether to decode the buffer now."""
        length = len(self.buffer) if self._faithful else self._new
        seconds = length / (SAMPLE_RATE * BYTES)
        return seconds > self._frame if self._faithful else seconds >= self._frame

    @property
    def prompt(self) -> str:
        """What the model is given as text before this audio."""
        return "" if self._faithful else self.transcript[-PROMPT_CHARACTERS:]

    def judge(self, segments: Sequence[ClipSegment], final: bool = False) -> list[str]:
        """The texts to speak now, given the segments of the buffer; `final`: no more audio will come."""
        verdicts = self._policy.accepts(segments, self._previous)
        if not self._faithful:
            count = len(segments) if final or False not in verdicts else verdicts.index(False)
            verdicts = [i < count for i in range(len(segments))]
        accepted = [s for s, ok in zip(segments, verdicts, strict=True) if ok]
        self._new = 0
        spoken = 0.0
        if accepted:
            spoken = accepted[-1].end if self._faithful else max(s.end for s in accepted)
        self._previous = [
            s.text
            for s, ok in zip(segments, verdicts, strict=True)
            if (s.end > spoken if self._faithful else not ok)
        ]
        self.transcript += "".join(s.text for s in accepted)
        self._cut(spoken)
        return [s.text.strip() for s in accepted]

    def _cut(self, spoken: float) -> None:
        """Drop the audio before `spoken` seconds."""
        faithful = int(spoken * SAMPLE_RATE * BYTES)
        index = faithful if self._faithful else round(spoken * SAMPLE_RATE) * BYTES
        self.buffer = self.buffer[index:]


def speech_onsets(
    commits: Sequence[float], synthesis: Sequence[float], durations: Sequence[float]
) -> list[tuple[float, float]]:
    """When each spoken unit begins and ends, in seconds: one at a time, each synthesised whole before it is played.

    A unit's synthesis begins when it is committed and the one before has been played.
    """
    done, times = 0.0, []
    for commit, making, duration in zip(commits, synthesis, durations, strict=True):
        onset = max(commit, done) + making
        done = onset + duration
        times.append((onset, done))
    return times
