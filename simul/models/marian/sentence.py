"""A sentence of a request, as a student is asked to translate it, and what is committed of its translation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from simul.models.marian.search import Task
from simul.models.marian.source import SourceText
from simul.models.marian.vocabulary import StudentVocabulary
from simul.models.translation.interface import TextRequest


@dataclass(frozen=True)
class Begun:
    """What is committed of a translation: pieces, and by place those that the vocabulary does not write so."""

    ids: tuple[int, ...] = ()
    spelled: Mapping[int, str] = field(default_factory=dict)

    def behind(self, count: int) -> Begun:
        """Without the first `count` pieces."""
        return Begun(self.ids[count:], {at - count: text for at, text in self.spelled.items() if at >= count})


def begun(request: TextRequest, vocabulary: StudentVocabulary) -> Begun:
    """What a request forces; a piece that the vocabulary lacks is read from the committed text."""
    ids = request.prefix_ids
    told = len(request.prefix) == len(ids)
    unknown = [at for at, piece in enumerate(ids) if piece == vocabulary.unknown] if told else []
    return Begun(ids, {at: request.prefix[at] for at in unknown})


@dataclass(frozen=True)
class Sentence:
    """A sentence of a request.

    read: its words as the network reads them. source: their pieces. forced: what is committed of the translation.
    words: for each source piece the word of the sentence it belongs to, -1 for the end. count: the sentence's words, of
    which the last may wait; before: those of the sentences before it. spelled: target pieces by place that are written
    otherwise than the vocabulary does. allowed: bool [pieces], which may come behind what is committed; None: any.
    task: what is searched.
    """

    read: SourceText
    source: tuple[int, ...]
    forced: tuple[int, ...]
    words: NDArray[np.int64]
    count: int
    before: int
    spelled: Mapping[int, str] = field(default_factory=dict)
    allowed: NDArray[np.bool_] | None = None
    task: Task = field(default_factory=lambda: Task(np.zeros((0, 0), np.float32), 0))

    @property
    def behind(self) -> int:
        """Words of the request up to the end of this sentence."""
        return self.before + self.count

    def texts(self, pieces: list[int], surfaces: list[str]) -> list[str]:
        """What target pieces are written as."""
        return [self.spelled.get(at, surfaces[piece]) for at, piece in enumerate(pieces)]
