"""Cascade: a streaming recogniser, then a text translator that continues the committed target text."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from policies.base import Activity, Alignment, Candidate, Need, Segment, SourceView
from simul.backends.base import Backend, DecodeRequest, Limits, StreamSpec, check_languages
from simul.backends.moving import imported
from simul.clock import cpu_seconds
from simul.errors import UsageError
from simul.models.terms.book import TermBook
from simul.models.terms.reading import Term
from simul.models.terms.repair import TermMatcher, named_words
from simul.models.translation.interface import TextRequest, TextResult, TextTranslator
from simul.models.words import Utterance, Word, stretches
from simul.plain import NOT_STORED, fill_fields, read_fields, write_fields
from simul.units import Samples

FRAME = 640
"""Samples of a frame of attention: 40 ms, a fraction of the shortest words."""

Key = tuple[str, bool, tuple[str, ...], tuple[int, ...], int | None, bool]


class Recognizer(Protocol):
    """A streaming recogniser of one stream. `hypothesis` and `events` compute what is due."""

    @property
    def heard(self) -> int: ...

    @property
    def utterance_start(self) -> int: ...

    def push(self, samples: Samples) -> None: ...

    def hypothesis(self) -> tuple[Word, ...]: ...

    def events(self) -> list[Utterance]: ...

    def finish(self) -> list[Utterance]: ...


@runtime_checkable
class Batched(Protocol):
    """A recogniser that can compute what is due for several streams at once."""

    @staticmethod
    def compute(recognizers: Sequence[Any]) -> None: ...


@runtime_checkable
class Reusable(Protocol):
    """A recogniser that can serve one stream after the other."""

    def reset(self) -> None: ...


@runtime_checkable
class Movable(Protocol):
    """A recogniser whose stream can go on in another one. runs: its model, and how that is used."""

    @property
    def runs(self) -> str: ...

    def dump(self) -> dict[str, Any]: ...

    def load(self, dumped: Mapping[str, Any]) -> None: ...


@dataclass
class Hearing:
    """What is heard of one recording, for all the streams that translate it.

    words: of the utterance that is open at the end of what was advanced to. utterances: those that have ended and that
    a stream has not left yet. terms: what misheard words are written as.
    """

    recognizer: Recognizer = field(metadata=NOT_STORED)
    terms: TermMatcher | None = field(default=None, metadata=NOT_STORED)
    streams: list[CascadeState] = field(default_factory=list, metadata=NOT_STORED)
    pushed: list[Samples] = field(default_factory=list)
    received: int = 0
    closing: bool = False
    ended: bool = False
    utterances: list[Utterance] = field(default_factory=list)
    words: tuple[Word, ...] = ()
    failure: Exception | None = field(default=None, metadata=NOT_STORED)

    def take(self) -> None:
        """Give the recogniser what was pushed."""
        with self._at_most_once():
            for samples in self.pushed:
                self.recognizer.push(samples)
                self.received += len(samples)
            self.pushed.clear()

    def look(self) -> None:
        """Ask the recogniser what it understood."""
        with self._at_most_once():
            self.utterances.extend(map(self._named, self.recognizer.events()))
            if self.closing and not self.ended:
                self.ended = True
                self.utterances.extend(map(self._named, self.recognizer.finish()))
            words = () if self.ended else self.recognizer.hypothesis()
            self.words = words if self.terms is None else named_words(self.terms, words)

    def _named(self, utterance: Utterance) -> Utterance:
        """An utterance whose words are written as terms where they sound like them."""
        if self.terms is None:
            return utterance
        return replace(utterance, words=named_words(self.terms, utterance.words))

    @contextmanager
    def _at_most_once(self) -> Iterator[None]:
        """What failed once fails again: no audio is taken in twice, and no utterance goes missing."""
        if self.failure is not None:
            raise self.failure
        try:
            yield
        except Exception as error:
            self.failure = error
            raise

    def dump(self) -> dict[str, Any]:
        """All that changes, as plain values and arrays."""
        if self.failure is not None:
            raise self.failure
        return {**write_fields(self), "recognizer": _movable(self.recognizer).dump()}

    def load(self, dumped: Mapping[str, Any]) -> None:
        """Go on from what `dump` gave."""
        fill_fields(self, dumped)
        _movable(self.recognizer).load(dumped["recognizer"])

    def forget(self) -> None:
        """Drop the utterances that every stream has left."""
        left = min((state.place for state in self.streams), default=0)
        del self.utterances[:left]
        for state in self.streams:
            state.place -= left


@dataclass(eq=False)
class CascadeState:
    """One stream. place: its utterance in what is heard; before: the words of its last pass, to tell which are stable;
    cached: the last translation and what was asked. terms: those that have a translation, each with it."""

    spec: StreamSpec
    hearing: Hearing = field(metadata=NOT_STORED)
    place: int = 0
    decoded_at: int = 0
    before: tuple[str, ...] = ()
    cached: tuple[Key, TextResult] | None = field(default=None, metadata=NOT_STORED)
    terms: tuple[tuple[str, str], ...] = field(default=(), metadata=NOT_STORED)

    @property
    def closed(self) -> Utterance | None:
        """The current utterance, if it has ended."""
        return self.hearing.utterances[self.place] if self.place < len(self.hearing.utterances) else None


class CascadeBackend(Backend[CascadeState]):
    """One segment is one utterance of the recogniser; each pass translates the words recognised so far.

    Without a translator, or when source and target agree, the recognised words are the output.
    A target token that rests on a source word which the last two passes do not agree on, and which the recogniser may
    still change, is a draft: it may be shown but not committed. Attention on the source is the translator's on the
    recognised words, each spread over the time in which it was spoken. Segments are what belongs to the words between
    two pauses; as Whisper's, those of a pass share a no-speech probability, here the part of the utterance so far in
    which no word was recognised.

    meter: what computing is measured by. terms: of every stream, what misheard words are written as before they are
    translated.
    """

    name: ClassVar[str] = "cascade"

    def __init__(
        self,
        recognizer: Callable[[], Recognizer],
        translator: TextTranslator | None,
        languages: frozenset[str] = frozenset({"en"}),
        meter: Callable[[], float] = cpu_seconds,
        terms: Sequence[Term] = (),
    ) -> None:
        self.terms = TermBook(terms)
        self.make_recognizer, self.translator = recognizer, translator
        self._idle: list[Recognizer] = []
        """The recogniser of the last stream that was closed: loading one takes longer than a chunk."""
        targets = languages if translator is None else languages | translator.targets
        limits = Limits(languages, targets, exports=True, shares=True, terms=True, meter=meter)
        super().__init__(_provided(translator), limits)

    def _start(self, spec: StreamSpec) -> CascadeState:
        check_languages("this model", self.limits, spec)
        matcher = self.terms.matcher(spec.terms, spec.source)
        return self._joined(CascadeState(spec, Hearing(self._recognizer(), matcher)))

    def _recognizer(self) -> Recognizer:
        return self._idle.pop() if self._idle else self.make_recognizer()

    def _spare(self, recognizer: Recognizer) -> None:
        """Keep a recogniser for the next stream."""
        if isinstance(recognizer, Reusable):
            recognizer.reset()
            self._idle[:] = [recognizer]

    def beside(self, stream: int, target: str) -> int:
        first = self.state(stream)
        spec = replace(first.spec, target=target)
        check_languages("this model", self.limits, spec)
        return self._admit(self._joined(CascadeState(spec, first.hearing, first.place, first.decoded_at)))

    def _joined(self, state: CascadeState) -> CascadeState:
        """The state, among those that share what it hears."""
        state.hearing.streams.append(state)
        state.terms = self.terms.translations(state.spec.terms, state.spec.target)
        return state

    def _stop(self, state: CascadeState) -> None:
        hearing = state.hearing
        hearing.streams.remove(state)
        if not hearing.streams:
            self._spare(hearing.recognizer)

    def push(self, stream: int, samples: Samples) -> None:
        self.state(stream).hearing.pushed.append(samples.copy())

    def end(self, stream: int) -> None:
        self.state(stream).hearing.closing = True

    def advance(self, streams: Sequence[int]) -> None:
        heard = list({id(h): h for h in (self.state(stream).hearing for stream in streams)}.values())
        for hearing in heard:
            hearing.take()
        if heard and isinstance(heard[0].recognizer, Batched):
            heard[0].recognizer.compute([hearing.recognizer for hearing in heard])
        for hearing in heard:
            hearing.look()

    def view(self, stream: int) -> SourceView:
        state = self.state(stream)
        hearing, closed = state.hearing, state.closed
        received = hearing.received
        words = closed.words if closed else hearing.words
        start = closed.start_sample if closed else min(hearing.recognizer.utterance_start, received)
        last = words[-1].end_sample if words else start
        new = received - state.decoded_at
        speech = min(1.0, max(0, last - state.decoded_at) / new) if new > 0 else 0.0
        final = closed is not None or hearing.ended
        return SourceView(
            heard=received,
            new=new,
            segment_start=start,
            segment_final=final,
            finished=hearing.ended and len(hearing.utterances) - state.place <= 1,
            units={"word": len(words)},
            activity=Activity(silence=max(0, received - last), speech_ratio=speech),
            words=words,
            closed_by=(closed.cause if closed else "end") if final else "",
        )

    def decode(self, requests: Sequence[DecodeRequest]) -> list[Candidate]:
        candidates = []
        for request, result in zip(requests, self._translate(requests), strict=True):
            state, words = self.state(request.stream), request.view.words
            state.decoded_at = request.until
            texts = tuple(word.text for word in words)
            stable = len(texts) if request.final else max(_agreeing(state.before, texts), _certain(words))
            state.before = texts
            candidate = _candidate(result, words, stable, request.view)
            if self._writes_words(state):
                candidate = replace(candidate, repairs=_repairs(words[len(request.prefix) :]))
            candidates.append(candidate)
        return candidates

    def _writes_words(self, state: CascadeState) -> bool:
        """Whether what was recognised is the output."""
        return self.translator is None or state.spec.source == state.spec.target

    def _translate(self, requests: Sequence[DecodeRequest]) -> list[TextResult]:
        """Results in order; a stream whose source and prefix have not changed gets its former result."""
        results: list[TextResult | None] = []
        todo: list[TextRequest] = []
        keys: list[Key] = []
        for request in requests:
            words, state = request.view.words, self.state(request.stream)
            text = " ".join(word.text for word in words)
            asked = request.prefix, request.prefix_ids, request.max_new_tokens, request.word_complete
            key: Key = (text, request.final, *asked)
            keys.append(key)
            if self._writes_words(state):
                results.append(_as_words(words, len(request.prefix), request.max_new_tokens))
            elif state.cached is not None and state.cached[0] == key:
                results.append(state.cached[1])
            else:
                results.append(None)
                todo.append(TextRequest(text, state.spec.target, *key[1:], terms=state.terms))
        if self.translator is not None and todo:
            fresh = iter(self.translator.translate(todo))
            for index, request in enumerate(requests):
                if results[index] is None:
                    results[index] = result = next(fresh)
                    self.state(request.stream).cached = (keys[index], result)
        return [result for result in results if result is not None]

    def next_segment(self, stream: int) -> None:
        state = self.state(stream)
        if state.closed is not None:
            state.place += 1
        state.hearing.forget()
        state.before, state.cached = (), None

    def export_state(self, stream: int) -> dict[str, Any]:
        """The last translation is left out: it follows from the words.

        Raises:
            UsageError: the recogniser is no `Movable`.
        """
        state = self.state(stream)
        hearing = state.hearing
        heard = hearing.dump() if hearing.streams[0] is state else None
        return {"runs": self._runs(hearing.recognizer), **write_fields(state), "hearing": heard}

    def import_state(self, exported: Mapping[str, Any], beside: int | None = None) -> int:
        hearing = Hearing(self._recognizer()) if beside is None else self.state(beside).hearing
        try:
            with imported(exported, self._runs(hearing.recognizer)):
                state = CascadeState(read_fields(StreamSpec, exported["spec"]), hearing)
                check_languages("this model", self.limits, state.spec)
                fill_fields(state, exported)
                if beside is None:
                    hearing.terms = self.terms.matcher(state.spec.terms, state.spec.source)
                    hearing.load(exported["hearing"])
        except Exception:
            if beside is None:
                self._spare(hearing.recognizer)
            raise
        return self._admit(self._joined(state))

    def _runs(self, recognizer: Recognizer) -> str:
        """What a stream's state belongs to: the models, and how they are used."""
        writes = "no translator" if self.translator is None else self.translator.name
        return f"a cascade of {_movable(recognizer).runs} and {writes}"


