"""What backends share that decode a window of speech anew at every pass: audio, voice activity, trimming."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from policies.base import Activity, Candidate, SourceView
from simul.backends.base import Backend, DecodeRequest, StreamSpec
from simul.hearing.speech_stream import SpeechStream
from simul.hearing.voice_activity import VoiceActivity
from simul.memory import release
from simul.units import Samples


@dataclass
class WindowedStream:
    """One stream: its audio, and the samples received and voiced up to the last pass."""

    spec: StreamSpec
    audio: SpeechStream
    decoded_at: int = 0
    voiced_at: int = 0

    def forget_window(self) -> None:
        """The current window's beginning has changed: what was computed over it is void."""

    def mark_pass(self) -> None:
        """A pass takes in everything received so far."""
        self.decoded_at, self.voiced_at = self.audio.until, self.audio.voiced


class Job(Protocol):
    """One stream's work in a pass: samples [start, until) of the stream, for request number `index`."""

    @property
    def index(self) -> int: ...

    @property
    def handle(self) -> Any: ...

    @property
    def prompt(self) -> Any: ...

    @property
    def start(self) -> int: ...

    @property
    def until(self) -> int: ...


def encoded(jobs: Sequence[Job], encode: Callable[[list[Samples]], Sequence[Any]]) -> list[Any]:
    """What `encode` makes of each job's window, computed only where the audio has changed.

    Handles keep it as `encoded`, and as `window` the samples that it is of.
    """
    stale = [job for job in jobs if job.handle.encoded is None or job.handle.window != (job.start, job.until)]
    fresh = encode([job.handle.audio.audio() for job in stale])
    for job, result in zip(stale, fresh, strict=True):
        job.handle.window, job.handle.encoded = (job.start, job.until), result
    return [job.handle.encoded for job in jobs]


class WindowedBackend(Backend):
    """A backend over a `SpeechStream`; handles are `WindowedStream`s.

    activity: makes the voice activity detector of a stream; None: a stream is one segment, cut by the window.
    """

    activity: Callable[[], VoiceActivity] | None
    model: Any
    """Encodes windows, and generates from them by prompts."""

    def decode(self, requests: Sequence[DecodeRequest]) -> list[Candidate]:
        candidates = [Candidate(())] * len(requests)
        jobs = [
            job for index, request in enumerate(requests) if (job := self._job(index, request)) is not None
        ]
        if not jobs:
            return candidates
        windows = encoded(jobs, self.model.encode)
        found = self.model.generate(windows, [job.prompt for job in jobs])
        for job, candidate in zip(jobs, self._candidates(jobs, windows, found), strict=True):
            candidates[job.index] = candidate
        return candidates

    @abstractmethod
    def _job(self, index: int, request: DecodeRequest) -> Any:
        """The `Job` of a request, None where there is nothing to decode."""

    @abstractmethod
    def _candidates(
        self, jobs: Sequence[Any], windows: Sequence[Any], found: Sequence[Any]
    ) -> Iterable[Candidate]:
        """What becomes of the model's hypotheses, one for each job."""

    def push(self, handle: WindowedStream, samples: Samples) -> None:
        handle.audio.push(samples)

    def end(self, handle: WindowedStream) -> None:
        handle.audio.end()

    def view(self, handle: WindowedStream) -> SourceView:
        audio = handle.audio
        new = max(0, audio.until - handle.decoded_at)
        activity = None
        if self.activity is not None:
            ratio = min(1.0, (audio.voiced - handle.voiced_at) / new) if new else 0.0
            activity = Activity(silence=max(0, audio.until - audio.voiced_end), speech_ratio=ratio)
        return SourceView(
            heard=audio.received,
            new=new,
            segment_start=audio.start,
            segment_final=audio.final,
            finished=audio.finished,
            activity=activity,
        )

    def next_segment(self, handle: WindowedStream) -> None:
        handle.decoded_at = handle.audio.until
        handle.audio.next()
        handle.forget_window()
        release()

    def segment_kind(self, handle: WindowedStream) -> str:
        return handle.audio.closed[0].cause if handle.audio.closed else "end"

    def trim(self, handle: WindowedStream, before: int) -> None:
        handle.audio.trim(before)
        handle.forget_window()

    def close(self, handle: Any) -> None:
        handle.audio = SpeechStream(None)
        handle.audio.ended = True
        handle.forget_window()
