"""Whisper as a direct streaming backend: speech to text in its own language or in English, after a forced prefix."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, cast

import numpy as np
from numpy.typing import NDArray

from policies.base import Alignment, Candidate, Need
from simul.backends.base import DecodeRequest, Limits, StreamSpec, check_languages
from simul.backends.heard_text import NOTHING, HeardText
from simul.backends.timed_segments import timed_segments
from simul.backends.windowed import WindowedBackend, WindowedStream
from simul.clock import cpu_seconds
from simul.decoding.interface import Hypothesis, Prompt
from simul.errors import UsageError
from simul.hearing.speech_stream import SpeechStream
from simul.hearing.spoken_language import SpokenLanguage
from simul.hearing.voice_activity import SileroActivity, VoiceActivity
from simul.languages import SPOKEN, alternatives, is_open
from simul.models.terms.book import TermBook
from simul.models.terms.reading import Term
from simul.models.terms.repair import TermMatcher
from simul.models.whisper.capital import with_capital
from simul.models.whisper.features import STEP
from simul.models.whisper.guard import SENTENCE, GuardConfig
from simul.models.whisper.interface import Encoded, GrowingWhisper, GrowingWindows, Whisper
from simul.models.whisper.naming import likely_terms, with_terms
from simul.models.whisper.retry import Patience, alone, heard_again, wide
from simul.plain import NOT_STORED
from simul.units import SAMPLE_RATE, Samples

SHORTEST = SAMPLE_RATE // 20
"""Audio below 50 ms holds no word and is not decoded."""
STRIDE = SAMPLE_RATE
"""How much later than a window that gave too little text the next attempt begins at least."""
CONTEXT_TOKENS = 112
PREFIX_TOKENS = 224


@dataclass(frozen=True)
class _Cut:
    """After a loop a segment is heard anew from the sample `at` on. ids: its tokens before it; heard: the last ones."""

    at: int
    ids: tuple[int, ...]
    heard: HeardText


@dataclass(frozen=True)
class _Pass:
    """What the last pass found in the segment: `ids` of committed and new text, `ends` in stream samples.

    `timed` are the same tokens with the time tokens between them.
    """

    ids: tuple[int, ...] = ()
    ends: tuple[int, ...] = ()
    timed: tuple[int, ...] = ()


@dataclass
class _Stream(WindowedStream):
    """spoken: which language is. faults: how many passes in a row ended in a loop or too early. patience: with what was
    refused though somebody spoke. growing: what the model keeps of growing windows. terms: what misheard words are
    written as.
    """

    spoken: SpokenLanguage = field(default_factory=SpokenLanguage)
    last: _Pass = _Pass()
    context_dropped: bool = False
    cut: _Cut | None = None
    faults: int = 0
    patience: Patience = field(default_factory=Patience)
    growing: GrowingWindows = field(default_factory=GrowingWindows, metadata=NOT_STORED)
    terms: TermMatcher | None = field(default=None, metadata=NOT_STORED)

    def forget_window(self) -> None:
        super().forget_window()
        self.last, self.growing, self.cut = _Pass(), GrowingWindows(), None
        self.faults, self.patience = 0, Patience()


@dataclass(frozen=True)
class _Window:
    """Samples [start, until) of a stream; again: heard anew for once, beside the window that goes on."""

    state: _Stream
    start: int
    until: int
    again: bool = False


@dataclass(frozen=True)
class _Job:
    """One stream's work in a pass: samples [start, until) of the stream, and the prompt.

    prefix: committed tokens in this audio. before: the segment's tokens before this audio; ahead: those among them that
    are not committed. again: part of the audio is heard anew for once.
    """

    index: int
    state: _Stream
    start: int
    until: int
    prefix: tuple[int, ...]
    prompt: Prompt
    before: tuple[int, ...] = ()
    ahead: HeardText = NOTHING
    final: bool = False
    again: bool = False

    @property
    def lasting(self) -> bool:
        """Whether no later pass is likely to mend what is wrong: this is the last one, or not the first that is."""
        return self.final or self.state.faults > 1


class WhisperBackend(WindowedBackend[_Stream]):
    """Each pass decodes the current window with the committed tokens forced.

    A committed word that was seen to be over is never made longer, but in languages written without spaces.

    model: on onnxruntime or torch; or on CTranslate2, which shows no cross-attention and knows no stop rules.
    timestamps: let the model divide its text into timed segments (`Need.SEGMENTS`), as the policies that judge
        segments want; without, the text after a forced prefix is cleaner and passes are shorter.
    activity: makes the voice activity detector of a stream; None: a stream is one segment, cut by the window.
    guard: limits against invented text. meter: what the model's computing is measured by. terms: of every stream, what
        misheard words are written as.
    """

    name: ClassVar[str] = "whisper"

    def __init__(
        self,
        model: Whisper,
        timestamps: bool = False,
        activity: Callable[[], VoiceActivity] | None = SileroActivity,
        guard: GuardConfig | None = None,
        meter: Callable[[], float] = cpu_seconds,
        terms: Sequence[Term] = (),
    ) -> None:
        self.terms = TermBook(terms)
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
        if model.detects:
            languages |= {SPOKEN}
        targets, trims = languages | {"en"}, not model.grows
        limits = Limits(languages, targets, soft, hard, trims=trims, exports=True, terms=True, meter=meter)
        super().__init__(frozenset(provides), limits)

    @property
    def runs(self) -> str:
        return super().runs + (" and timed segments" if self.timestamps else "")

    def _start(self, spec: StreamSpec) -> _Stream:
        check_languages(f"the Whisper model {self.model.folder.name}", self.limits, spec)
        if spec.target not in (spec.source, "en"):
            raise UsageError(
                f"Whisper writes {spec.source!r} or translates it into English, not into {spec.target!r}; "
                "use it as the recogniser of a cascade: --asr FOLDER --mt FOLDER."
            )
        expected = "" if is_open(spec.source) else spec.source
        among = alternatives(spec.source) if not expected else ()
        terms = self.terms.matcher(spec.terms, spec.target)
        return _Stream(
            spec, SpeechStream(self.activity), spoken=SpokenLanguage(expected, among=among), terms=terms
        )

    def _encode(self, jobs: Sequence[_Job], windows: Sequence[Samples]) -> Sequence[Encoded]:
        if not self.model.grows:
            return super()._encode(jobs, windows)
        model = cast(GrowingWhisper, self.model)
        kept = [job.state.growing.at(job.start, job.again, model.start) for job in jobs]
        return model.grow(kept, windows)

    def _generate(self, jobs: Sequence[_Job], windows: Sequence[Any]) -> list[Hypothesis]:
        """What the model writes; where it says the previous text again, what it writes without knowing that."""
        found = super()._generate(jobs, windows)
        echoes = [i for i, job in enumerate(jobs) if self._echoes(job, found[i])]
        if echoes:
            prompts = [replace(alone(self.model.tokens, jobs[i].prompt), draft=()) for i in echoes]
            again = self.model.generate([windows[i] for i in echoes], prompts)
            for i, hypothesis in zip(echoes, again, strict=True):
                jobs[i].state.context_dropped = True
                found[i] = hypothesis
        self._told(jobs, windows, found)
        self._retry(jobs, windows, found)
        return [self._written(job, hypothesis) for job, hypothesis in zip(jobs, found, strict=True)]

    def _told(self, jobs: Sequence[_Job], windows: Sequence[Any], found: list[Hypothesis]) -> None:
        """Write again what may have been terms, now that the model is told of them as if they had just been said."""
        told = []
        for i, job in enumerate(jobs):
            names = likely_terms(self.model.tokens, job.state.terms, found[i])
            if names:
                head = job.prompt.head
                start = head.index(self.model.tokens.start)
                told.append(
                    (i, replace(job.prompt, head=(*names, *head[:start][1:], *head[start:]), draft=()))
                )
        if told:
            again = self.model.generate([windows[i] for i, _ in told], [prompt for _, prompt in told])
            for (i, _), hypothesis in zip(told, again, strict=True):
                found[i] = hypothesis

    def _retry(self, jobs: Sequence[_Job], windows: Sequence[Any], found: list[Hypothesis]) -> None:
        """Decode again what is refused though somebody speaks, if no later pass is likely to mend it; refuse the rest.

        At the end of a segment in which somebody speaks the likeliest text stands.
        """
        refused = [i for i, job in enumerate(jobs) if self._is_refused(job, found[i])]
        spoken = [i for i in refused if self.guard.is_speech(found[i])]
        for i, job in enumerate(jobs):
            job.state.patience.take(i in refused, i in spoken)
        hopeless = [i for i in spoken if jobs[i].final or jobs[i].state.patience.is_over]
        chosen = [jobs[i] for i in hopeless]
        dropped, tokens = [job.state.context_dropped for job in chosen], self.model.tokens
        prompts = [alone(tokens, j.prompt) if d else j.prompt for j, d in zip(chosen, dropped, strict=True)]

        def still(k: int, other: Hypothesis) -> bool:
            return self._is_refused(chosen[k], other) or self._echoes(chosen[k], other)

        texts, places = [found[i] for i in hopeless], [windows[i] for i in hopeless]
        again = heard_again(self.model, places, prompts, texts, still)
        for i, hypothesis in zip(hopeless, again, strict=True):
            found[i], jobs[i].state.context_dropped = hypothesis, True
            jobs[i].state.patience.tried(not self._is_refused(jobs[i], hypothesis))
        for i in refused:
            if not (i in hopeless and jobs[i].final) and self._is_refused(jobs[i], found[i]):
                found[i] = replace(found[i].first(0), ended=found[i].ended)

    def _written(self, job: _Job, hypothesis: Hypothesis) -> Hypothesis:
        """A hypothesis with the capital of its first word, and with terms where it sounds like them."""
        if not job.before:
            hypothesis = with_capital(self.model.tokens, job.prompt, hypothesis)
        if job.state.terms is not None:
            hypothesis = with_terms(self.model.tokens, job.state.terms, job.prompt, hypothesis)
        return hypothesis

    def _echoes(self, job: _Job, hypothesis: Hypothesis) -> bool:
        """Whether a segment begins with the words that the text before it ended with."""
        tokens, head = self.model.tokens, job.prompt.head
        said = (*job.before, *job.prefix, *(i for i in hypothesis.ids if tokens.is_text(i)))
        previous = head[1 : head.index(tokens.start)]
        before, after = ("".join(tokens.surfaces(ids)) for ids in (previous, said))
        return self.guard.echoes(before, after, job.final)

    def _candidates(
        self, jobs: Sequence[_Job], windows: Sequence[Any], found: Sequence[Hypothesis]
    ) -> list[Candidate]:
        spans = self._align(jobs, windows, found)
        return [self._candidate(*each) for each in zip(jobs, found, spans, strict=True)]

    def next_segment(self, stream: int) -> None:
        super().next_segment(stream)
        state = self.state(stream)
        state.context_dropped = False
        state.spoken.next_segment()

    def _job(self, index: int, request: DecodeRequest) -> _Job | None:
        """The work that a request brings; None when there is nothing to decode."""
        state = self.state(request.stream)
        start, until = state.window_of(request)
        if not request.view.speech or until - start < SHORTEST:
            return None
        if not request.final and state.patience.rests():
            return None
        self._listen(state, start, until, request)
        if not state.spoken.source:
            return None
        prefix, cut, ahead = request.prefix_ids, state.cut, NOTHING
        before: tuple[int, ...] = ()
        if cut is not None and (prefix[: len(cut.ids)] == cut.ids or cut.ids[: len(prefix)] == prefix):
            old = len(cut.ids) - len(cut.heard.ids)
            ahead, before, start = cut.heard.part(max(0, len(prefix) - old)), cut.ids, cut.at
            prefix = prefix[len(before) :]
        pending = until - max(start, self._covered(state, (*before, *prefix)))
        room = self.guard.budget(pending / SAMPLE_RATE) * (2 if self.timestamps else 1)
        if request.max_new_tokens is not None:
            room = min(room, request.max_new_tokens)
        head = self._head(state, request.context_ids, prefix[:-PREFIX_TOKENS])
        forced = self._forced(state, prefix)[-PREFIX_TOKENS:]
        draft = self._draft(state, (*before, *prefix))
        prompt = Prompt(head, forced, room, request.stop, request.word_complete and bool(prefix), draft)
        return _Job(index, state, start, until, prefix, prompt, before, ahead, request.final)

    def _listen(self, state: _Stream, start: int, until: int, request: DecodeRequest) -> None:
        """Find out which language is spoken, at the places where that is looked at."""
        final, settled = request.final, bool(request.prefix)
        if self.model.detects and state.spoken.due(until - start, final):
            window = self._encoded([_Window(state, start, until)])
            before = state.spoken.held
            state.spoken.hear(self.model.languages(window)[0], until - start, final, settled)
            if before and state.spoken.source != before:
                state.context_dropped = True

    def _task(self, state: _Stream) -> tuple[int, ...]:
        """Start, language and task of a stream."""
        source = state.spoken.source
        return self.model.tokens.task(source, "en" if state.spoken.translates(state.spec.target) else source)

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
        head = self._task(state)
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

    def _is_refused(self, job: _Job, hypothesis: Hypothesis) -> bool:
        """Whether a text that nothing was committed of looks made up, or there is none of much speech."""
        if job.prefix or job.before:
            return False
        if not hypothesis.ids:
            return self.guard.missed(min(job.state.audio.voiced_end, job.until) - job.start)
        translated = job.state.spoken.translates(job.state.spec.target)
        return self.guard.is_invented(hypothesis, job.until - job.start, job.final, translated)

    def _without_loop(self, job: _Job, heard: HeardText, spans: NDArray[np.int64] | None) -> HeardText:
        """What was heard, but for a loop at its end; after it the rest of the audio is heard anew.

        spans: of committed and new tokens; without them a loop is cut after its first round, and nothing is heard anew.
        """
        text = (*job.prefix, *heard.ids)
        loop = self.guard.loop(text)
        if heard.stopped:
            return heard
        if loop is None:
            return self._whole(job, heard, spans)
        job.state.faults += 1
        if spans is None or self.timestamps:
            job.state.context_dropped = True
            return replace(heard.part(0, max(0, loop.begin + loop.length - len(job.prefix))), ended=False)
        count = self.guard.spoken(loop, spans[:, 1].tolist())
        if count is None:
            return heard
        count = max(count, len(job.prefix))
        kept = heard.part(0, count - len(job.prefix))
        if not job.lasting:
            return replace(kept, ended=False)
        job.state.context_dropped = True
        at = self._end_of(job, text[:count]) if loop.length >= SENTENCE else int(spans[count - 1, 1])
        cut = job.state.cut = _Cut(at, (*job.before, *job.prefix, *kept.ids), job.ahead.then(kept))
        if at - job.start < SHORTEST or job.until - at < SHORTEST:
            return replace(kept, ended=False)
        return kept.then(self._again(job, at, cut.ids, cut.heard))

    def _end_of(self, job: _Job, text: tuple[int, ...]) -> int:
        """The stream sample at which a text ends that is all of what was heard from the job's start on."""
        found = self.model.align(self._encoded([job]), self._task(job.state), [text], [job.until - job.start])
        return job.start + int(found[0][-1, 1])

    def _whole(self, job: _Job, heard: HeardText, spans: NDArray[np.int64] | None) -> HeardText:
        """What was heard and, where the text ended long before the speech, what is heard after it."""
        if not heard.ended or spans is None or not len(spans) or self.timestamps:
            job.state.faults = 0
            return heard
        at = int(spans[-1, 1])
        if not self.guard.missed(min(job.state.audio.voiced_end, job.until) - at):
            job.state.faults = 0
            return heard
        job.state.faults += 1
        if not job.lasting:
            return heard
        at = max(at, job.start + STRIDE)
        return heard.then(self._again(job, at, (*job.before, *job.prefix, *heard.ids), heard))

    def _again(self, job: _Job, at: int, before: tuple[int, ...], ahead: HeardText) -> HeardText:
        """What is heard from the stream sample `at` on, without any text before it."""
        room = self.guard.budget((job.until - at) / SAMPLE_RATE)
        prompt = Prompt(self._head(job.state, (), ()), (), room, job.prompt.stop)
        later = replace(job, start=at, prefix=(), prompt=prompt, before=before, ahead=ahead, again=True)
        windows = self._encoded([later])
        found = self.model.generate(windows, [prompt], wide(self.model))
        spans = self._align([later], windows, found)[0]
        return self._text_of(later, found[0], spans)

    def _text_of(self, job: _Job, hypothesis: Hypothesis, spans: NDArray[np.int64] | None) -> HeardText:
        """The text of a hypothesis, without loops. spans: of committed and new tokens."""
        text = [i for i, token in enumerate(hypothesis.ids) if self.model.tokens.is_text(token)]
        is_text = self.model.tokens.is_text
        heard = HeardText(
            tuple(hypothesis.ids[i] for i in text),
            hypothesis.logprobs[text],
            None if spans is None else spans[len(job.prefix) :],
            None if hypothesis.attention is None else hypothesis.attention[text],
            job.start,
            hypothesis.ended,
            hypothesis.stopped,
            tuple(tuple(i for i in beam if is_text(i)) for beam in hypothesis.beams),
        )
        return self._without_loop(job, heard, spans)

    def _align(
        self, jobs: Sequence[_Job], encoded: Sequence[Encoded], found: Sequence[Hypothesis]
    ) -> list[NDArray[np.int64] | None]:
        """Spans of committed and new text in stream samples; the only place where window time becomes stream time."""
        if not self.model.aligns:
            return [None] * len(jobs)
        is_text = self.model.tokens.is_text
        results: list[NDArray[np.int64] | None] = [None] * len(jobs)
        heads = [self._task(job.state) for job in jobs]
        for head in dict.fromkeys(heads):
            chosen = [i for i, other in enumerate(heads) if other == head]
            texts = [[*jobs[i].prefix, *(t for t in found[i].ids if is_text(t))] for i in chosen]
            lengths = [jobs[i].until - jobs[i].start for i in chosen]
            for i, spans in zip(
                chosen, self.model.align([encoded[i] for i in chosen], head, texts, lengths), strict=True
            ):
                results[i] = spans + jobs[i].start
        return results

    def _candidate(self, job: _Job, hypothesis: Hypothesis, spans: NDArray[np.int64] | None) -> Candidate:
        tokens = self.model.tokens
        heard = self._text_of(job, hypothesis, spans)
        timed = (*job.prompt.prefix, *hypothesis.ids) if self.timestamps else ()
        job.state.last = self._last(job, heard, spans, timed)
        segments = None
        if self.timestamps:
            place, old = (job.start, job.until), len(job.prefix)
            segments = timed_segments(tokens, timed, old, place, hypothesis.no_speech_prob)
        ahead, heard = len(job.ahead.ids), job.ahead.then(heard)
        alignment = None
        if heard.attention is not None:
            alignment = Alignment(heard.attention, STEP, heard.origin)
        return Candidate(
            tokens=tokens.surfaces(heard.ids),
            ids=heard.ids,
            logprobs=heard.logprobs,
            spans=heard.spans,
            segments=segments,
            alignment=alignment,
            beams=tuple(tokens.surfaces(beam) for beam in heard.beams),
            committable=len(heard.ids) - 1 if heard.stopped else None,
            spoken=job.state.spoken.spoken,
            repairs=tuple((a + ahead, b + ahead, said) for a, b, said in hypothesis.repairs),
            ended=heard.ended,
        )

    @staticmethod
    def _last(job: _Job, heard: HeardText, spans: NDArray[np.int64] | None, timed: tuple[int, ...]) -> _Pass:
        """What is remembered of a pass."""
        ids = (*job.before, *job.prefix, *heard.ids)
        if spans is None or heard.spans is None:
            return _Pass(ids, (), timed)
        ends = (*job.state.last.ends[: len(job.before)], *spans[: len(job.prefix), 1], *heard.spans[:, 1])
        return _Pass(ids, tuple(map(int, ends)), timed)
