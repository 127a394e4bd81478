"""Reading a list of terms."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from simul.errors import UsageError

MOST_TERMS = 10_000


@dataclass(frozen=True)
class Term:
    """A name or a rare word as it is to be written, and further ways of saying it (`spoken`) in plain spelling."""

    text: str
    spoken: tuple[str, ...] = ()


def read_terms(path: Path) -> tuple[Term, ...]:
    """The terms of a UTF-8 file: one a line, with other spoken forms after tab stops; # begins a comment line.

    Raises:
        UsageError: the file cannot be read, holds no term, or more than `MOST_TERMS`.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is not UTF-8"
        raise UsageError(
            f"The terms in {path} cannot be read ({why}); give a text file in UTF-8, one term a line."
        ) from None
    terms: dict[str, Term] = {}
    for line in lines:
        text, *spoken = (" ".join(part.split()) for part in line.split("\t"))
        if text and not text.startswith("#"):
            terms.setdefault(text, Term(text, tuple(filter(None, spoken))))
    if not terms:
        raise UsageError(f"The file {path} holds no terms; write one a line.")
    if len(terms) > MOST_TERMS:
        raise UsageError(
            f"The file {path} holds {len(terms)} terms; at most {MOST_TERMS} are served. Keep the names that matter."
        )
    return tuple(terms.values())
