"""What backends share that decode a window of speech anew at every pass: audio, voice activity, trimming."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from policies.base import Activity, Candidate, SourceView
from simul.backends.base import Backend, DecodeRequest, StreamSpec
from simul.backends.moving import imported
from simul.hearing.speech_stream import SpeechStream
from simul.hearing.voice_activity import VoiceActivity
from simul.plain import NOT_STORED, fill_fields, read_fields, write_fields
from simul.units import Samples


@dataclass
class WindowedStream:
    """One stream: its audio, what was pushed since, and the samples received and voiced up to the last pass.

    voiced: how many samples were voiced up to the places since then where `advance` stopped.
    """

    spec: StreamSpec
    audio: SpeechStream = field(metadata=NOT_STORED)
    pushed: list[Samples] = field(default_factory=list)
    closing: bool = False
    decoded_at: int = 0
    voiced_at: int = 0
    voiced: dict[int, int] = field(default_factory=dict)
    window: tuple[int, int] = (0, 0)
    encoded: Any = field(default=None, metadata=NOT_STORED)
    failure: Exception | None = field(default=None, metadata=NOT_STORED)

    def advance(self) -> None:
        """Judge the speech in what was pushed; what failed once fails again, since no audio is taken in twice."""
        if self.failure is not None:
            raise self.failure
        try:
            for samples in self.pushed:
                self.audio.push(samples)
        except Exception as error:
            self.failure = error
            raise
        self.pushed.clear()
        if self.closing:
            self.audio.end()
        self.voiced[self.audio.received] = self.audio.voiced

    def forget_window(self) -> None:
        """The current window's beginning has changed: what was computed over it is void."""
        self.encoded = None

    def window_of(self, request: DecodeRequest) -> tuple[int, int]:
        """Samples [start, until) that a request may listen to; the pass takes them in."""
        until = self.audio.until if request.final else request.until
        self.decoded_at, self.voiced_at = until, self.voiced.get(request.until, self.audio.voiced)
        self.voiced = {place: count for place, count in self.voiced.items() if place >= request.until}
        return request.view.segment_start, until


Kept = TypeVar("Kept", bound=WindowedStream)


class WindowedBackend(Backend[Kept]):
    """A backend over a `SpeechStream`.

    activity: makes the voice activity detector of a stream; None: a stream is one segment, cut by the window.
    """

    activity: Callable[[], VoiceActivity] | None
    model: Any
    """Encodes windows, and generates from them by prompts."""

    @property
    def runs(self) -> str:
        """What a stream's state belongs to: the model, and how it is used."""
        hears = "without" if self.activity is None else "with"
        return f"{self.name} {self.model.folder.name} {hears} voice activity detection"

    def decode(self, requests: Sequence[DecodeRequest]) -> list[Candidate]:
        candidates = [Candidate(())] * len(requests)
        jobs = [
            job for index, request in enumerate(requests) if (job := self._job(index, request)) is not None
        ]
        if not jobs:
            return candidates
        windows = self._encoded(jobs)
        found = self._generate(jobs, windows)
        for job, candidate in zip(jobs, self._candidates(jobs, windows, found), strict=True):
            candidates[job.index] = candidate
        return candidates

    def _generate(self, jobs: Sequence[Any], windows: Sequence[Any]) -> list[Any]:
        """What the model writes for each job."""
        found: list[Any] = self.model.generate(windows, [job.prompt for job in jobs])
        return found

    def _encoded(self, jobs: Sequence[Any]) -> list[Any]:
        """Each job's window as the model encoded it, computed only where the audio has changed."""
        stale = [
            job for job in jobs if job.state.encoded is None or job.state.window != (job.start, job.until)
        ]
        windows = [job.state.audio.cut(job.start, job.until) for job in stale]
        for job, result in zip(stale, self._encode(stale, windows), strict=True):
            job.state.window, job.state.encoded = (job.start, job.until), result
        return [job.state.encoded for job in jobs]

    def _encode(self, jobs: Sequence[Any], windows: Sequence[Samples]) -> Sequence[Any]:
        """The windows of jobs, encoded."""
        encoded: Sequence[Any] = self.model.encode(windows)
        return encoded

    @abstractmethod
    def _job(self, index: int, request: DecodeRequest) -> Any:
        """The `Job` of a request, None where there is nothing to decode."""

    @abstractmethod
    def _candidates(
        self, jobs: Sequence[Any], windows: Sequence[Any], found: Sequence[Any]
    ) -> Iterable[Candidate]:
        """What becomes of the model's hypotheses, one for each job."""

    def push(self, stream: int, samples: Samples) -> None:
        self.state(stream).pushed.append(samples.copy())

    def end(self, stream: int) -> None:
        self.state(stream).closing = True

    def advance(self, streams: Sequence[int]) -> None:
        for state in map(self.state, streams):
            state.advance()

    def view(self, stream: int) -> SourceView:
        state = self.state(stream)
        audio = state.audio
        new = max(0, audio.until - state.decoded_at)
        activity = None
        if self.activity is not None:
            ratio = min(1.0, (audio.voiced - state.voiced_at) / new) if new else 0.0
            activity = Activity(silence=max(0, audio.until - audio.voiced_end), speech_ratio=ratio)
        return SourceView(
            heard=audio.received,
            new=new,
            segment_start=audio.start,
            segment_final=audio.final,
            finished=audio.finished,
            activity=activity,
            speech=audio.speaking,
            closed_by=audio.closed_by,
        )

    def next_segment(self, stream: int) -> None:
        state = self.state(stream)
        state.decoded_at = state.audio.until
        state.audio.next()
        state.forget_window()

    def trim(self, stream: int, before: int) -> None:
        state = self.state(stream)
        state.audio.trim(before)
        state.forget_window()

    def export_state(self, stream: int) -> dict[str, Any]:
        """What is encoded of the window is left out: it follows from the audio."""
        state = self.state(stream)
        if state.failure is not None:
            raise state.failure
        return {"runs": self.runs, **write_fields(state), "audio": state.audio.dump()}

    def import_state(self, exported: Mapping[str, Any], beside: int | None = None) -> int:
        with imported(exported, self.runs):
            state = self._start(read_fields(StreamSpec, exported["spec"]))
            fill_fields(state, exported)
            state.audio.load(exported["audio"])
        return self._admit(state)
