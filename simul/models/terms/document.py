"""Terms from a text or a PDF on what is going to be talked about: its names and its rare words."""

from __future__ import annotations

import logging
import re
from collections.abc import Collection
from pathlib import Path

from simul.errors import ModelMissingError, UsageError
from simul.install import install_hint
from simul.models.terms.reading import MOST_TERMS, Term

_SENTENCE = re.compile(r"(?<=[.!?:])[\"'”’)]*\s+|\n\s*\n")
_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
_POSSESSIVE = re.compile(r"['’]s$")
LEAST = 4
"""Letters of a word that is taken."""


def document_terms(path: Path, known: Collection[str] | None) -> tuple[Term, ...]:
    """The names and rare words of a document in the order in which they come, `MOST_TERMS` at most.

    known: frequent words in lower case. Names are words with a capital where no sentence begins, and rare are words
    that are not known; without known words only names are taken.

    Raises:
        UsageError: the file cannot be read, or has no such word.
        ModelMissingError: it is a PDF, and the package that reads them is missing.
    """
    found: dict[str, Term] = {}
    for sentence in _SENTENCE.split(_text(path)):
        for place, match in enumerate(_WORD.finditer(sentence)):
            word = _POSSESSIVE.sub("", match[0])
            name = place > 0 and word[0].isupper()
            rare = known is not None and word.lower() not in known
            if len(word) >= LEAST and (name or rare) and not (word.isupper() and not rare):
                found.setdefault(word, Term(word))
    if not found:
        raise UsageError(
            f"{path} holds no names or rare words; give a text on what is going to be talked about."
        )
    return tuple(found.values())[:MOST_TERMS]


def _text(path: Path) -> str:
    try:
        head = path.read_bytes()
        return _pdf_text(path) if head.startswith(b"%PDF") else head.decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is not UTF-8"
        raise UsageError(f"{path} cannot be read ({why}); give a text in UTF-8 or a PDF.") from None


def _pdf_text(path: Path) -> str:
    try:
        from pypdf import PdfReader
    except ImportError as error:
        raise ModelMissingError(
            f"Reading {path} needs the package {error.name}, which is not installed; run: {install_hint('pdf')}"
        ) from error
    # What it logs of a damaged file says no more than the sentence below.
    logging.getLogger("pypdf").setLevel(logging.CRITICAL)
    try:
        return "\n".join(page.extract_text() for page in PdfReader(path).pages)
    except Exception as error:
        # A damaged file brings about errors of many kinds, not only pypdf's own.
        raise UsageError(f"The PDF {path} cannot be read ({error}); give its text in UTF-8.") from None
