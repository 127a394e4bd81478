"""Sentence ends in recognised text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simul.models.translation.sentences import sentence_spans


@pytest.mark.parametrize(
    ("text", "language", "wanted"),
    [
        ("He left. She stayed! Why? \"No idea.\" 20 years ago.", "en",
         ["He left.", "She stayed!", "Why?", "\"No idea.\"", "20 years ago."]),
        ("Dr. A. J. Smith of the U.S. Navy met Mrs. Brown at No. 5.", "en",
         ["Dr. A. J. Smith of the U.S. Navy met Mrs. Brown at No. 5."]),
        ("It was 3.5 percent. well, nearly", "en", ["It was 3.5 percent. well, nearly"]),
        ("Am 3. Oktober kam er. Dann ging er.", "de", ["Am 3. Oktober kam er.", "Dann ging er."]),
        ("¿Qué hora es? ¡Son las 3! Vamos.", "es", ["¿Qué hora es?", "¡Son las 3!", "Vamos."]),
        ("no marks at all", "en", ["no marks at all"]),
        ("", "en", []),
    ],
)  # fmt: skip
def test_sentences_end_where_a_reader_says(text: str, language: str, wanted: list[str]) -> None:
    words = text.split()
    assert [" ".join(words[a:b]) for a, b in sentence_spans(words, language)] == wanted


@given(st.lists(st.text("Ab1.!?,\"'(", min_size=1, max_size=6), max_size=12))
def test_every_word_is_in_one_sentence(words: list[str]) -> None:
    spans = sentence_spans(words)
    assert [i for a, b in spans for i in range(a, b)] == list(range(len(words)))
    assert all(a < b for a, b in spans)
