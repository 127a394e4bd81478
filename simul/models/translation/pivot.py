"""Translation in two steps through a language that both translators know: German to English to Portuguese."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from policies.base import Need
from simul.errors import UsageError
from simul.models.translation.interface import TextRequest, TextResult, TextTranslator
from simul.models.translation.source_attention import word_of_tokens


class PivotTranslator:
    """`first` translates into `between`, `second` from there.

    What is committed is committed in the target language and forced there; the text in between is made anew for each
    source. A target word rests on the source words of the words in between that it rests on.

    Raises:
        UsageError: the two do not meet in `between`.
    """

    def __init__(self, first: TextTranslator, second: TextTranslator, between: str = "en") -> None:
        if between not in first.targets or between not in second.sources:
            raise UsageError(
                f"The translators {first.name} and {second.name} do not meet in {between!r}: the first one writes "
                f"{' '.join(sorted(first.targets))}, the second one reads {' '.join(sorted(second.sources))}."
            )
        self.first, self.second, self.between = first, second, between
        self.name = f"{first.name}+{second.name}"
        self.sources, self.targets = first.sources, second.targets
        lacks: frozenset[Need] = getattr(second, "lacks", frozenset())
        self.lacks = lacks | (getattr(first, "lacks", frozenset()) & {Need.SPANS})
        self.offers: int = getattr(second, "offers", 1)

    def translate(self, requests: Sequence[TextRequest]) -> list[TextResult]:
        """One result per request, with the second step's tokens and the first step's source words."""
        halves = self.first.translate(
            [TextRequest(request.source, self.between, request.complete) for request in requests]
        )
        texts = ["".join(half.tokens).strip() for half in halves]
        wholes = self.second.translate(
            [replace(request, source=text) for request, text in zip(requests, texts, strict=True)]
        )
        return [
            _mapped(half, whole, len(request.source.split()))
            for request, half, whole in zip(requests, halves, wholes, strict=True)
        ]


def _mapped(half: TextResult, whole: TextResult, count: int) -> TextResult:
    """`whole` with evidence on the `count` words of the source instead of the words in between."""
    ended = half.ended and whole.ended
    if half.source_words is None or whole.source_words is None:
        return replace(whole, source_words=None, source_attention=None, ended=ended)
    words = word_of_tokens(half.tokens)
    between = int(words.max(initial=-1)) + 1
    if not between or not len(whole.tokens):
        shares = np.zeros((len(whole.tokens), count), np.float32)
        return replace(whole, source_words=whole.source_words * 0, source_attention=shares, ended=ended)
    last = np.zeros(between, np.int64)
    np.maximum.at(last, words, half.source_words)
    last = np.maximum.accumulate(last)
    resting = last[np.minimum(whole.source_words, between - 1)]
    attention = None
    if half.source_attention is not None and whole.source_attention is not None:
        spread = np.zeros((between, half.source_attention.shape[1]), np.float32)
        np.add.at(spread, words, half.source_attention)
        spread /= np.bincount(words, minlength=between)[:, None]
        attention = whole.source_attention[:, :between] @ spread
    return replace(whole, source_words=resting, source_attention=attention, ended=ended)
