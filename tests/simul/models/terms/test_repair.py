"""What terms replace: words that sound like them and were not clearly said; nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.base import Word
from simul.models.terms.reading import Term
from simul.models.terms.repair import MOST_LIKELY, HeardWord, TermMatcher, named_words

KNOWN = frozenset(
    {
        "a",
        "at",
        "the",
        "gate",
        "new",
        "of",
        "in",
        "was",
        "printed",
        "by",
        "governor",
        "nailed",
        "some",
        "figures",
        "and",
        "gave",
        "road",
        "house",
        "jenso",
    }
)
TERMS = [Term("Newgate"), Term("Gutenberg"), Term("Jenson"), Term("Neild"), Term("C++", ("see plus plus",))]


def write(text: str, confidence: float | None = None, known: frozenset[str] | None = KNOWN) -> str:
    """`text` with the terms in it; its first word begins a sentence."""
    said = text.split()
    words = [HeardWord(word, confidence, i == 0) for i, word in enumerate(said)]
    for repair in reversed(TermMatcher(TERMS, known).find(words)):
        assert repair.heard == " ".join(said[repair.start : repair.stop])
        said[repair.start : repair.stop] = [repair.text]
    return " ".join(said)


@pytest.mark.parametrize(
    ("heard", "expected"),
    [
        ("At new gate, in", "At Newgate, in"),
        ("the newgate's house", "the Newgate's house"),
        ("printed by Guttenberg.", "printed by Gutenberg."),
        ("printed by gutenburg", "printed by Gutenberg"),
        ("in see plus plus", "in C++"),
        ("by Jensen, and", "by Jenson, and"),
        ("by Newgathe, and", "by Newgate, and"),  # Another sound by the rules of metaphone.
    ],
)
def test_what_sounds_like_a_term_becomes_it(heard: str, expected: str) -> None:
    assert write(heard) == expected


@pytest.mark.parametrize(
    "heard",
    [
        "Nailed some figures",  # A known word at the beginning of a sentence may have its capital from there.
        "the new, gate",
        "Newgate was new",
        "the governor gave",
        "in Jenso",  # A name that is known, and not of the same sound.
        "new",
    ],
)
def test_what_was_clearly_said_stays(heard: str) -> None:
    assert write(heard) == heard


def test_a_known_word_is_replaced_where_the_recogniser_is_unsure() -> None:
    assert write("Nailed some figures", 0.9) == "Nailed some figures"
    assert write("Nailed some figures", 0.3) == "Neild some figures"


def test_without_known_words_only_what_is_unsure_is_replaced() -> None:
    assert write("by Guttenberg", 0.9, None) == "by Guttenberg"
    assert write("by Guttenberg", 0.3, None) == "by Gutenberg"
    assert write("at new gate", 0.9, None) == "at Newgate"


WORDS = st.text(st.sampled_from("bfhlmvz"), min_size=1, max_size=7)
"""Of letters whose sounds no term has."""


@given(st.lists(st.tuples(WORDS, st.none() | st.floats(0, 1), st.booleans())))
def test_nothing_changes_without_a_word_that_sounds_near(words: list[tuple[str, float | None, bool]]) -> None:
    terms = [Term("Kirkstead"), Term("Ticknor"), Term("Passenger")]
    assert TermMatcher(terms, KNOWN).find([HeardWord(*word) for word in words]) == []


@given(st.lists(st.sampled_from(sorted(KNOWN)), max_size=8), st.lists(st.text(min_size=4), max_size=5))
def test_known_words_said_clearly_stay_whatever_the_terms(said: list[str], terms: list[str]) -> None:
    """But where words next to each other are spelled as a term is, which is the same sound."""
    joined = "".join(said)
    terms = [text for text in terms if "".join(filter(str.isalnum, text)).lower() not in joined]
    words = [HeardWord(word, 0.9) for word in said]
    assert TermMatcher([Term(text) for text in terms], KNOWN).find(words) == []


def test_words_keep_their_place_and_say_what_was_heard() -> None:
    words = (Word("at", 0, 10, 0.9), Word("new", 10, 20, 0.8), Word("gate", 25, 40, 0.7), Word("by", 40, 50))
    named = named_words(TermMatcher(TERMS, KNOWN), words)
    assert named == (words[0], Word("Newgate", 10, 40, 0.7, "new gate"), words[3])


def test_terms_that_may_have_been_said_are_few_and_the_likeliest_come_first() -> None:
    matcher = TermMatcher([Term("Caslon"), Term("Neild"), Term("Xerxes"), Term("Casablanca")], KNOWN)
    assert matcher.likely(["by", "Kessland."])[0] == "Caslon"
    assert "Xerxes" not in matcher.likely(["by", "Kessland."])
    assert matcher.likely(["Nailed", "it"]) == ["Neild"]
    assert matcher.likely(["by", "Neild"]) == []
    assert matcher.likely([]) == []
    many = TermMatcher([Term(f"Newgat{letter}") for letter in "abcdfghijklmnopq"], KNOWN)
    assert len(many.likely(["Newgate"])) == MOST_LIKELY
