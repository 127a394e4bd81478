"""Reading a list of terms."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from simul.errors import UsageError

MOST_TERMS = 10_000
_TRANSLATION = re.compile(r"([a-z]{2,3})=\s*(.*)")


@dataclass(frozen=True)
class Term:
    """A name or a rare word as it is to be written.

    spoken: further ways of saying it, in plain spelling. translations: what it is called in other languages, as pairs
    of an ISO 639-1 code and a text.
    """

    text: str
    spoken: tuple[str, ...] = ()
    translations: tuple[tuple[str, str], ...] = ()


def check_terms(terms: Iterable[Term]) -> None:
    """Raise `UsageError` for more terms than are served, or for one that says nothing."""
    count = 0
    for count, term in enumerate(terms, 1):
        if not all(text.strip() for text in (term.text, *term.spoken, *(t for _, t in term.translations))):
            raise UsageError(f"The term {count} of a stream, or a form of it, is empty; leave it out.")
    if count > MOST_TERMS:
        raise UsageError(
            f"A stream was given {count} terms; at most {MOST_TERMS} are served. Keep the names that matter."
        )


def read_terms(path: Path) -> tuple[Term, ...]:
    """The terms of a UTF-8 file, one a line. After tab stops: other spoken forms, and translations as "de=Wort".

    # begins a comment line.

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
        term = term_of(line)
        if term is not None and not line.startswith("#"):
            terms.setdefault(term.text, term)
    if not terms:
        raise UsageError(f"The file {path} holds no terms; write one a line.")
    if len(terms) > MOST_TERMS:
        raise UsageError(
            f"The file {path} holds {len(terms)} terms; at most {MOST_TERMS} are served. Keep the names that matter."
        )
    return tuple(terms.values())


def term_of(line: str) -> Term | None:
    """The term of a line: after tab stops other spoken forms, and translations as "de=Wort"; None where it is blank."""
    text, *forms = (" ".join(part.split()) for part in line.split("\t"))
    if not text:
        return None
    matches = {form: _TRANSLATION.fullmatch(form) for form in forms if form}
    spoken = tuple(form for form, match in matches.items() if match is None)
    return Term(text, spoken, tuple((m[1], m[2]) for m in matches.values() if m is not None and m[2]))
