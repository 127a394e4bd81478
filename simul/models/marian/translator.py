"""Text translation with Firefox students: sentence by sentence, one encoding of a source for all target languages."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from simul.errors import UsageError
from simul.models.marian.folder import SHIPPED, Students, Target, load
from simul.models.marian.search import Search, Task, Track
from simul.models.marian.written import is_spoken, written
from simul.models.translation.interface import TextRequest, TextResult
from simul.models.translation.sentences import sentence_spans
from simul.models.translation.source_attention import over_words, resting_words

REMEMBERED = 64
"""Texts whose states are kept, so that the same source with a longer beginning is not begun anew."""
LONGEST_SOURCE = 512
"""Source pieces of a sentence that are read; what comes after them is left out."""


@dataclass(frozen=True)
class _Sentence:
    """A sentence of a request. forced: what is committed of its translation. words: number of the word of each source
    piece, -1 for the end. before: words of the sentences before it."""

    source: tuple[int, ...]
    forced: tuple[int, ...]
    words: NDArray[np.int64]
    before: int
    task: Task

    @property
    def behind(self) -> int:
        """Words of the request up to the end of this sentence."""
        return self.before + max(1, int(self.words.max()) + 1)


class MarianTranslator:
    """Translates with the student in `folder` (the one in the package unless given), or with students already loaded.

    A folder holds a Firefox student (model.*.bin, vocab*.spm, lex*.bin) or an encoder with decoders for several
    languages; `source` and `targets` name the pair, or pick some. Students know single sentences, so that each sentence
    of a source is translated by itself. Sources are given to the network with their case and punctuation; recognised
    words without any get them from the student's tagger (without one, a first capital and a full stop) unless the
    decoder has learnt to read them as they are.
    beam: 1 is greedy. alternatives: results hold the other hypotheses of the beam. shortlist: score only likely target
    pieces where the model has a list of them, as Firefox does.

    Raises:
        ModelMissingError: a file is missing, or is another kind of model.
        UsageError: the student translates another pair.
    """

    def __init__(
        self,
        folder: Path | Students = SHIPPED,
        source: str | None = None,
        targets: Sequence[str] = (),
        beam: int = 1,
        alternatives: bool = False,
        shortlist: bool = True,
    ) -> None:
        self.name = "student" if isinstance(folder, Students) else folder.name
        self._students = folder if isinstance(folder, Students) else load(folder, source, targets)
        self.sources, self.targets = frozenset({self._students.source}), frozenset(self._students.targets)
        self.offers = beam if alternatives else 1
        self._shortlist = shortlist
        self._searches = {
            code: Search(into.decoder, into.vocabulary.end, [into.vocabulary.unknown], beam)
            for code, into in self._students.targets.items()
        }
        self._known: OrderedDict[tuple[str, tuple[int, ...]], Track] = OrderedDict()

    def translate(self, requests: Sequence[TextRequest]) -> list[TextResult]:
        """Beam search on the sources; an empty source gives an empty result.

        A source that is not complete is translated as it stands. What is committed is forced by its numbers.

        Raises:
            UsageError: a target language is none of the student's.
        """
        results = [TextResult((), ())] * len(requests)
        groups: dict[str, list[int]] = {}
        for index, request in enumerate(requests):
            if request.target not in self._students.targets:
                served = " ".join(sorted(self.targets))
                raise UsageError(f"The student {self.name} translates into {served}, not {request.target!r}.")
            if request.source.strip() and request.max_new_tokens != 0:
                groups.setdefault(request.target, []).append(index)
        for code, indices in groups.items():
            chosen = [requests[i] for i in indices]
            for index, result in zip(indices, self._batch(chosen, code), strict=True):
                results[index] = result
        return results

    def _batch(self, requests: Sequence[TextRequest], code: str) -> list[TextResult]:
        plans = [self._plan(request, self._students.targets[code]) for request in requests]
        found = iter(self._searches[code]([sentence.task for plan in plans for sentence in plan]))
        results = []
        for request, plan in zip(requests, plans, strict=True):
            tracks = [next(found) for _ in plan]
            for sentence, texts in zip(plan, tracks, strict=True):
                if texts:
                    self._remember((code, sentence.source), texts[0])
            results.append(self._result(request, plan, tracks))
        return results

    def _plan(self, request: TextRequest, into: Target) -> list[_Sentence]:
        """The sentences that are still to be translated, the one that the committed text ends in first."""
        words = request.source.split()
        spans = sentence_spans(words, self._students.source)
        forced, before = request.prefix_ids, 0
        plan: list[_Sentence] = []
        for first, last in spans:
            whole = last < len(words)
            text = self._written(" ".join(words[first:last]), whole or request.complete, into)
            source = self._pieces(text)
            numbers = self._students.vocabulary.words(source)
            done: int | None = None
            if whole and forced and not plan:
                memory = self._students.encoder(source)
                done = self._searches[request.target].end_within(memory, forced, into.vocabulary.begins)
            if done is None:
                allowed = _first_pieces(request, text, forced, into, later=first > 0)
                task = self._task(request, source, forced, allowed, into)
                plan.append(_Sentence(source, forced, numbers, before, task))
                before, forced = plan[-1].behind, ()
            else:
                before += max(1, int(numbers.max()) + 1)
                forced = forced[done:]
        return plan

    def _written(self, text: str, complete: bool, into: Target) -> str:
        """A sentence as the decoder has learnt to read it."""
        if into.spoken or not is_spoken(text):
            return text
        return (self._students.restorer or written)(text, complete)

    def _pieces(self, text: str) -> tuple[int, ...]:
        ids = self._students.vocabulary.encode(text)
        return tuple(ids if len(ids) <= LONGEST_SOURCE else [*ids[: LONGEST_SOURCE - 1], ids[-1]])

    def _task(
        self,
        request: TextRequest,
        source: tuple[int, ...],
        forced: tuple[int, ...],
        allowed: NDArray[np.bool_] | None,
        into: Target,
    ) -> Task:
        """What to search; `allowed` [pieces of the vocabulary] may come first."""
        candidates = None
        if self._shortlist and into.shortlist is not None:
            candidates = into.shortlist.choose(source, into.shared)
        elif len(into.decoder.bias) > len(into.vocabulary):
            candidates = np.arange(len(into.vocabulary))
        if allowed is not None and candidates is not None:
            allowed = allowed[candidates]
        room = max(8, 5 + int(2.5 * len(source)) - len(forced))
        if request.max_new_tokens is not None:
            room = min(room, request.max_new_tokens)
        known = self._known.get((request.target, source))
        return Task(self._students.encoder(source), room, forced, candidates, allowed, known)

    def _remember(self, key: tuple[str, tuple[int, ...]], track: Track) -> None:
        self._known.pop(key, None)
        self._known[key] = track
        while len(self._known) > REMEMBERED:
            self._known.popitem(last=False)

    def _result(
        self, request: TextRequest, plan: Sequence[_Sentence], tracks: Sequence[Sequence[Track]]
    ) -> TextResult:
        """The sentences' texts one after the other; hypotheses differ in the first of them."""
        surfaces = self._students.targets[request.target].vocabulary.surfaces
        width, limit = plan[-1].behind, request.max_new_tokens
        texts = [
            _text(sentence, found[0], width) for sentence, found in zip(plan, tracks, strict=True) if found
        ]
        if len(texts) < len(plan):
            return TextResult((), ())
        ids = tuple(i for text in texts for i in text.ids)[:limit]
        others = []
        for track in tracks[0][1 : self.offers]:
            other = [*track.pieces[len(plan[0].forced) :], *(i for text in texts[1:] for i in text.ids)]
            others.append(tuple(surfaces[i] for i in other[:limit]))
        return TextResult(
            tokens=tuple(surfaces[i] for i in ids),
            ids=ids,
            logprobs=np.concatenate([text.logprobs for text in texts])[:limit],
            source_words=np.concatenate([text.resting for text in texts])[:limit],
            source_attention=np.concatenate([text.attention for text in texts])[:limit],
            ended=all(found[0].ending is not None for found in tracks)
            and len(ids) == sum(len(t.ids) for t in texts),
            others=tuple(others),
        )


