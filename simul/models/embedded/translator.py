"""Translators that `simul train translator` makes: English in spoken form to several languages (CTranslate2, int8)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from simul.errors import ModelMissingError
from simul.models.embedded.spoken import spoken_form
from simul.models.translation.forced_search import ForcedSearch, Found
from simul.models.translation.interface import TextRequest, TextResult
from simul.models.translation.source_attention import MARK, over_words, resting_words, word_numbers

END_MARK = "</s>"
POSITIONS = 256
"""Longest source and target, in pieces, that the network has positions for."""
LOOP_NGRAM = 4
"""No sequence of so many pieces is produced twice in one text: a small network would otherwise loop."""


def language_tag(language: str) -> str:
    """The source token that asks for a target language."""
    return f"<2{language}>"


class EmbeddedTranslator:
    """Loads a folder that `simul train translator` exported.

    Sources are brought to spoken form first, so written and recognised text are both welcome. The end mark is
    given to the network only when the source is complete; without it the network translates a beginning.
    alternatives: results hold the other hypotheses of the beam, which costs a little.

    Raises:
        ModelMissingError: the folder holds no such model.
    """

    name = "embedded"

    def __init__(self, folder: Path, beam: int = 2, threads: int = 1, alternatives: bool = False) -> None:
        import ctranslate2
        import sentencepiece as spm

        description = folder / "translator.json"
        if not description.is_file():
            raise ModelMissingError(
                f"No embedded translator in {folder}; make one with `simul train translator` and name its folder."
            )
        self.offers = beam if alternatives else 1
        about = json.loads(description.read_text(encoding="utf-8"))
        self.sources = frozenset({about["source"]})
        self.targets = frozenset(about["targets"])
        self._source: Any = spm.SentencePieceProcessor(model_file=str(folder / "source.model"))
        self._target: Any = spm.SentencePieceProcessor(model_file=str(folder / "target.model"))
        model = ctranslate2.Translator(
            str(folder), device="cpu", compute_type="default", inter_threads=1, intra_threads=threads
        )
        pieces = [self._target.id_to_piece(i) for i in range(self._target.get_piece_size())]
        surfaces = [_surface(piece) for piece in pieces]
        self._search = ForcedSearch(
            model, pieces, surfaces, END_MARK, beam, alternatives, no_repeat_ngram_size=LOOP_NGRAM
        )

    def translate(self, requests: Sequence[TextRequest]) -> list[TextResult]:
        """Beam search on the sources; an empty source gives an empty result."""
        nothing = TextResult((), ())
        results = [None if r.source.strip() and self._limit(r) else nothing for r in requests]
        groups: dict[int, list[int]] = {}
        for index, request in enumerate(requests):
            if results[index] is None:
                groups.setdefault(self._limit(request), []).append(index)
        for limit, indices in groups.items():
            sources = [self._encode(requests[i]) for i in indices]
            prefixes = [[self._target.id_to_piece(t) for t in requests[i].prefix_ids] for i in indices]
            over = [requests[i].word_complete for i in indices]
            found = self._search(sources, prefixes, over, limit)
            for k, index in enumerate(indices):
                results[index] = self._result(requests[index], sources[k], found[k], limit)
        return [r for r in results if r is not None]

    @staticmethod
    def _limit(request: TextRequest) -> int:
        """Longest target, prefix included: generous for the source, so that a loop ends soon; 0: no room is left."""
        words = len(request.source.split())
        room = 12 + 3 * words if request.max_new_tokens is None else request.max_new_tokens
        used = len(request.prefix_ids)
        return min(used + room, POSITIONS - 1) if used < POSITIONS - 1 else 0

    def _encode(self, request: TextRequest) -> list[str]:
        """Pieces of the source with its marks; what exceeds the positions is cut off at the end."""
        pieces: list[str] = self._source.encode(spoken_form(request.source), out_type=str)
        end = [END_MARK] if request.complete else []
        return [language_tag(request.target), *pieces[: POSITIONS - 2], *end]

    def _result(self, request: TextRequest, source: list[str], found: Found, limit: int) -> TextResult:
        skip = len(request.prefix_ids)
        pieces = found.pieces[skip:]
        new = slice(skip, skip + len(pieces))
        words = word_numbers(source, {source[0], END_MARK})
        attention = found.attention[:, : len(source)]
        return TextResult(
            tokens=tuple(_surface(piece) for piece in pieces),
            ids=tuple(self._target.piece_to_id(piece) for piece in pieces),
            logprobs=np.asarray(found.logprobs[new], dtype=np.float64),
            source_words=resting_words(attention, words)[new],
            source_attention=over_words(attention[new], words),
            ended=len(found.pieces) < limit,
            others=tuple(tuple(map(_surface, other[skip:])) for other in found.others),
        )


def _surface(piece: str) -> str:
    return piece.replace(MARK, " ")
