"""A vocabulary of a few pieces, as Whisper's tokeniser offers it to the code that rewrites text."""

from __future__ import annotations

import numpy as np

from simul.text import follows_word


class PieceVocabulary:
    """Each text is encoded by the longest pieces that fit, as far as any do."""

    end, start, previous = 50, 51, 52

    def __init__(self, *pieces: str) -> None:
        self.pieces = pieces
        self.grows = np.array([not follows_word(piece) for piece in pieces])

    def is_text(self, token: int) -> bool:
        return token < self.end

    def surfaces(self, ids: tuple[int, ...]) -> tuple[str, ...]:
        return tuple(self.pieces[i] for i in ids)

    def encode(self, text: str) -> tuple[int, ...]:
        found: list[int] = []
        while text:
            fitting = [i for i, piece in enumerate(self.pieces) if text.startswith(piece)]
            if not fitting:
                break
            found.append(max(fitting, key=lambda i: len(self.pieces[i])))
            text = text[len(self.pieces[found[-1]]) :]
        return tuple(found)