def _movable(recognizer: Recognizer) -> Movable:
    if isinstance(recognizer, Movable):
        return recognizer
    raise UsageError(
        f"The streams of this cascade cannot move: its recogniser ({type(recognizer).__name__}) cannot hand them over."
    )


def _provided(translator: TextTranslator | None) -> frozenset[Need]:
    """What a cascade shows: everything that words have, less what its translator lacks."""
    provides = {Need.TOKENS, Need.SPANS, Need.SEGMENTS, Need.ALIGNMENT, Need.UNIT_COUNTS, Need.ACTIVITY}
    if translator is None:
        return frozenset(provides)
    lacks: frozenset[Need] = getattr(translator, "lacks", frozenset())
    if Need.SPANS in lacks:
        lacks |= {Need.ALIGNMENT, Need.SEGMENTS}
    provides.add(Need.LOGPROBS)
    if getattr(translator, "offers", 1) > 1:
        provides.add(Need.BEAMS)
    return frozenset(provides) - lacks


def _agreeing(before: tuple[str, ...], now: tuple[str, ...]) -> int:
    """How many first words two successive hypotheses share."""
    count = 0
    for a, b in zip(before, now, strict=False):
        if a != b:
            break
        count += 1
    return count


def _certain(words: Sequence[Word]) -> int:
    """How many first words the recogniser will not change, which it says by a confidence."""
    return next((i for i, word in enumerate(words) if word.confidence is None), len(words))


