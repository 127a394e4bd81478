"""Greedy and beam search of a student after a forced beginning, on texts that keep their state after every piece."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from simul.languages import CLOSERS, SENTENCE_ENDS
from simul.models.marian.network import Decoder, Memory, Rows
from simul.models.marian.vocabulary import StudentVocabulary


@dataclass
class Track:
    """A target text in the making.

    pieces: its numbers, the end of the text not among them. states: the state [layers, width] after each step, so that
    any cut is exact; one step more than pieces where the end or the limit was looked at. attention: [source pieces] of
    each piece. logprobs: of each piece, 0 where it was forced. ending: log-probability of the end; None where the text
    has not ended.
    """

    pieces: list[int] = field(default_factory=list)
    states: list[Rows] = field(default_factory=list)
    attention: list[NDArray[np.float32]] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    ending: float | None = None

    def cut(self, count: int) -> Track:
        """The first `count` pieces, ready to be continued otherwise."""
        return Track(self.pieces[:count], self.states[:count], self.attention[:count], self.logprobs[:count])


@dataclass(frozen=True)
class Task:
    """What to search: a text for the encoded source `memory` [pieces, width] that begins with `forced`.

    room: most new pieces. candidates: the target pieces to choose from (None: all). first: bool [candidates], which may
    come first after the forced ones (None: any). known: a text for the same source, of which what agrees with `forced`
    need not be computed again. weighed: forced pieces have their log-probabilities too, not 0.
    """

    memory: Rows
    room: int
    forced: Sequence[int] = ()
    candidates: NDArray[np.int64] | None = None
    first: NDArray[np.bool_] | None = None
    known: Track | None = None
    weighed: bool = False


@dataclass
class _Open:
    """A task under way."""

    task: Task
    number: int
    live: list[Track]
    scores: list[float]
    barred: NDArray[np.int64]
    """Columns of the candidates that are not generated."""
    done: list[tuple[float, Track]] = field(default_factory=list)
    """Finished texts with their length-normalised scores."""
    new: int = 0


class Search:
    """Searches with `decoder`; a text ends with the piece `end`, pieces in `never` are not generated.

    Beams shrink as texts end; the score of a text is its log-probability over its new pieces, the end among them,
    divided by their number to the power of `normalise`. A batch gives what single calls give.
    """

    def __init__(
        self, decoder: Decoder, end: int, never: Iterable[int] = (), beam: int = 1, normalise: float = 1.0
    ) -> None:
        self.decoder, self.end, self.beam, self.normalise = decoder, end, beam, normalise
        self._never = np.array(sorted(set(never)), np.int64)

    def __call__(self, tasks: Sequence[Task]) -> list[list[Track]]:
        """For each task up to `beam` texts, best first."""
        if not tasks:
            return []
        memory = Memory(self.decoder, [task.memory for task in tasks])
        every = [_Open(task, n, [_begin(task)], [0.0], self._barred(task)) for n, task in enumerate(tasks)]
        for task in every:
            self._follow(task, memory)
        active = every
        while active:
            self._step(active, memory)
            active = [task for task in active if task.live]
        return [[track for _, track in sorted(task.done, key=lambda x: -x[0])] for task in every]

    def end_within(self, memory: Rows, forced: Sequence[int], vocabulary: StudentVocabulary) -> int | None:
        """After how many of the pieces `forced` the text of a source ends; None where it does not end before the last.

        It ends where that is likelier than the next piece, if that begins a word; behind a mark that ends sentences
        where there are such.
        """
        together, previous = Memory(self.decoder, [memory]), np.array([-1, *forced[:-1]], np.int64)
        hidden, _, _ = self.decoder.follow(previous, 0, self.decoder.start(), together, 0)
        begins, surfaces = vocabulary.begins, vocabulary.surfaces
        marked = {n for n, piece in enumerate(forced, 1) if _ends_sentence(surfaces[piece])}
        places = {n for n in range(1, len(forced)) if begins[forced[n]]}
        for count in sorted(places & marked or places):
            end, more = self.decoder.logits(hidden[count : count + 1], np.array([self.end, forced[count]]))[0]
            if end > more:
                return count
        return None

    def _barred(self, task: Task) -> NDArray[np.int64]:
        if task.candidates is None:
            return self._never
        return np.flatnonzero(np.isin(task.candidates, self._never))

    def _follow(self, task: _Open, memory: Memory) -> None:
        """Take in the forced pieces that are not known yet."""
        (track,), begin = task.live, len(task.live[0].pieces)
        pieces = [int(piece) for piece in task.task.forced[begin:]]
        if not pieces:
            return
        previous = np.array([*track.pieces[-1:], *pieces][:-1] if begin else [-1, *pieces[:-1]], np.int64)
        state = track.states[-1] if track.states else self.decoder.start()
        hidden, states, shares = self.decoder.follow(previous, begin, state, memory, task.number)
        length = int(memory.last[task.number] - memory.first[task.number])
        track.pieces += pieces
        track.states += list(states)
        track.attention += list(shares[:, :length])
        track.logprobs += (
            self._weights(task.task, hidden, pieces) if task.task.weighed else [0.0] * len(pieces)
        )

    def _step(self, active: Sequence[_Open], memory: Memory) -> None:
        """One piece more for every live text."""
        tracks = [track for task in active for track in task.live]
        sources = np.array([task.number for task in active for _ in task.live], np.int64)
        at = np.array([len(track.pieces) for track in tracks], np.int64)
        previous = np.array([track.pieces[-1] if track.pieces else -1 for track in tracks], np.int64)
        start = self.decoder.start()
        states = np.stack([track.states[-1] if track.states else start for track in tracks])
        hidden, states, shares = self.decoder.step(previous, at, states, memory, sources)
        row = 0
        for task in active:
            rows = slice(row, row + len(task.live))
            row = rows.stop
            length = int(memory.last[task.number] - memory.first[task.number])
            for track, state, share in zip(task.live, states[rows], shares[rows], strict=True):
                track.states.append(state)
                track.attention.append(share[:length])
            self._choose(task, hidden[rows])

    def _choose(self, task: _Open, hidden: Rows) -> None:
        """Continue a task with its best pieces."""
        candidates = task.task.candidates
        scores = self._logprobs(task, hidden)
        total = scores + np.array(task.scores)[:, None]
        task.new += 1
        live: list[Track] = []
        kept: list[float] = []
        room = self.beam - len(task.done)
        for place in _best(total.ravel(), room):
            parent, column = divmod(int(place), scores.shape[1])
            value = float(total[parent, column])
            if not np.isfinite(value):
                continue
            piece = column if candidates is None else int(candidates[column])
            track = _copy(task.live[parent]) if room > 1 else task.live[parent]
            logprob = float(scores[parent, column])
            if piece == self.end:
                track.ending = logprob
            else:
                track.pieces.append(piece)
                track.logprobs.append(logprob)
            if piece == self.end or task.new >= task.task.room:
                task.done.append((value / task.new**self.normalise, track))
            else:
                live.append(track)
                kept.append(value)
        task.live, task.scores = live, kept

    def _weights(self, task: Task, hidden: Rows, pieces: Sequence[int]) -> list[float]:
        """Log-probabilities of forced pieces among the candidates, or among all for one that is none of them."""
        found = np.empty(len(pieces), np.float64)
        candidates, chosen = task.candidates, np.array(pieces, np.int64)
        columns, among = chosen, np.ones(len(chosen), bool)
        if candidates is not None:
            columns = np.minimum(np.searchsorted(candidates, chosen), len(candidates) - 1)
            among = candidates[columns] == chosen
        for rows, others, places in ((among, candidates, columns), (~among, None, chosen)):
            if rows.any():
                scores = _log_probabilities(self.decoder.logits(hidden[rows], others))
                found[rows] = scores[np.arange(len(scores)), places[rows]]
        return [float(value) for value in found]

    def _logprobs(self, task: _Open, hidden: Rows) -> NDArray[np.float64]:
        """Log-probabilities of the candidates; minus infinity where one is barred."""
        scores = _log_probabilities(self.decoder.logits(hidden, task.task.candidates))
        scores[:, task.barred] = -np.inf
        if task.new == 0 and task.task.first is not None:
            scores[:, ~task.task.first] = -np.inf
        return scores


def _log_probabilities(logits: Rows) -> NDArray[np.float64]:
    """Of scores row by row."""
    highest = logits.max(axis=1, keepdims=True)
    whole = np.log(np.exp(logits - highest).sum(axis=1, keepdims=True, dtype=np.float64))
    return np.asarray(logits - (highest + whole), np.float64)


def _ends_sentence(text: str) -> bool:
    """Whether a piece ends with a mark that may end a sentence."""
    mark = text.rstrip(CLOSERS)[-1:]
    return bool(mark) and mark in SENTENCE_ENDS


def _begin(task: Task) -> Track:
    """The text to start from: what is known of the forced pieces."""
    if task.known is None:
        return Track()
    same = 0
    for known, forced in zip(task.known.pieces, task.forced, strict=False):
        if known != forced:
            break
        same += 1
    return task.known.cut(min(same, len(task.known.states)))


def _copy(track: Track) -> Track:
    return Track(
        list(track.pieces), list(track.states), list(track.attention), list(track.logprobs), track.ending
    )


def _best(values: NDArray[np.float64], count: int) -> NDArray[np.int64]:
    """Places of the `count` largest values, largest first; of equal ones the earlier."""
    if count == 1:
        return np.array([int(values.argmax())])
    if len(values) <= count:
        return np.argsort(-values, kind="stable")
    threshold = np.partition(values, len(values) - count)[len(values) - count]
    places = np.flatnonzero(values >= threshold)
    return places[np.argsort(-values[places], kind="stable")][:count]
