"""Weekdays, months and afternoons: what is one, how it is written in other languages and found there."""

from __future__ import annotations

import pytest

from simul.models.translation.kept.calendar import DAYS, MONTHS, Date, date_forms, date_pattern, find_dates

LANGUAGES = ("de", "es", "fr", "pt")


def dates(text: str) -> list[str]:
    return [date.word for date in find_dates(text.split())]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("On Monday, or on Tuesday's train.", ["monday", "tuesday"]),
        ("We never work on Sundays.", ["sunday"]),
        ("From September to May.", ["september", "may"]),
        ("May I go? You may march in March.", ["march"]),
        ("I saw Theresa May in the hall.", []),
        ("I saw August Krogh on Friday May 3.", ["friday", "may"]),
        ("June is here.", []),
        ("Good afternoon, everybody.", []),
        ("It rained in the afternoon.", ["afternoon"]),
    ],
)
def test_what_is_a_date(text: str, found: list[str]) -> None:
    assert dates(text) == found


def test_an_afternoon_takes_its_preposition_with_it() -> None:
    (during,) = find_dates(["It", "rained", "in", "the", "afternoon."])
    (this,) = find_dates(["She", "came", "this", "afternoon"])
    (alone,) = find_dates(["tomorrow", "afternoon"])
    assert (during.first, during.last) == (2, 5)
    assert (this.first, this.last) == (2, 4)
    assert (alone.first, alone.last) == (1, 2)
    assert [date_forms(date, "fr")[0] for date in (during, this, alone)] == [
        "l'après-midi",
        "cet après-midi",
        "après-midi",
    ]


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_form_that_is_written_is_found_and_no_other_day_or_month_is(language: str) -> None:
    words = [*DAYS, *MONTHS, "afternoon"]
    for word in words:
        for form in date_forms(Date(0, 1, word), language):
            assert [other for other in words if date_pattern(other, language).search(form)] == [word]


@pytest.mark.parametrize(
    ("word", "language", "text"),
    [
        ("friday", "de", "am Freitagabend"),
        ("saturday", "de", "Jeden Sonnabend"),
        ("wednesday", "pt", "na quarta ou na quinta"),
        ("september", "es", "en setiembre"),
        ("monday", "fr", "tous les lundis"),
        ("afternoon", "de", "Freitagnachmittag"),
    ],
)
def test_usual_variants_are_found(word: str, language: str, text: str) -> None:
    assert date_pattern(word, language).search(text)
