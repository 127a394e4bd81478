"""A student's SentencePiece vocabulary: text to pieces, pieces to text, and which pieces may follow a finished word."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simul.errors import ModelMissingError
from simul.models.translation.ctranslate2 import piece_surface
from simul.models.translation.source_attention import word_numbers
from simul.text import follows_word


class StudentVocabulary:
    """Reads the SentencePiece file `path`.

    surfaces: the text of each piece, a leading space where a word begins. begins: bool [pieces], where one does.
    small: bool [pieces], which begin with a lower-case letter, or with a space that one may follow.
    follows: bool [pieces], which may stand after a finished word; the end of the text is one of them. end, unknown:
    numbers of these pieces.

    Raises:
        ModelMissingError: the file is not there or is no SentencePiece model.
    """

    def __init__(self, path: Path) -> None:
        import sentencepiece

        try:
            self._processor: Any = sentencepiece.SentencePieceProcessor(model_file=str(path))
        except (OSError, RuntimeError) as error:
            raise ModelMissingError(f"The vocabulary {path} cannot be read: {error}") from error
        count = self._processor.get_piece_size()
        self.end, self.unknown = int(self._processor.eos_id()), int(self._processor.unk_id())
        self.surfaces = [piece_surface(self._processor.id_to_piece(i)) for i in range(count)]
        self.surfaces[self.end] = ""
        self.follows: NDArray[np.bool_] = np.array([follows_word(text) for text in self.surfaces])
        self.follows[self.end] = True
        self.small: NDArray[np.bool_] = np.array(
            [text == " " or text.lstrip()[:1].islower() for text in self.surfaces]
        )
        self.begins: NDArray[np.bool_] = np.array([text.startswith(" ") for text in self.surfaces])

    def __len__(self) -> int:
        return len(self.surfaces)

    def encode(self, text: str) -> list[int]:
        """The pieces of a text and the end."""
        return [*self._processor.encode(text), self.end]

    def spell(self, text: str) -> tuple[list[int], dict[int, str]]:
        """The pieces of words inside a text, and by place how those are written that the vocabulary lacks."""
        ids = [int(i) for i in self._processor.encode(text)]
        pieces = self._processor.encode(text, out_type=str)
        return ids, {at: piece_surface(pieces[at]) for at, i in enumerate(ids) if i == self.unknown}

    def words(self, ids: Sequence[int]) -> NDArray[np.int64]:
        """For each piece of `encode` the word it belongs to, counted from 0; -1 for the end."""
        pieces = [self._processor.id_to_piece(i) for i in ids]
        return word_numbers(pieces, {pieces[-1]})
