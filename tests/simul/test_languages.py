"""Languages: how their outputs are counted."""

import pytest

from simul.languages import latency_unit


@pytest.mark.parametrize(
    ("language", "unit"),
    [("de", "word"), ("ko", "word"), ("zh", "char"), ("ja", "char"), ("zh-TW", "char"), ("ZH", "char")],
)
def test_outputs_without_spaces_are_counted_in_characters(language: str, unit: str):
    assert latency_unit(language) == unit
