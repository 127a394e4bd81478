"""Languages: how their outputs are counted, and the one code of each."""

import pytest

from simul.languages import language_code, latency_unit


@pytest.mark.parametrize(
    ("language", "unit"),
    [("de", "word"), ("ko", "word"), ("zh", "char"), ("ja", "char"), ("zh-TW", "char"), ("ZH", "char")],
)
def test_outputs_without_spaces_are_counted_in_characters(language: str, unit: str):
    assert latency_unit(language) == unit


@pytest.mark.parametrize(
    ("written", "code"),
    [
        ("en", "en"),
        ("EN", "en"),
        ("en-US", "en"),
        ("pt_BR.UTF-8", "pt"),
        ("zh-Hant-TW", "zh"),
        ("deu", "de"),
        ("ger", "de"),
        ("fra_Latn", "fr"),
        ("cmn", "zh"),
        ("yue", "yue"),
        ("nb-NO", "no"),
        ("iw", "he"),
        ("auto", "auto"),
        ("german", "de"),
        ("Haitian Creole", "ht"),
        ("klingon", "klingon"),
        ("", ""),
        ("12", "12"),
    ],
)
def test_languages_are_known_by_one_code(written: str, code: str):
    assert language_code(written) == code
