"""Whisper as a direct streaming backend: speech to text in its own language or in English, after a forced prefix."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, cast

import numpy as np
from numpy.typing import NDArray

from policies.base import Alignment, Candidate, Need, Segment
from simul.backends.base import DecodeRequest, Limits, StreamSpec, check_languages
from simul.backends.windowed import WindowedBackend, WindowedStream
from simul.clock import cpu_seconds
from simul.decoding.interface import Hypothesis, Prompt
from simul.errors import UsageError
from simul.hearing.speech_stream import SpeechStream
from simul.hearing.voice_activity import SileroActivity, VoiceActivity
from simul.models.whisper.features import STEP
from simul.models.whisper.guard import GuardConfig
from simul.models.whisper.interface import Encoded, GrowingWhisper, Whisper
from simul.units import SAMPLE_RATE, Samples

SHORTEST = SAMPLE_RATE // 20
"""Audio below 50 ms holds no word and is not decoded."""
CONTEXT_TOKENS = 112
PREFIX_TOKENS = 224


@dataclass(frozen=True)
class _Pass:
    """What the last pass found in the current window: `ids` of committed and new text, `ends` in stream samples.

    `timed` are the same tokens with the time tokens between them.
    """

    ids: tuple[int, ...] = ()
    ends: tuple[int, ...] = ()
    timed: tuple[int, ...] = ()


@dataclass
class _Stream(WindowedStream):
    last: _Pass = _Pass()
    context_dropped: bool = False
    growing: Any = None

    def forget_window(self) -> None:
        super().forget_window()
        self.last, self.growing = _Pass(), None


@dataclass(frozen=True)
class _Job:
    """One stream's work in a pass: samples [start, until) of the stream, and the prompt."""

    index: int
    state: _Stream
    start: int
    until: int
    prefix: tuple[int, ...]
    prompt: Prompt


