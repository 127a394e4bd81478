"""The interface of text translators: source text in, target tokens that continue a forced prefix out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class TextRequest:
    """One text to translate.

    `complete` tells whether the speaker has finished the text. `prefix` (surface tokens) and `prefix_ids` are
    the target tokens already committed, which the translation must continue. `word_complete`: the prefix ends with
    a whole word, which the translation must not make longer. terms: what words of the source are called in the target
    language, which a translator that can writes.
    """

    source: str
    target: str
    complete: bool = True
    prefix: tuple[str, ...] = ()
    prefix_ids: tuple[int, ...] = ()
    max_new_tokens: int | None = None
    word_complete: bool = False
    terms: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class TextResult:
    """The tokens after the prefix.

    tokens: surface pieces, a leading space where a word begins. ids: token numbers. logprobs: float array [n],
    or None where the engine gives none. source_words: int array [n], for each token the index of the last
    source word it rests on, or None. source_attention: float array [n, words], how much each token attends to each
    source word, or None. others: the tokens of other hypotheses after the prefix, best first. ended: the model ended
    the text itself. copied: a sentence was in the target language already, and was left as it is.
    """

    tokens: tuple[str, ...]
    ids: tuple[int, ...]
    logprobs: NDArray[np.float64] | None = None
    source_words: NDArray[np.int64] | None = None
    ended: bool = True
    source_attention: NDArray[np.float32] | None = None
    others: tuple[tuple[str, ...], ...] = ()
    copied: bool = False


class TextTranslator(Protocol):
    """Translates text; stateless, so one instance serves all streams.

    A translator whose results never hold log-probabilities or source words says so in an attribute `lacks`, a
    frozenset of `Need.LOGPROBS` and `Need.SPANS`. One whose results hold other hypotheses says how many hypotheses
    there are in `offers`.
    """

    name: str
    sources: frozenset[str]
    targets: frozenset[str]

    def translate(self, requests: Sequence[TextRequest]) -> list[TextResult]:
        """One result per request, in order; a batch gives what single calls give."""
        ...
