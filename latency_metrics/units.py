"""Lengths of texts in latency units: words, characters, sentence pieces."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from latency_metrics.errors import MetricsError

LatencyUnit = Literal["word", "char", "stream_word", "stream_char"]
"""The rule by which a reference is counted.

word         pieces between single spaces, empty ones included: "" has length 1 (SimulEval, OmniSTEval).
char         code points of the text trimmed at both ends: "" has length 0 (SimulEval, OmniSTEval).
stream_word  non-empty pieces between single spaces: "" has length 0 (simulstream).
stream_char  all code points (simulstream).
"""

_RULES: dict[str, Callable[[str], int]] = {
    "word": lambda text: text.count(" ") + 1,
    "char": lambda text: len(text.strip()),
    "stream_word": lambda text: sum(1 for piece in text.split(" ") if piece),
    "stream_char": len,
}


def length(text: str, unit: str) -> int:
    """Number of latency units in `text`.

    Raises:
        MetricsError: the unit is not one of `LatencyUnit`.
    """
    try:
        rule = _RULES[unit]
    except KeyError:
        raise MetricsError(
            f"The latency unit {unit!r} is not known; use one of {', '.join(_RULES)}."
        ) from None
    return rule(text)


def split_units(text: str, unit: str) -> list[str]:
    """The units of `text` that simulstream counts: non-empty pieces between spaces, or all code points."""
    if unit in ("char", "stream_char"):
        return list(text)
    return [piece for piece in text.split(" ") if piece]
