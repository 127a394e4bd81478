"""Names in English text, and what they are called elsewhere."""

from __future__ import annotations

import pytest

from simul.models.translation.kept.names import find_names, name_forms, name_pattern

WORDS = frozenset(["brown", "the", "train", "rose", "summer", "we", "to", "is", "a", "Mozart", "Hello"])


def names(text: str) -> list[str]:
    return [name.text for name in find_names(text.split(), WORDS.__contains__)]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("We took the train to Berlin.", ["Berlin"]),
        ("On Mondays Anna swims.", ["Anna"]),
        ("Mr. Brown met Katarzyna Wojcik on Monday.", ["Brown", "Katarzyna", "Wojcik"]),
        ("Scrambling is hard.", []),
        ("Mozart wrote it.", ["Mozart"]),
        ("Hello, Rodrigo!", ["Rodrigo"]),
        ("They fly to New York's airport.", ["New York"]),
        ("The Summer of a Rose", []),
        ("NASA speaks English in the USA", ["NASA"]),
        ("He said: Whitfield is ill", []),
    ],
)
def test_names_are_found(text: str, found: list[str]) -> None:
    assert names(text) == found


def test_a_city_has_its_name_in_every_language() -> None:
    (city,) = find_names(["in", "Munich"], WORDS.__contains__)
    assert [name_forms(city, code)[0] for code in ("de", "es", "fr", "pt")] == [
        "München",
        "Múnich",
        "Munich",
        "Munique",
    ]


@pytest.mark.parametrize(
    ("name", "language", "right", "wrong"),
    [
        ("Berlin", "de", ["nach Berlin.", "Berlins Straßen"], ["nach Beton", "Berlinieren"]),
        ("Tolstoy", "es", ["de Tolstoi"], ["de Toltoy"]),
        ("Egypt", "fr", ["en Égypte", "Egypte"], ["en Ego"]),
        ("Vienna", "es", ["a Viena"], ["a Vieno"]),
        ("Nakamura", "fr", ["M. Nakamura vit"], ["M. Nakamur vit"]),
        ("New York", "es", ["en Nueva York", "New York"], ["en York"]),
    ],
)
def test_spellings_of_a_name_are_recognised(
    name: str, language: str, right: list[str], wrong: list[str]
) -> None:
    (found,) = find_names(f"in {name}".split(), lambda word: False)
    find = name_pattern(found, language)
    assert all(find(text) is not None for text in right)
    assert all(find(text) is None for text in wrong)


def test_the_place_of_a_name_is_told() -> None:
    (found,) = find_names(["in", "Berlin"], lambda word: False)
    span = name_pattern(found, "de")("Der Zug nach Berlin fährt.")
    assert span == (13, 19)


@pytest.mark.parametrize(
    ("text", "language", "found"),
    [
        ("Ayer habló Katarzyna en Londres.", "es", [("Katarzyna", False), ("London", True)]),
        ("Vive en Nueva York desde mayo.", "es", [("New York", True)]),
        ("¿Dónde está Rodrigo?", "es", [("Rodrigo", False)]),
        ("La ONU está en Ginebra.", "es", [("Geneva", True)]),
        ("Nous allons à Londres avec Margaux.", "fr", [("London", True), ("Margaux", False)]),
    ],
)
def test_names_of_other_languages_are_found_by_what_they_are_called_there(
    text: str, language: str, found: list[tuple[str, bool]]
) -> None:
    names = find_names(text.split(), WORDS.__contains__, language)
    assert [(name.text, name.known) for name in names] == found
    assert [name_forms(name, "en") for name in names] == [(text,) for text, _ in found]


def test_an_english_text_may_call_a_city_as_the_source_does() -> None:
    (city,) = find_names(["en", "Múnich"], WORDS.__contains__, "es")
    find = name_pattern(city, "en")
    assert find("It was in Munich.") == (10, 16)
    assert find("It was in Monaco.") is None
