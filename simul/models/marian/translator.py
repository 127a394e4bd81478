"""Text translation with Firefox students: sentence by sentence, one encoding of a source for all target languages."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from simul.errors import UsageError
from simul.models.marian.folder import SHIPPED, Students, Target, load
from simul.models.marian.mending import Mender
from simul.models.marian.search import Search, Task, Track
from simul.models.marian.sentence import Begun, Sentence, begun
from simul.models.marian.source import SourceText, as_read
from simul.models.translation.interface import TextRequest, TextResult
from simul.models.translation.kept.demands import open_end
from simul.models.translation.sentences import sentence_spans
from simul.models.translation.source_attention import over_words, resting_words, word_of_tokens

REMEMBERED = 64
"""Texts whose states are kept, so that the same source with a longer beginning is not begun anew."""
LONGEST_SOURCE = 512
"""Source pieces of a sentence that are read; what comes after them is left out."""


class MarianTranslator:
    """Translates with the student in `folder` (the one in the package unless given), or with students already loaded.

    A folder holds a Firefox student (model.*.bin, vocab*.spm, lex*.bin) or an encoder with decoders for several
    languages; `source` and `targets` name the pair, or pick some. Students know single sentences, so that each sentence
    of a source is translated by itself. Sources are given to the network with their case and punctuation; recognised
    words without any get them from the student's tagger (without one, a first capital and a full stop) unless the
    decoder has learnt to read them as they are.
    beam: 1 is greedy. alternatives: results hold the other hypotheses of the beam. shortlist: score only likely target
    pieces where the model has a list of them, as Firefox does.
    mend: what reaches the reader holds the numbers, times, dates, names, negations and terms of the source and says
    nothing twice, as far as that can be found and mended (`Mender`); text in capitals is read without and written with
    them, text in the target language is left as it is, and a number that may not be finished waits.

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
        mend: bool = True,
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
        self._mend = mend
        self._menders = {
            code: Mender(self._students, code, self._searches[code])
            for code in (self.targets if mend else ())
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
            plan, tracks = self._mended([(sentence, next(found)) for sentence in plan], code, request.terms)
            for sentence, texts in zip(plan, tracks, strict=True):
                if texts:
                    self._remember((code, sentence.source), texts[0])
            results.append(self._result(request, plan, tracks))
        return results

    def _mended(
        self, pairs: Sequence[tuple[Sentence, list[Track]]], code: str, terms: Sequence[tuple[str, str]]
    ) -> tuple[list[Sentence], list[list[Track]]]:
        """The sentences and their texts, the first of each mended."""
        plan, tracks = [], []
        for sentence, texts in pairs:
            if code in self._menders and texts and not sentence.read.copied:
                sentence, better = self._menders[code](sentence, texts[0], terms)
                texts = [better, *texts[1:]]
            plan.append(sentence)
            tracks.append(texts)
        return plan, tracks

    def _plan(self, request: TextRequest, into: Target) -> list[Sentence]:
        """The sentences that are still to be translated, the one that the committed text ends in first."""
        words = request.source.split()
        spans = sentence_spans(words, self._students.source)
        forced = begun(request, into.vocabulary)
        plan: list[Sentence] = []
        for first, last in spans:
            complete = last < len(words) or request.complete
            kept = words[first:last]
            if self._mend and not complete:
                kept = kept[: open_end(kept, self._students.source)]
            if not kept:
                continue
            read = as_read(kept, complete, self._students, into, request.target, self._mend)
            done: int | None = None
            if last < len(words) and forced.ids and not plan:
                memory = self._students.encoder(self._pieces(read.text))
                done = self._searches[request.target].end_within(memory, forced.ids, into.vocabulary)
            if done is None:
                plan.append(self._asked(request, read, forced, into, (first, last - first)))
                forced = Begun()
            else:
                forced = forced.behind(done)
        return plan

    def _asked(
        self,
        request: TextRequest,
        read: SourceText,
        forced: Begun,
        into: Target,
        place: tuple[int, int],
    ) -> Sentence:
        """A sentence to be searched; `place`: the words before it and its own."""
        before, count = place
        source = self._pieces(read.text)
        numbers = self._students.vocabulary.words(source)
        kept = Sentence(read, source, forced.ids, numbers, count, before, spelled=forced.spelled)
        copy = self._copy(read, forced, into) if read.copied else None
        if copy is not None:
            ids, spelled = copy
            first = np.arange(len(into.vocabulary)) == into.vocabulary.end
            return replace(kept, spelled=spelled, task=self._task(request, source, ids, first, into))
        allowed = _first_pieces(request, read.text, forced.ids, into, later=before > 0)
        task = self._task(request, source, forced.ids, allowed, into)
        return replace(kept, read=replace(read, copied=False), allowed=allowed, task=task)

    def _copy(
        self, read: SourceText, forced: Begun, into: Target
    ) -> tuple[tuple[int, ...], dict[int, str]] | None:
        """The pieces of a text that is in the target language, where what is committed is their beginning."""
        ids, spelled = into.vocabulary.spell(read.text)
        return (tuple(ids), spelled) if tuple(ids[: len(forced.ids)]) == forced.ids else None

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
        candidates = into.candidates(source, self._shortlist)
        if allowed is not None and candidates is not None:
            allowed = allowed[candidates]
        room = max(8, 5 + int(2.5 * len(source)) - len(forced))
        if request.max_new_tokens is not None and not self._mend:
            room = min(room, request.max_new_tokens)
        known = self._known.get((request.target, source))
        return Task(self._students.encoder(source), room, forced, candidates, allowed, known)

    def _remember(self, key: tuple[str, tuple[int, ...]], track: Track) -> None:
        self._known.pop(key, None)
        self._known[key] = track
        while len(self._known) > REMEMBERED:
            self._known.popitem(last=False)

    def _result(
        self, request: TextRequest, plan: Sequence[Sentence], tracks: Sequence[Sequence[Track]]
    ) -> TextResult:
        """The sentences' texts one after the other; hypotheses differ in the first of them."""
        if not plan or any(not found for found in tracks):
            return TextResult((), ())
        surfaces = self._students.targets[request.target].vocabulary.surfaces
        width, limit = plan[-1].behind, request.max_new_tokens
        texts = [
            _text(sentence, found[0], width, surfaces) for sentence, found in zip(plan, tracks, strict=True)
        ]
        ids = tuple(i for text in texts for i in text.ids)[:limit]
        others = []
        for track in tracks[0][1 : self.offers]:
            other = _texts(plan[0], track, surfaces)[len(plan[0].forced) :]
            others.append((*other, *(token for text in texts[1:] for token in text.tokens))[:limit])
        return TextResult(
            tokens=tuple(token for text in texts for token in text.tokens)[:limit],
            ids=ids,
            logprobs=np.concatenate([text.logprobs for text in texts])[:limit],
            source_words=np.concatenate([text.resting for text in texts])[:limit],
            source_attention=np.concatenate([text.attention for text in texts])[:limit],
            ended=all(found[0].ending is not None for found in tracks)
            and len(ids) == sum(len(t.ids) for t in texts),
            others=tuple(others),
            copied=any(sentence.read.copied for sentence in plan),
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
    """What is new of a sentence: numbers and texts of its pieces, log-probabilities, last words rested on, attention
    [n, words of all]."""

    ids: list[int]
    tokens: list[str]
    logprobs: NDArray[np.float64]
    resting: NDArray[np.int64]
    attention: NDArray[np.float32]


def _texts(sentence: Sentence, track: Track, surfaces: list[str]) -> list[str]:
    """What the pieces of a text are written as."""
    texts = sentence.texts(track.pieces, surfaces)
    return [text.upper() for text in texts] if sentence.read.upper else texts


def _text(sentence: Sentence, track: Track, width: int, surfaces: list[str]) -> _Text:
    count, skip = len(track.pieces), len(sentence.forced)
    tokens = _texts(sentence, track, surfaces)
    # What a token takes from the end of the source, it takes from where the source ends.
    closed = np.append(sentence.words[:-1], max(0, sentence.words.max()))
    if sentence.read.copied:
        words = word_of_tokens(tokens)
        shares = np.zeros((count, len(sentence.source)), np.float64)
        shares[np.arange(count), [int(np.flatnonzero(closed == word)[0]) for word in words]] = 1
    else:
        shares = np.array(track.attention[:count], np.float64).reshape(count, len(sentence.source))
    attention = np.zeros((count - skip, width), np.float32)
    attention[:, sentence.before : sentence.before + closed.max() + 1] = over_words(shares[skip:], closed)
    return _Text(
        track.pieces[skip:],
        tokens[skip:],
        np.array(track.logprobs[skip:], np.float64),
        sentence.before + resting_words(shares, sentence.words)[skip:],
        attention,
    )
