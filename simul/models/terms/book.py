"""The terms of all streams of a backend and of each by itself, as what repairs words and what forces translations."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from simul.models.terms.reading import Term, check_terms
from simul.models.terms.repair import TermMatcher

KEPT = 8
"""Matchers that are kept: streams with the same terms share one."""


class TermBook:
    """`terms` are those of every stream. A stream's own come first where both say the same."""

    def __init__(self, terms: Sequence[Term] = ()) -> None:
        self._terms = tuple(terms)
        self._made = lru_cache(KEPT)(_matcher)

    def matcher(self, own: tuple[Term, ...], language: str) -> TermMatcher | None:
        """What writes words of `language` as terms for a stream; None where it has none.

        Raises:
            UsageError: they are more than are served, or one is empty.
        """
        terms = (*own, *self._terms)
        return self._made(terms, language) if terms else None

    def translations(self, own: tuple[Term, ...], target: str) -> tuple[tuple[str, str], ...]:
        """The terms that have a translation into `target`, each with it."""
        found: dict[str, str] = {}
        for term in (*own, *self._terms):
            for language, text in term.translations:
                if language == target:
                    found.setdefault(term.text, text)
        return tuple(found.items())


def _matcher(terms: tuple[Term, ...], language: str) -> TermMatcher:
    from simul.models.embedded.vocabulary import known_words

    check_terms(terms)
    return TermMatcher(terms, known_words() if language == "en" else None)
