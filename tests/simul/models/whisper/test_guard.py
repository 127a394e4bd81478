"""Echoes of the previous text."""

from __future__ import annotations

import pytest

from simul.models.whisper.guard import GuardConfig


@pytest.mark.parametrize(
    ("previous", "text", "final", "echo"),
    [
        ("and so on. Chapter 27.", " Chapter 27", False, True),
        ("and so on. Chapter 27.", " chapter 27, but we must", False, False),
        ("Chapter 27.", " Chapter 27. But we", False, True),
        ("the last word", " word", False, False),
        ("the last word", " Word.", True, True),
        ("", " word", True, False),
        ("Chapter 26", " Chapter 27", True, False),
    ],
)
def test_a_text_that_says_the_end_of_the_previous_one_again(
    previous: str, text: str, final: bool, echo: bool
) -> None:
    assert GuardConfig.echoes(previous, text, final) is echo
