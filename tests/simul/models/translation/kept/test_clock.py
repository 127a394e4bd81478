"""Clock times of English text, and their forms in other languages."""

from __future__ import annotations

import pytest

from simul.models.translation.kept.clock import ClockTime, find_times, time_forms, time_pattern


@pytest.mark.parametrize(
    ("text", "times"),
    [
        ("It is half past eight.", ["8:30"]),
        ("a quarter to one", ["12:45"]),
        ("at quarter past 6", ["6:15"]),
        ("ten past three", ["3:10"]),
        ("He came at five to twelve.", ["11:55"]),
        ("twenty-five past six, then twenty five to seven", ["6:25", "6:35"]),
        ("seven minutes to nine", ["8:53"]),
        ("at ten o'clock", ["10:00"]),
        ("from 9:30 to 10:15", ["9:30", "10:15"]),
        ("at 8 p.m. or 11:05pm", ["20:00", "23:05"]),
        ("we meet at eight thirty", ["8:30"]),
        ("from ten to twelve people", []),
        ("ten to twelve people came", []),
        ("we lost 5 to 3", []),
        ("half past", []),
        ("version 2.15 of it", []),
    ],
)
def test_times_are_found(text: str, times: list[str]) -> None:
    assert [time.digits for time in find_times(text.split())] == times


def test_at_belongs_to_a_time() -> None:
    (time,) = find_times(["Come", "at", "half", "past", "eight."])
    assert (time.first, time.last, time.at) == (1, 5, True)


@pytest.mark.parametrize(
    ("hour", "minute", "language", "form"),
    [
        (8, 30, "de", "um halb neun"),
        (12, 30, "de", "um halb eins"),
        (1, 0, "de", "um ein Uhr"),
        (8, 45, "de", "um Viertel vor neun"),
        (3, 10, "de", "um zehn nach drei"),
        (8, 30, "es", "a las ocho y media"),
        (1, 15, "es", "a la una y cuarto"),
        (11, 55, "es", "a las doce menos cinco"),
        (8, 30, "fr", "à huit heures et demie"),
        (1, 0, "fr", "à une heure"),
        (8, 45, "fr", "à neuf heures moins le quart"),
        (8, 30, "pt", "às oito e meia"),
        (1, 30, "pt", "à uma e meia"),
        (8, 45, "pt", "às quinze para as nove"),
        (2, 0, "pt", "às duas horas"),
    ],
)
def test_times_are_written_as_people_say_them(hour: int, minute: int, language: str, form: str) -> None:
    assert time_forms(ClockTime(0, 4, hour, minute, True, True), language)[0] == form


@pytest.mark.parametrize("language", ["de", "es", "fr", "pt"])
@pytest.mark.parametrize("minute", range(0, 60, 5))
@pytest.mark.parametrize("at", [False, True])
def test_what_is_written_is_recognised_and_nothing_else(language: str, minute: int, at: bool) -> None:
    for hour in range(1, 13):
        for said in (False, True):
            time = ClockTime(0, 3, hour, minute, said, at)
            for form in time_forms(time, language):
                assert time_pattern(time, language).search(f"x {form}."), form
                other = ClockTime(0, 3, hour, (minute + 10) % 60, said, at)
                assert not time_pattern(other, language).search(f"x {form}."), form


def test_the_morning_is_no_evening() -> None:
    (morning,) = find_times(["at", "7:45", "in", "the", "morning"])
    (evening,) = find_times(["at", "7:45", "in", "the", "evening"])
    assert not time_pattern(morning, "de").search("um 19:45 Uhr")
    assert time_pattern(evening, "de").search("um 19:45 Uhr")
