"""The embedded text translator: English in spoken form to German, Spanish and French (CTranslate2, int8)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from simul.errors import ModelMissingError
from simul.translation.corpus import EOS, language_tag
from simul.translation.interface import TextRequest, TextResult
from simul.translation.spoken import spoken_form

SHIPPED = Path(__file__).resolve().parent.parent / "data" / "embedded" / "translator"
MARK = "\u2581"


class EmbeddedTranslator:
    """Loads a folder that `simul train translator` exported; by default the one in the package.

    Sources are brought to spoken form first, so written and recognised text are both welcome. The end mark is
    given to the network only when the source is complete; without it the network translates a beginning.

    Raises:
        ModelMissingError: the folder holds no such model.
    """

    name = "embedded"

    def __init__(self, folder: Path = SHIPPED, beam: int = 2, threads: int = 1) -> None:
        import ctranslate2
        import sentencepiece as spm

        description = folder / "translator.json"
        if not description.is_file():
            raise ModelMissingError(
                f"No embedded translator in {folder}; make one with `simul train translator` and name its folder."
            )
        about = json.loads(description.read_text(encoding="utf-8"))
        self.sources = frozenset({about["source"]})
        self.targets = frozenset(about["targets"])
        self.beam = beam
        self._source: Any = spm.SentencePieceProcessor(model_file=str(folder / "source.model"))
        self._target: Any = spm.SentencePieceProcessor(model_file=str(folder / "target.model"))
        self._model: Any = ctranslate2.Translator(
            str(folder), device="cpu", compute_type="int8", inter_threads=1, intra_threads=threads
        )

    def translate(self, requests: Sequence[TextRequest]) -> list[TextResult]:
        """Beam search on the sources; an empty source gives an empty result."""
        results: list[TextResult | None] = [None if r.source.strip() else TextResult((), ()) for r in requests]
        groups: dict[int, list[int]] = {}
        for index, request in enumerate(requests):
            if results[index] is None:
                groups.setdefault(self._limit(request), []).append(index)
        for limit, indices in groups.items():
            translated = self._model.translate_batch(
                [self._encode(requests[i]) for i in indices],
                target_prefix=[[self._target.id_to_piece(t) for t in requests[i].prefix_ids] for i in indices],
                beam_size=self.beam,
                max_decoding_length=limit,
                return_scores=True,
                return_attention=True,
                return_logits_vocab=False,
                repetition_penalty=1.0,
                no_repeat_ngram_size=0,
            )
            for index, result in zip(indices, translated, strict=True):
                results[index] = self._result(requests[index], result)
        return [r for r in results if r is not None]

    @staticmethod
    def _limit(request: TextRequest) -> int:
        """Longest target, prefix included: generous for the source, so that a loop ends soon."""
        words = len(request.source.split())
        room = 12 + 3 * words if request.max_new_tokens is None else request.max_new_tokens
        return len(request.prefix_ids) + room

    def _encode(self, request: TextRequest) -> list[str]:
        pieces: list[str] = self._source.encode(spoken_form(request.source), out_type=str)
        end = [self._source.id_to_piece(EOS)] if request.complete else []
        return [language_tag(request.target), *pieces, *end]

    def _result(self, request: TextRequest, result: Any) -> TextResult:
        skip = len(request.prefix_ids)
        pieces = result.hypotheses[0][skip:]
        ids = tuple(self._target.piece_to_id(p) for p in pieces)
        return TextResult(tuple(p.replace(MARK, " ") for p in pieces), ids, None, None)


def monotone_source_words(tokens: int, prefix: int, words: int) -> np.ndarray:
    """Source word index for each of `tokens` new tokens after `prefix` others, spread evenly over `words`."""
    total = max(1, tokens + prefix)
    position = np.arange(prefix + 1, total + 1, dtype=np.float64)
    return np.minimum(np.ceil(position / total * words).astype(np.int64) - 1, words - 1)