def _as_words(words: tuple[Word, ...], skip: int, limit: int | None) -> TextResult:
    """The recognised words themselves as tokens, without the `skip` first ones."""
    stop = None if limit is None else skip + limit
    tokens = tuple(" " + word.text for word in words[skip:stop])
    return TextResult(tokens, (), None, np.arange(skip, skip + len(tokens), dtype=np.int64))


def _repairs(words: Sequence[Word]) -> tuple[tuple[int, int, str], ...]:
    """Which of some words, each a token, are terms, and what was heard there."""
    return tuple((i, i + 1, word.heard) for i, word in enumerate(words) if word.heard is not None)


def _candidate(result: TextResult, words: tuple[Word, ...], stable: int, view: SourceView) -> Candidate:
    spans: Any = None
    committable: int | None = None
    alignment: Alignment | None = None
    segments: tuple[Segment, ...] | None = None
    if result.source_words is not None and words:
        index = np.clip(result.source_words, 0, len(words) - 1)
        times = np.array([(word.start_sample, word.end_sample) for word in words], dtype=np.int64)
        spans = times[index]
        committable = int((index < stable).sum())
        attention = result.source_attention
        if attention is None or attention.shape[1] != len(words):
            attention = np.eye(len(words), dtype=np.float32)[index]
        alignment = _alignment(attention, times, view.heard)
        segments = _segments(result.tokens, index, words, view)
    return Candidate(
        tokens=result.tokens,
        ids=result.ids,
        logprobs=result.logprobs,
        spans=spans,
        segments=segments,
        alignment=alignment,
        beams=result.others,
        committable=committable,
        source_text=" ".join(word.text for word in words) or None,
        ended=result.ended,
    )