def _first_pieces(
    request: TextRequest, text: str, forced: tuple[int, ...], into: Target, later: bool
) -> NDArray[np.bool_] | None:
    """Which pieces may come first in what is new of a sentence; None: any.

    After a finished word, and after an earlier sentence (`later`), none that makes it longer. A sentence does not end
    where it begins, and one that begins with a capital does not begin with a small letter.
    """
    words = into.vocabulary
    if forced:
        return words.follows if request.word_complete else None
    allowed = words.follows.copy() if later else np.ones(len(words), bool)
    allowed[words.end] = False
    letter = next((c for c in text if c.isalpha()), "")
    return allowed & ~words.small if letter.isupper() else allowed


@dataclass(frozen=True)
class _Text:
    """What is new of a sentence: numbers, log-probabilities, last words rested on, attention [n, words of all]."""

    ids: list[int]
    logprobs: NDArray[np.float64]
    resting: NDArray[np.int64]
    attention: NDArray[np.float32]


def _text(sentence: _Sentence, track: Track, width: int) -> _Text:
    count, skip = len(track.pieces), len(sentence.forced)
    shares = np.array(track.attention[:count], np.float64).reshape(count, len(sentence.source))
    # What a token takes from the end of the source, it takes from where the source ends.
    closed = np.append(sentence.words[:-1], max(0, sentence.words.max()))
    attention = np.zeros((count - skip, width), np.float32)
    attention[:, sentence.before : sentence.behind] = over_words(shares[skip:], closed)
    return _Text(
        track.pieces[skip:],
        np.array(track.logprobs[skip:], np.float64),
        sentence.before + resting_words(shares, sentence.words)[skip:],
        attention,
    )
