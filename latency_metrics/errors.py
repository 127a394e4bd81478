"""Errors of the scorer: what was wrong, where, and what to do."""

from __future__ import annotations

from pathlib import Path


class MetricsError(ValueError):
    """Something in the input or the options of the scorer that a user can mend."""

    exit_code = 1


class LogFormatError(MetricsError):
    """A file that is not in the format it was read as.

    Attributes:
        path: the file, or a name such as ``<stdin>``.
        line: 1-based line number, or None when the file as a whole is at fault.
        reason: what is wrong, as a sentence without the place.
    """

    def __init__(self, path: str | Path, line: int | None, reason: str) -> None:
        self.path = str(path)
        self.line = line
        self.reason = reason
        place = self.path if line is None else f"{self.path}, line {line}"
        super().__init__(f"{place}: {reason}")


class MatchError(MetricsError):
    """Recordings, references and hypotheses that do not belong together."""