def _segments(
    tokens: tuple[str, ...], index: NDArray[np.int64], words: tuple[Word, ...], view: SourceView
) -> tuple[Segment, ...]:
    """The tokens by stretches of words between pauses; `index` has the word on which each token rests.

    A token that rests on an earlier stretch than the one before it stays with that one.
    """
    spoken = sum(word.end_sample - word.start_sample for word in words)
    silent = 1 - min(1.0, spoken / max(1, view.heard - view.segment_start))
    found = []
    reached = np.maximum.accumulate(index)
    begin = first = 0
    for stretch in stretches(words):
        end = int(np.searchsorted(reached, first + len(stretch)))
        if end > begin:
            text = "".join(tokens[begin:end])
            times = stretch[0].start_sample, stretch[-1].end_sample
            found.append(Segment(*times, text, silent, end - begin))
        begin, first = end, first + len(stretch)
    return tuple(found)


def _alignment(attention: NDArray[np.float32], times: NDArray[np.int64], heard: int) -> Alignment:
    """Attention on words [tokens, words] spread evenly over the frames in which the words were spoken."""
    origin = int(times[0, 0])
    count = max(1, -(-(heard - origin) // FRAME))
    first = np.minimum((times[:, 0] - origin) // FRAME, count - 1)
    last = np.clip(-(-(times[:, 1] - origin) // FRAME), first + 1, count)
    frames = np.arange(count)
    spoken = (first[:, None] <= frames) & (frames < last[:, None])
    return Alignment(attention @ (spoken / (last - first)[:, None]).astype(np.float32), FRAME, origin)
