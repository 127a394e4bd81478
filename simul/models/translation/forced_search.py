"""Beam search of a CTranslate2 translator after forced pieces, which lengthens no word that is over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simul.text import follows_word

Pieces = Sequence[str]


@dataclass(frozen=True)
class Found:
    """A target text, forced pieces included.

    attention: [pieces, source pieces]. logprobs: float [pieces], and one more for the end where it was reached.
    others: the other texts of the beam, best first.
    """

    pieces: list[str]
    attention: NDArray[np.float64]
    logprobs: list[float]
    others: list[list[str]] = field(default_factory=list)


class ForcedSearch:
    """Searches with `model`, a ctranslate2.Translator.

    vocabulary: the target pieces by number. surfaces: the text of each. end: the piece that ends a text.
    alternatives: texts hold the others of their beam too. options: further options of `translate_batch`.
    """

    def __init__(
        self,
        model: Any,
        vocabulary: Pieces,
        surfaces: Pieces,
        end: str,
        beam: int,
        alternatives: bool = False,
        **options: Any,
    ) -> None:
        self._model, self._vocabulary, self._beam, self._options = model, vocabulary, beam, options
        self._kept = beam if alternatives else 1
        self._end = vocabulary.index(end)
        allowed = [follows_word(text) for text in surfaces]
        self._begins = {piece for piece, fits in zip(vocabulary, allowed, strict=True) if fits}
        self._begins.add(end)
        self._refused = ~np.array(allowed, dtype=bool)
        self._refused[self._end] = False

    def __call__(
        self, sources: Sequence[Pieces], prefixes: Sequence[Pieces], over: Sequence[bool], limit: int
    ) -> list[Found]:
        """The best text of each source that continues its prefix, of at most `limit` pieces.

        over: the last word of the prefix is complete. When the best text would make it longer, the best of those
        that begin with one of the `beam` likeliest pieces that may follow a word is taken instead.
        """
        found = self._search(sources, prefixes, limit)
        wrong = [
            i
            for i, prefix in enumerate(prefixes)
            if over[i] and any(p not in self._begins for p in found[i].pieces[len(prefix) :][:1])
        ]
        if wrong:
            mended = self._mend([sources[i] for i in wrong], [prefixes[i] for i in wrong], limit)
            for i, better in zip(wrong, mended, strict=True):
                found[i] = better
        return found

    def _search(self, sources: Sequence[Pieces], prefixes: Sequence[Pieces], limit: int) -> list[Found]:
        results = self._model.translate_batch(
            sources,
            target_prefix=prefixes,
            beam_size=self._beam,
            num_hypotheses=self._kept,
            max_decoding_length=limit,
            return_attention=True,
            **self._options,
        )
        texts = [result.hypotheses[0] for result in results]
        scores = self._model.score_batch(sources, texts)
        return [
            Found(
                text,
                np.asarray(result.attention[0], dtype=np.float64)[: len(text)],
                score.log_probs,
                result.hypotheses[1:],
            )
            for text, result, score in zip(texts, results, scores, strict=True)
        ]

    def _mend(self, sources: Sequence[Pieces], prefixes: Sequence[Pieces], limit: int) -> list[Found]:
        """The best texts that begin with a likely piece that follows a word."""
        choices = self._next(sources, prefixes)
        flat = [(i, piece) for i, pieces in enumerate(choices) for piece in pieces]
        longer = [[*prefixes[i], piece] for i, piece in flat]
        searched = self._search([sources[i] for i, _ in flat], longer, limit) if flat else []
        best: list[Found | None] = [None] * len(sources)
        for (i, _), found in zip(flat, searched, strict=True):
            skip, rival = len(prefixes[i]), best[i]
            if rival is None or np.mean(found.logprobs[skip:]) > np.mean(rival.logprobs[skip:]):
                best[i] = found
        nothing = np.zeros((0, 0))
        return [
            Found(list(prefixes[i]), nothing, []) if found is None else found for i, found in enumerate(best)
        ]

    def _next(self, sources: Sequence[Pieces], prefixes: Sequence[Pieces]) -> list[list[str]]:
        """For each prefix the likeliest pieces that may follow a word, best first; none where the text rather ends."""
        results = self._model.translate_batch(
            sources,
            target_prefix=prefixes,
            beam_size=1,
            max_decoding_length=max(map(len, prefixes)) + 1,
            return_logits_vocab=True,
            **self._options,
        )
        choices = []
        for prefix, result in zip(prefixes, results, strict=True):
            logits = np.array(result.logits[0][len(prefix)], dtype=np.float32).ravel()[: len(self._refused)]
            logits[self._refused] = -np.inf
            order = [i for i in np.argsort(-logits, kind="stable")[: self._beam] if np.isfinite(logits[i])]
            ends = not order or order[0] == self._end
            choices.append([] if ends else [self._vocabulary[i] for i in order if i != self._end])
        return choices
