"""Numbers of a text and their forms in other languages."""

from __future__ import annotations

import pytest

from simul.models.translation.kept.numbers import Number, find_numbers, number_forms, number_pattern


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("There are 347 people.", [(347, "")]),
        ("It costs $1,499 or 2.7 euros, 19% off.", [(1499, ""), (2, "7"), (19, "")]),
        ("Two hundred and fifty guests, forty-two cousins.", [(250, ""), (42, "")]),
        ("five thousand three hundred and six", [(5306, "")]),
        ("in nineteen forty five we had two or three", [(1945, ""), (2, ""), (3, "")]),
        ("a dozen eggs and one of the boys", [(12, "")]),
        ("two dozen eggs", [(24, "")]),
        ("seven, eight, nine", [(7, ""), (8, ""), (9, "")]),
        ("from 1990-1998", [(1990, ""), (1998, "")]),
    ],
)
def test_numbers_are_found(text: str, values: list[tuple[int, str]]) -> None:
    assert [(n.whole, n.part) for n in find_numbers(text.split())] == values


def test_numbers_in_words_are_read_in_english_only() -> None:
    assert [n.whole for n in find_numbers(["Ich", "habe", "12", "ten"], "de")] == [12]


@pytest.mark.parametrize(
    ("number", "language", "right", "wrong"),
    [
        (Number(0, 1, 347), "fr", ["347", "trois cent quarante-sept"], ["37", "3470", "1347", "34,7"]),
        (Number(0, 1, 1499, grouped=True), "de", ["1.499", "1499", "1 499"], ["4799", "1,49"]),
        (Number(0, 1, 2, part="7"), "de", ["2,7", "2.7"], ["27", "2,75"]),
        (Number(0, 1, 21), "es", ["21", "veintiún", "veintiuna"], ["211", "veinte"]),
        (Number(0, 1, 200), "pt", ["duzentas", "200"], ["duzentas e"][:0]),
        (Number(0, 1, 54_000), "pt", ["54 mil", "54.000"], ["54"]),
        (Number(0, 1, 2), "de", ["zwei", "beiden"], ["zwölf", "zweite"]),
    ],
)
def test_forms_of_a_number_are_recognised(
    number: Number, language: str, right: list[str], wrong: list[str]
) -> None:
    pattern = number_pattern(number, language)
    assert all(pattern.search(f"x {text} y") for text in right)
    assert not any(pattern.search(f"x {text} y") for text in wrong)


@pytest.mark.parametrize("language", ["de", "es", "fr", "pt"])
@pytest.mark.parametrize("value", [0, 1, 2, 16, 21, 71, 80, 99, 100, 206, 999, 1000, 1945, 54_000])
def test_what_is_written_is_recognised(language: str, value: int) -> None:
    for number in (
        Number(0, 1, value),
        Number(0, 1, value, spelled=True),
        Number(0, 1, value, grouped=value > 999),
    ):
        for form in number_forms(number, language):
            assert number_pattern(number, language).search(f"x {form} y"), form


def test_a_number_is_written_as_the_source_has_it() -> None:
    assert number_forms(Number(0, 1, 23, spelled=True), "de")[0] == "dreiundzwanzig"
    assert number_forms(Number(0, 1, 1987), "de") == ("1987",)
    assert number_forms(Number(0, 1, 1499, grouped=True), "fr") == ("1 499",)
    assert number_forms(Number(0, 1, 2, part="5"), "es") == ("2,5",)
