"""Cascade: a streaming recogniser, then a text translator that continues the committed target text."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from policies.base import Activity, Alignment, Candidate, Need, Segment, SourceView
from simul.backends.base import Backend, DecodeRequest, Limits, StreamSpec, check_languages
from simul.memory import release, trim
from simul.models.translation.interface import TextRequest, TextResult, TextTranslator
from simul.models.words import Utterance, Word, stretches
from simul.units import Samples

FRAME = 640
"""Samples of a frame of attention: 40 ms, a fraction of the shortest words."""

Key = tuple[str, bool, tuple[str, ...], tuple[int, ...], int | None, bool]


class Recognizer(Protocol):
    """A streaming recogniser: one instance serves one stream, or one after the other if it has a `reset`."""

    @property
    def heard(self) -> int: ...

    @property
    def utterance_start(self) -> int: ...

    def push(self, samples: Samples) -> None: ...

    def hypothesis(self) -> tuple[Word, ...]: ...

    def events(self) -> list[Utterance]: ...

    def finish(self) -> list[Utterance]: ...


@dataclass
class _Stream:
    spec: StreamSpec
    recognizer: Recognizer
    received: int = 0
    decoded_at: int = 0
    ended: bool = False
    closed: bool = False
    utterances: deque[Utterance] = field(default_factory=deque)
    before: tuple[str, ...] = ()
    """Words of the hypothesis at the last pass, to tell which words are stable."""
    cached: tuple[Key, TextResult] | None = None


class CascadeBackend(Backend):
    """One segment is one utterance of the recogniser; each pass translates the words recognised so far.

    Without a translator, or when source and target agree, the recognised words are the output.
    A target token that rests on a source word which the last two passes do not agree on is a draft: it may be
    shown but not committed. Attention on the source is the translator's on the recognised words, each spread over the
    time in which it was spoken. Segments are what belongs to the words between two pauses; as Whisper's, those of a
    pass share a no-speech probability, here the part of the utterance so far in which no word was recognised.
    """

    name: ClassVar[str] = "cascade"
    provides = frozenset(
        {Need.TOKENS, Need.SPANS, Need.SEGMENTS, Need.ALIGNMENT, Need.UNIT_COUNTS, Need.ACTIVITY},
    )

    def __init__(
        self,
        recognizer: Callable[[], Recognizer],
        translator: TextTranslator | None,
        languages: frozenset[str] = frozenset({"en"}),
    ) -> None:
        self.make_recognizer, self.translator = recognizer, translator
        self._idle: list[Recognizer] = []
        """The recogniser of the last stream that was closed: loading one takes longer than a chunk."""
        targets = languages if translator is None else languages | translator.targets
        self.limits = Limits(languages, targets)
        if translator is not None:
            lacks: frozenset[Need] = getattr(translator, "lacks", frozenset())
            if Need.SPANS in lacks:
                lacks |= {Need.ALIGNMENT, Need.SEGMENTS}
            more = {Need.LOGPROBS, Need.BEAMS} if getattr(translator, "offers", 1) > 1 else {Need.LOGPROBS}
            self.provides = (self.provides | more) - lacks

    def open(self, spec: StreamSpec) -> _Stream:
        check_languages("this model", self.limits, spec)
        try:
            recognizer = self._idle.pop()
        except IndexError:
            recognizer = self.make_recognizer()
        return _Stream(spec, recognizer)

    def push(self, handle: _Stream, samples: Samples) -> None:
        handle.recognizer.push(samples)
        handle.received += len(samples)
        handle.utterances.extend(handle.recognizer.events())

    def end(self, handle: _Stream) -> None:
        handle.ended = True
        handle.utterances.extend(handle.recognizer.finish())

    def _words(self, handle: _Stream) -> tuple[Word, ...]:
        if handle.utterances:
            return handle.utterances[0].words
        return () if handle.ended else handle.recognizer.hypothesis()

    def view(self, handle: _Stream) -> SourceView:
        closed = handle.utterances[0] if handle.utterances else None
        words = self._words(handle)
        start = closed.start_sample if closed else min(handle.recognizer.utterance_start, handle.received)
        last = words[-1].end_sample if words else start
        new = handle.received - handle.decoded_at
        speech = min(1.0, max(0, last - handle.decoded_at) / new) if new > 0 else 0.0
        return SourceView(
            heard=handle.received,
            new=new,
            segment_start=start,
            segment_final=closed is not None or handle.ended,
            finished=handle.ended and len(handle.utterances) <= 1,
            units={"word": len(words)},
            activity=Activity(silence=max(0, handle.received - last), speech_ratio=speech),
        )

    def decode(self, requests: Sequence[DecodeRequest]) -> list[Candidate]:
        sources = [self._words(request.handle) for request in requests]
        results = self._translate(requests, sources)
        candidates = []
        for request, words, result in zip(requests, sources, results, strict=True):
            handle: _Stream = request.handle
            handle.decoded_at = handle.received
            texts = tuple(word.text for word in words)
            stable = len(texts) if request.view.segment_final else _agreeing(handle.before, texts)
            handle.before = texts
            candidates.append(_candidate(result, words, stable, request.view))
        trim()
        return candidates

    def _translate(
        self, requests: Sequence[DecodeRequest], sources: Sequence[tuple[Word, ...]]
    ) -> list[TextResult]:
        """Results in order; a stream whose source and prefix have not changed gets its former result."""
        results: list[TextResult | None] = []
        todo: list[TextRequest] = []
        keys: list[Key] = []
        for request, words in zip(requests, sources, strict=True):
            text = " ".join(word.text for word in words)
            handle: _Stream = request.handle
            asked = request.prefix, request.prefix_ids, request.max_new_tokens, request.word_complete
            key: Key = (text, request.view.segment_final, *asked)
            keys.append(key)
            if self.translator is None or handle.spec.source == handle.spec.target:
                results.append(_as_words(words, len(request.prefix), request.max_new_tokens))
            elif handle.cached is not None and handle.cached[0] == key:
                results.append(handle.cached[1])
            else:
                results.append(None)
                todo.append(
                    TextRequest(text, handle.spec.target, *key[1:]),
                )
        if self.translator is not None and todo:
            fresh = iter(self.translator.translate(todo))
            for index, request in enumerate(requests):
                if results[index] is None:
                    results[index] = next(fresh)
                    request.handle.cached = (keys[index], results[index])
        return [result for result in results if result is not None]

    def next_segment(self, handle: _Stream) -> None:
        if handle.utterances:
            handle.utterances.popleft()
        handle.before, handle.cached = (), None
        release()

    def segment_kind(self, handle: _Stream) -> str:
        return handle.utterances[0].cause if handle.utterances else "end"

    def close(self, handle: _Stream) -> None:
        handle.ended = True
        handle.utterances.clear()
        reset: Callable[[], None] | None = getattr(handle.recognizer, "reset", None)
        if reset is not None and not handle.closed:
            reset()
            self._idle[:] = [handle.recognizer]
        handle.closed = True


def _agreeing(before: tuple[str, ...], now: tuple[str, ...]) -> int:
    """How many first words two successive hypotheses share."""
    count = 0
    for a, b in zip(before, now, strict=False):
        if a != b:
            break
        count += 1
    return count


def _as_words(words: tuple[Word, ...], skip: int, limit: int | None) -> TextResult:
    """The recognised words themselves as tokens, without the `skip` first ones."""
    stop = None if limit is None else skip + limit
    tokens = tuple(" " + word.text for word in words[skip:stop])
    return TextResult(tokens, (), None, np.arange(skip, skip + len(tokens), dtype=np.int64))


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