class WhisperBackend(WindowedBackend[_Stream]):
    """Each pass decodes the current window with the committed tokens forced.

    A committed word that was seen to be over is never made longer, but in languages written without spaces.

    model: on onnxruntime or torch; or on CTranslate2, which shows no cross-attention and knows no stop rules.
    timestamps: let the model divide its text into timed segments (`Need.SEGMENTS`), as the policies that judge
        segments want; without, the text after a forced prefix is cleaner and passes are shorter.
    activity: makes the voice activity detector of a stream; None: a stream is one segment, cut by the window.
    guard: limits against invented text. meter: what the model's computing is measured by.
    """

    name: ClassVar[str] = "whisper"

    def __init__(
        self,
        model: Whisper,
        timestamps: bool = False,
        activity: Callable[[], VoiceActivity] | None = SileroActivity,
        guard: GuardConfig | None = None,
        meter: Callable[[], float] = cpu_seconds,
    ) -> None:
        self.model, self.timestamps, self.activity = model, timestamps, activity
        self.guard = guard or GuardConfig()
        provides = {Need.TOKENS, Need.LOGPROBS}
        if model.aligns:
            provides.add(Need.SPANS)
        if model.attends:
            provides.add(Need.ALIGNMENT)
        if model.offers > 1:
            provides.add(Need.BEAMS)
        if timestamps:
            provides.add(Need.SEGMENTS)
        if activity is not None:
            provides.add(Need.ACTIVITY)
        languages = model.tokens.languages
        # What grows is not cut: it would have to be encoded anew. A segment is never longer than 29 s.
        soft, hard = (None, None) if model.grows else (15 * SAMPLE_RATE, 28 * SAMPLE_RATE)
        limits = Limits(languages, languages | {"en"}, soft, hard, trims=not model.grows, meter=meter)
        super().__init__(frozenset(provides), limits)

    def _start(self, spec: StreamSpec) -> _Stream:
        check_languages(f"the Whisper model {self.model.folder.name}", self.limits, spec)
        if spec.target not in (spec.source, "en"):
            raise UsageError(
                f"Whisper writes {spec.source!r} or translates it into English, not into {spec.target!r}; "
                "use it as the recogniser of a cascade: --asr FOLDER --mt FOLDER."
            )
        return _Stream(spec, SpeechStream(self.activity))

    def _encode(self, jobs: Sequence[_Job], windows: Sequence[Samples]) -> Sequence[Encoded]:
        if not self.model.grows:
            return super()._encode(jobs, windows)
        model = cast(GrowingWhisper, self.model)
        for job in jobs:
            if job.state.growing is None:
                job.state.growing = model.start()
        return model.grow([job.state.growing for job in jobs], windows)

    def _candidates(
        self, jobs: Sequence[_Job], windows: Sequence[Any], found: Sequence[Hypothesis]
    ) -> list[Candidate]:
        kept = [self._heard(job, hypothesis) for job, hypothesis in zip(jobs, found, strict=True)]
        spans = self._align(jobs, windows, kept)
        return [self._candidate(*each) for each in zip(jobs, kept, spans, strict=True)]

    def next_segment(self, stream: int) -> None:
        super().next_segment(stream)
        self.state(stream).context_dropped = False

    def _job(self, index: int, request: DecodeRequest) -> _Job | None:
        """The work that a request brings; None when there is nothing to decode."""
        state = self.state(request.stream)
        start, until = state.window_of(request)
        if not request.view.speech or until - start < SHORTEST:
            return None
        prefix = request.prefix_ids
        pending = until - max(start, self._covered(state, prefix))
        room = self.guard.budget(pending / SAMPLE_RATE) * (2 if self.timestamps else 1)
        if request.max_new_tokens is not None:
            room = min(room, request.max_new_tokens)
        head = self._head(state, request.context_ids, prefix[:-PREFIX_TOKENS])
        forced = self._forced(state, prefix)[-PREFIX_TOKENS:]
        prompt = Prompt(head, forced, room, request.stop, request.word_complete, self._draft(state, prefix))
        return _Job(index, state, start, until, prefix, prompt)

    @staticmethod
    def _covered(state: _Stream, prefix: tuple[int, ...]) -> int:
        """The stream sample up to which the committed tokens reach, as the last pass aligned them."""
        count, last = len(prefix), state.last
        return last.ends[count - 1] if 0 < count <= len(last.ends) and last.ids[:count] == prefix else 0

    def _draft(self, state: _Stream, prefix: tuple[int, ...]) -> tuple[int, ...]:
        """What the last pass wrote after the committed tokens, which this one is likely to write again."""
        last = state.last.ids
        return () if self.timestamps or last[: len(prefix)] != prefix else last[len(prefix) :]

    def _head(self, state: _Stream, context: tuple[int, ...], overflow: tuple[int, ...]) -> tuple[int, ...]:
        """Previous text (capped at a word, left out after a loop), start, language, task, the choice about times."""
        tokens = self.model.tokens
        head = tokens.task(state.spec.source, state.spec.target)
        if not self.timestamps:
            head = (*head, tokens.no_timestamps)
        before = [*context, *overflow]
        previous = before[-CONTEXT_TOKENS:]
        if len(previous) < len(before):
            starts = (i for i, token in enumerate(previous) if not tokens.grows[token])
            previous = previous[next(starts, len(previous)) :]
        if not previous or state.context_dropped:
            return head
        return (tokens.previous, *previous, *head)

    def _forced(self, state: _Stream, prefix: tuple[int, ...]) -> tuple[int, ...]:
        """The committed tokens, with the time tokens among them where the model writes times."""
        if not self.timestamps or not prefix:
            return prefix
        tokens, last = self.model.tokens, state.last
        if last.ids[: len(prefix)] != prefix:
            return (tokens.first_timestamp, *prefix)
        forced, count = [], 0
        for token in last.timed:
            if tokens.is_text(token):
                if count == len(prefix):
                    break
                count += 1
            forced.append(token)
        return tuple(forced)

    def _heard(self, job: _Job, hypothesis: Hypothesis) -> Hypothesis:
        """The hypothesis without loops and without text over silence."""
        if not job.prefix and self.guard.is_silence(hypothesis.no_speech_prob, hypothesis.logprobs):
            return replace(hypothesis.first(0), ended=hypothesis.ended, beams=())
        text = [i for i, token in enumerate(hypothesis.ids) if self.model.tokens.is_text(token)]
        count = self.guard.without_loop(job.prefix, [hypothesis.ids[i] for i in text])
        if count == len(text):
            return hypothesis
        job.state.context_dropped = True
        return hypothesis.first(text[count])

    def _align(
        self, jobs: Sequence[_Job], encoded: Sequence[Encoded], kept: Sequence[Hypothesis]
    ) -> list[NDArray[np.int64] | None]:
        """Spans of committed and new text in stream samples; the only place where window time becomes stream time."""
        if not self.model.aligns:
            return [None] * len(jobs)
        is_text = self.model.tokens.is_text
        results: list[NDArray[np.int64] | None] = [None] * len(jobs)
        heads = [self.model.tokens.task(job.state.spec.source, job.state.spec.target) for job in jobs]
        for head in dict.fromkeys(heads):
            chosen = [i for i, other in enumerate(heads) if other == head]
            texts = [[*jobs[i].prefix, *(t for t in kept[i].ids if is_text(t))] for i in chosen]
            lengths = [jobs[i].until - jobs[i].start for i in chosen]
            for i, spans in zip(
                chosen, self.model.align([encoded[i] for i in chosen], head, texts, lengths), strict=True
            ):
                results[i] = spans + jobs[i].start
        return results

    def _candidate(self, job: _Job, hypothesis: Hypothesis, spans: NDArray[np.int64] | None) -> Candidate:
        tokens = self.model.tokens
        text = [i for i, token in enumerate(hypothesis.ids) if tokens.is_text(token)]
        ids = tuple(hypothesis.ids[i] for i in text)
        ends = () if spans is None else tuple(int(end) for end in spans[:, 1])
        timed = (*job.prompt.prefix, *hypothesis.ids) if self.timestamps else ()
        job.state.last = _Pass((*job.prefix, *ids), ends, timed)
        segments = self._segments(job, timed, hypothesis.no_speech_prob) if self.timestamps else None
        alignment = None
        if hypothesis.attention is not None:
            alignment = Alignment(hypothesis.attention[text], STEP, job.start)
        others = (tokens.surfaces([i for i in beam if tokens.is_text(i)]) for beam in hypothesis.beams)
        return Candidate(
            tokens=tokens.surfaces(ids),
            ids=ids,
            logprobs=hypothesis.logprobs[text],
            spans=None if spans is None else spans[len(job.prefix) :],
            segments=segments,
            alignment=alignment,
            beams=tuple(others),
            committable=len(ids) - 1 if hypothesis.stopped else None,
            ended=hypothesis.ended,
        )

    def _segments(self, job: _Job, timed: tuple[int, ...], no_speech: float) -> tuple[Segment, ...]:
        """The timed segments that hold new text; those wholly in the committed prefix are left out."""
        tokens = self.model.tokens
        end = job.until - job.start
        old = len(job.prefix)
        found: list[Segment] = []
        begin, last, pieces = 0, 0, []
        for token in [*timed, None]:
            if token is not None and tokens.is_text(token):
                pieces.append(token)
                continue
            last = end if token is None else min((token - tokens.first_timestamp) * STEP, end)
            if pieces:
                new = pieces[min(old, len(pieces)) :]
                old -= len(pieces) - len(new)
                if new:
                    text = "".join(tokens.surfaces(new))
                    where = (job.start + begin, job.start + max(begin, last))
                    found.append(Segment(*where, text, no_speech, len(new)))
            begin, pieces = last, []
        return tuple(found)
