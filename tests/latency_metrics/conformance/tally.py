"""Counting agreement with reference values: how many checks, how many agree, and the first that does not."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

RELATIVE = 1e-9
"""Relative tolerance of metric values."""

TIME_MS = 1e-6
"""Tolerance of times in ms."""


class Tally:
    """Checks of one vector file.

    A value of {"error": ...} in the vectors means that the tool gave up; there only a defined outcome is
    asked for, so such a check agrees when the call returned. "NaN" asks for no value.
    """

    def __init__(self) -> None:
        self.total = 0
        self.agreed = 0
        self.first: str | None = None
        self.skipped: list[str] = []

    def _count(self, agrees: bool, label: str, got: Any, expected: Any) -> None:
        self.total += 1
        if agrees:
            self.agreed += 1
        elif self.first is None:
            self.first = f"{label}: {_shown(got)} instead of {_shown(expected)}"

    def value(self, label: str, got: float | None, expected: Any) -> None:
        """A metric value, within 1e-9 relative."""
        self._count(_agree(got, expected, RELATIVE, RELATIVE), label, got, expected)

    def exact(self, label: str, got: Any, expected: Any) -> None:
        """A text, count or assignment, equal."""
        self._count(got == expected, label, got, expected)

    def times(self, label: str, got: Sequence[float] | None, expected: Sequence[float]) -> None:
        """Times in ms, one check for each list."""
        agrees = (
            got is not None
            and len(got) == len(expected)
            and all(a == b or abs(a - b) <= TIME_MS for a, b in zip(got, expected, strict=True))
        )
        self._count(agrees, label, got, expected)

    def failed(self, label: str, error: Exception) -> None:
        """A call that raised where a value was expected."""
        self._count(False, label, f"{type(error).__name__}: {error}", "a value")


def gave_up(expected: Any) -> bool:
    """Whether the tool that made the vectors raised an error here."""
    return isinstance(expected, dict) and "error" in expected


def _agree(got: float | None, expected: Any, relative: float, absolute: float) -> bool:
    if gave_up(expected):
        return True
    if expected == "NaN" or expected is None:
        return got is None or math.isnan(got)
    return got is not None and math.isclose(got, expected, rel_tol=relative, abs_tol=absolute)


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 160 else text[:157] + "..."
