"""What looks wrong about what can be scored all the same: times in seconds, a tokenizer that does not split."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Sequence

SECONDS = "its times look like seconds; they are read as milliseconds, so multiply them by 1000"
"""The notice about times that are 1000 times too small."""

_FEWEST = 4
_TOKENIZERS = {
    "HIRAGANA": "ja-mecab",
    "KATAKANA": "ja-mecab",
    "CJK": "zh",
    "THAI": "char",
    "LAO": "char",
    "KHMER": "char",
    "MYANMAR": "char",
    "TIBETAN": "char",
}
"""Tokenizer of sacreBLEU for a script without spaces, by the first word of its characters' names."""


def looks_like_seconds(times: Sequence[float] | None, end: float) -> bool:
    """Whether times span a thousandth of the `end` ms they should span: they, or the segmentation, are off by 1000.

    Few units, and output that stops at once, prove nothing.
    """
    if not times or len(times) < _FEWEST or end <= 0:
        return False
    # Output that ends within the first thousandths of a recording but begins with it is short, not in seconds.
    return 0.0003 * end <= max(times) <= 0.0015 * end and len(set(times)) > 1


def length_in_seconds(length: float, words: int) -> bool:
    """Whether an utterance of `length` ms would hold more than 100 words a second."""
    return words >= _FEWEST and 0 < length < 10 * words


def untokenized(references: Sequence[str], tokenizer: str) -> str | None:
    """What is wrong with a tokenizer that splits at spaces, where the references are written without any."""
    if tokenizer not in ("13a", "intl", "none"):
        return None
    scripts = Counter(
        unicodedata.name(letter, "").split(" ", 1)[0]
        for text in references
        for letter in text
        if letter.isalpha()
    )
    known = Counter({script: count for script, count in scripts.items() if script in _TOKENIZERS})
    if 2 * sum(known.values()) <= sum(scripts.values()):
        return None
    kana = scripts["HIRAGANA"] + scripts["KATAKANA"]
    better = "ja-mecab" if 10 * kana > sum(scripts.values()) else _TOKENIZERS[known.most_common(1)[0][0]]
    asked = "--bleu_tokenizer char" if better == "char" else f"--bleu_tokenizer {better}, or char"
    return f"the tokenizer {tokenizer} does not split text written without spaces, so BLEU says little; use {asked}"
