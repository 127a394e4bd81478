"""Recognised words as a written sentence."""

from __future__ import annotations

import pytest

from simul.models.marian.written import is_spoken, written


@pytest.mark.parametrize(
    ("text", "complete", "wanted"),
    [
        ("tomorrow i'll go and i know it", True, "Tomorrow I'll go and I know it."),
        ("where is", False, "Where is"),
        ("Hello there", True, "Hello there"),
        ("well, yes", True, "well, yes"),
        ("in taxi i sit", False, "In taxi I sit"),
        ("", True, ""),
    ],
)
def test_only_words_without_case_and_punctuation_are_changed(text: str, complete: bool, wanted: str) -> None:
    assert written(text, complete) == wanted
    assert len(written(text, complete).split()) == len(text.split())


def test_what_is_spoken_has_neither_capitals_nor_marks() -> None:
    assert is_spoken("it's half past eight")
    assert not is_spoken("It's half past eight")
    assert not is_spoken("it is late, very late")
