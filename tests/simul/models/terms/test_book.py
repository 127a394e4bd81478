"""What streams of one backend are told of terms: those of all, and their own before them."""

from __future__ import annotations

import pytest

from simul.errors import UsageError
from simul.models.terms.book import KEPT, TermBook
from simul.models.terms.reading import Term
from simul.models.terms.repair import HeardWord, TermMatcher


def repaired(matcher: TermMatcher | None, *words: str) -> list[str]:
    assert matcher is not None
    return [repair.text for repair in matcher.find([HeardWord(word) for word in words])]


def test_a_stream_has_its_own_terms_besides_those_of_all() -> None:
    book = TermBook([Term("Newgate")])
    mine, other = book.matcher((Term("Ludgate"),), "en"), book.matcher((), "en")
    assert repaired(mine, "at", "new", "gate") == repaired(other, "at", "new", "gate") == ["Newgate"]
    assert repaired(mine, "Lud", "gate") == ["Ludgate"]
    assert repaired(other, "Lud", "gate") == []
    assert TermBook().matcher((), "en") is None


def test_known_words_are_those_of_the_language() -> None:
    book = TermBook([Term("Neild")])
    assert repaired(book.matcher((), "en"), "by", "Nield", "himself") == ["Neild"]
    assert repaired(book.matcher((), "de"), "by", "Nield", "himself") == []


def test_streams_with_the_same_terms_share_a_matcher_and_few_are_kept() -> None:
    book = TermBook()
    first = book.matcher((Term("Neild"),), "en")
    assert book.matcher((Term("Neild"),), "en") is first
    for number in range(KEPT):
        book.matcher((Term(f"Neild {number}"),), "en")
    assert book.matcher((Term("Neild"),), "en") is not first


def test_translations_are_those_into_one_language_and_a_stream_overrules() -> None:
    book = TermBook([Term("ward", (), (("de", "Station"), ("es", "sala"))), Term("steward")])
    own = (Term("ward", (), (("de", "Abteilung"),)),)
    assert book.translations(own, "de") == (("ward", "Abteilung"),)
    assert book.translations(own, "es") == (("ward", "sala"),)
    assert book.translations((), "fr") == ()


def test_terms_that_say_nothing_are_refused() -> None:
    with pytest.raises(UsageError, match="term 1 of a stream"):
        TermBook().matcher((Term(""),), "en")
