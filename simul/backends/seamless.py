"""SeamlessM4T v2 as a direct streaming backend: speech in about a hundred languages to text in any that it writes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from policies.attention import RunningColumns
from policies.base import Alignment, Candidate, Need
from simul.backends.base import DecodeRequest, Limits, StreamSpec, check_languages
from simul.backends.windowed import WindowedBackend, WindowedStream
from simul.clock import cpu_seconds
from simul.decoding.interface import Hypothesis, Prompt
from simul.hearing.speech_stream import SpeechStream
from simul.hearing.voice_activity import SileroActivity, VoiceActivity
from simul.languages import SEAMLESS
from simul.models.seamless.model import SeamlessModel
from simul.models.whisper.guard import GuardConfig
from simul.units import SAMPLE_RATE

SHORTEST = SAMPLE_RATE // 20
"""Audio below 50 ms holds no word and is not decoded."""


@dataclass
class _Stream(WindowedStream):
    """`ids` and `ends` (stream samples): tokens of the last pass in the current window, committed ones included."""

    ids: tuple[int, ...] = ()
    ends: tuple[int, ...] = ()

    def forget_window(self) -> None:
        super().forget_window()
        self.ids, self.ends = (), ()


@dataclass(frozen=True)
class _Job:
    """One stream's work in a pass: samples [start, until) of the stream, the prompt, and where its prefix ends."""

    index: int
    request: DecodeRequest
    state: _Stream
    start: int
    until: int
    prompt: Prompt
    ends: tuple[int, ...]

    @property
    def covered(self) -> int:
        """The stream sample up to which the committed tokens reach."""
        return max(self.start, self.ends[-1]) if self.ends else self.start


class SeamlessBackend(WindowedBackend[_Stream]):
    """Each pass decodes the current window greedily with the committed tokens forced.

    Cross-attention is that of one decoder layer, mean over its heads, in frames of 160 ms (2560 samples): a
    distance given to AlignAtt in milliseconds is rounded up to whole frames. Source times of tokens are those
    frames, made monotone. A committed word that was seen to be over is never made longer. Text whose audio has been
    cut away leaves the prefix; these models take no further context.

    activity: makes the voice activity detector of a stream; None: a stream is one segment, cut by the window.
    guard: limits against invented text. meter: what the model's computing is measured by.
    """

    name: ClassVar[str] = "seamless"

    def __init__(
        self,
        model: SeamlessModel,
        activity: Callable[[], VoiceActivity] | None = SileroActivity,
        guard: GuardConfig | None = None,
        meter: Callable[[], float] = cpu_seconds,
    ) -> None:
        self.model, self.activity = model, activity
        self.guard = guard or GuardConfig()
        provides = {Need.TOKENS, Need.LOGPROBS, Need.SPANS, Need.ALIGNMENT}
        if activity is not None:
            provides.add(Need.ACTIVITY)
        limits = Limits(
            frozenset(SEAMLESS),
            frozenset(model.targets),
            soft_window=15 * SAMPLE_RATE,
            hard_window=28 * SAMPLE_RATE,
            trims=True,
            exports=True,
            meter=meter,
        )
        super().__init__(frozenset(provides), limits)

    def _start(self, spec: StreamSpec) -> _Stream:
        check_languages(f"the Seamless model {self.model.folder.name}", self.limits, spec)
        return _Stream(spec, SpeechStream(self.activity))

    def _job(self, index: int, request: DecodeRequest) -> _Job | None:
        """The work that a request brings; None when there is nothing to decode."""
        state = self.state(request.stream)
        start, until = state.window_of(request)
        if not request.view.speech or until - start < SHORTEST:
            return None
        count = len(request.prefix_ids)
        known = 0 < count <= len(state.ids) and state.ids[:count] == request.prefix_ids
        ends = state.ends[:count] if known else (start,) * count
        room = self.guard.budget((until - max((start, *ends))) / SAMPLE_RATE)
        if request.max_new_tokens is not None:
            room = min(room, request.max_new_tokens)
        prompt = Prompt(
            self.model.head(state.spec.target),
            request.prefix_ids,
            room,
            request.stop,
            request.word_complete,
        )
        return _Job(index, request, state, start, until, prompt, ends)

    def _without_loop(self, job: _Job, hypothesis: Hypothesis) -> Hypothesis:
        return hypothesis.first(self.guard.without_loop(job.prompt.prefix, hypothesis.ids))

    def _candidates(
        self, jobs: Sequence[_Job], windows: Sequence[Any], found: Sequence[Hypothesis]
    ) -> list[Candidate]:
        return [self._candidate(job, self._without_loop(job, h)) for job, h in zip(jobs, found, strict=True)]

    def _candidate(self, job: _Job, hypothesis: Hypothesis) -> Candidate:
        request, state, ids = job.request, job.state, hypothesis.ids
        tokens = self.model.surfaces(ids)
        assert hypothesis.attention is not None
        alignment = Alignment(hypothesis.attention, self.model.frame, job.start - self.model.lead)
        spans = self._spans(job, alignment)
        state.ids = (*request.prefix_ids, *ids)
        state.ends = (*job.ends, *(int(end) for end in spans[:, 1]))
        return Candidate(
            tokens=tokens,
            ids=ids,
            logprobs=hypothesis.logprobs,
            spans=spans,
            alignment=alignment,
            committable=len(ids) - 1 if hypothesis.stopped else None,
            ended=hypothesis.ended,
        )

    def _spans(self, job: _Job, alignment: Alignment) -> NDArray[np.int64]:
        """Stream samples [n, 2] of the frame each token attends most, never before that of the token before it.

        Attention is standardised per frame first, against frames that every token attends.
        """
        weights = alignment.weights
        if not len(weights):
            return np.zeros((0, 2), np.int64)
        frames = RunningColumns(weights.shape[1]).push(weights).argmax(axis=1)
        starts = alignment.origin + np.maximum.accumulate(frames).astype(np.int64) * alignment.frame
        floor = max(job.start, job.covered - alignment.frame)
        spans = np.stack([starts, starts + alignment.frame], axis=1)
        return np.clip(spans, floor, job.until)
