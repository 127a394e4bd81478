"""Spoken form: what a recogniser would say for written English."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simul.models.embedded.spoken import spoken_form, spoken_words

pytest.importorskip("num2words")


@pytest.mark.parametrize(
    ("written", "spoken"),
    [
        ("It's 2:30, on May 3rd.", "it's two thirty on may third"),
        ("I paid $3,500 for it!", "i paid three thousand five hundred dollars for it"),
        ("In the 1980s, 50% left.", "in the nineteen eighties fifty percent left"),
        ("He was born in 1995 at 7:05.", "he was born in nineteen ninety five at seven oh five"),
        ("Mr. Smith's well-known dog", "mister smith's well known dog"),
        ("12.5 degrees at 8:00", "twelve point five degrees at eight o'clock"),
        ("“Don’t!” she said…", "don't she said"),
        ("the boys' room", "the boys room"),
        ("", ""),
    ],
)
def test_written_forms(written: str, spoken: str) -> None:
    assert spoken_form(written) == spoken


@given(st.text(max_size=80))
def test_only_lower_case_words_remain_and_a_second_pass_changes_nothing(text: str) -> None:
    once = spoken_form(text)
    assert once == " ".join(spoken_words(once))
    assert once == once.lower()
    assert not set(once) & set('.,;:!?"()$%&')
