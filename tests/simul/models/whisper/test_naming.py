"""What Whisper writes that sounds like a term is written so, with tokens that belong together."""

from __future__ import annotations

import numpy as np
import pytest

from simul.decoding.interface import Hypothesis, Prompt
from simul.models.terms.reading import Term
from simul.models.terms.repair import TermMatcher
from simul.models.whisper.naming import with_terms
from tests.simul.models.whisper.pieces import PieceVocabulary

PIECES = (" at", " new", " gate", ",", " New", "gate", " by", " Gut", "ten", "berg", "enberg", ".", "s")
TERMS = TermMatcher([Term("Newgate"), Term("Gutenberg")], frozenset({"at", "new", "gate", "by"}))


VOCABULARY = PieceVocabulary(*PIECES)


def changed(text: str, prefix: str = "", extra: tuple[int, ...] = ()) -> Hypothesis:
    tokens = (*VOCABULARY.encode(text), *extra)
    found = Hypothesis(tokens, np.full(len(tokens), -0.1), True)
    prompt = Prompt((51,), VOCABULARY.encode(prefix))
    return with_terms(VOCABULARY, TERMS, prompt, found)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "expected", "repairs"),
    [
        (" at new gate, by Guttenberg.", " at Newgate, by Gutenberg.", [" Newgate,", " Gutenberg."]),
        (" by at", " by at", []),
        ("s at new gate", "s at Newgate", [" Newgate"]),
    ],
)
def test_terms_stand_for_what_sounds_like_them(text: str, expected: str, repairs: list[str]) -> None:
    found = changed(text, prefix=" gate" if text.startswith("s") else "")
    pieces = VOCABULARY.surfaces(found.ids)
    assert "".join(pieces) == expected
    assert ["".join(pieces[a:b]) for a, b, _ in found.repairs] == repairs
    assert len(found.logprobs) == len(found.ids)
    assert found.logprobs.sum() == pytest.approx(-0.1 * len(VOCABULARY.encode(text)))


def test_it_is_said_what_was_heard() -> None:
    assert [heard for _, _, heard in changed(" at new gate, by Guttenberg.").repairs] == [
        "new gate,",
        "Guttenberg.",
    ]


def test_text_with_times_and_parts_of_words_stay() -> None:
    assert changed(" new gate", extra=(60,)).repairs == ()
    assert changed("gate at", prefix=" New").ids == VOCABULARY.encode("gate at")
