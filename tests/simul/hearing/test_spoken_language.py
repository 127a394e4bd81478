"""When a model is asked which language is spoken, and when it is believed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simul.hearing.spoken_language import SpokenLanguage
from simul.units import SAMPLE_RATE


def shares(english: float) -> dict[str, float]:
    return {"en": english, "de": 1 - english}


def test_a_sure_guess_is_believed_early_and_any_after_two_seconds() -> None:
    early, late = SpokenLanguage(), SpokenLanguage()
    early.hear(shares(0.95), SAMPLE_RATE, False)
    late.hear(shares(0.85), SAMPLE_RATE, False)
    assert (early.source, early.spoken, late.source) == ("en", "en", "")
    late.hear(shares(0.55), 2 * SAMPLE_RATE, False)
    assert late.source == "en"


def test_looks_are_due_after_1_2_and_5_seconds_of_each_segment() -> None:
    watch = SpokenLanguage("en")
    seen = []
    for _ in range(2):
        for tenths in range(1, 80):
            if watch.due(tenths * SAMPLE_RATE // 10, False):
                seen.append(tenths)
                watch.hear(shares(1.0), tenths * SAMPLE_RATE // 10, False)
        watch.next_segment()
    assert seen == [10, 20, 50, 10, 20, 50]


def test_the_end_of_a_segment_is_looked_at_only_while_nothing_is_known() -> None:
    assert SpokenLanguage().due(SAMPLE_RATE // 2, True)
    assert not SpokenLanguage("en").due(SAMPLE_RATE // 2, True)


@given(st.lists(st.tuples(st.floats(0, 1), st.sampled_from([1, 2, 5])), max_size=12))
def test_a_language_changes_only_after_two_sure_looks_in_a_row(looks: list[tuple[float, int]]) -> None:
    watch = SpokenLanguage("en")
    run = 0
    for english, seconds in looks:
        before = watch.spoken
        watch.hear(shares(english), seconds * SAMPLE_RATE, False)
        if seconds >= 2:
            other = "de" if before in ("", "en") else "en"
            sure = (1 - english if other == "de" else english) >= 0.8
            run = run + 1 if sure else 0
        if watch.spoken != before:
            assert run == 2
            run = 0
        assert watch.source == "en"


def turns() -> SpokenLanguage:
    return SpokenLanguage(among=("en", "de"))


def test_in_a_conversation_every_segment_is_judged_before_it_is_decoded() -> None:
    watch = turns()
    assert watch.source == ""
    watch.hear(shares(0.9), SAMPLE_RATE, False)
    assert watch.source == "en"
    watch.next_segment()
    assert watch.source == ""
    assert watch.due(SAMPLE_RATE // 3, True), "a short word is judged at its end"
    watch.hear(shares(0.1), SAMPLE_RATE // 3, True)
    assert watch.source == "de"


def test_in_a_conversation_a_language_stays_where_the_other_is_not_clearly_heard() -> None:
    watch = turns()
    for english, heard in ((0.7, "en"), (0.45, "en"), (0.35, "de"), (0.55, "de"), (0.65, "en")):
        watch.next_segment()
        watch.hear(shares(english), SAMPLE_RATE, False)
        assert watch.source == heard


def test_in_a_conversation_a_segment_is_judged_anew_until_something_is_settled() -> None:
    watch = turns()
    watch.hear(shares(0.9), 2 * SAMPLE_RATE, False)
    assert not watch.due(29 * SAMPLE_RATE // 10, False)
    assert watch.due(3 * SAMPLE_RATE, False)
    watch.hear(shares(0.3), 3 * SAMPLE_RATE, False, settled=False)
    assert watch.source == "de"
    watch.hear(shares(0.9), 5 * SAMPLE_RATE, False, settled=True)
    assert watch.source == "de", "what is settled stays in its language"


def test_in_a_conversation_other_languages_count_for_nothing() -> None:
    watch = turns()
    watch.hear({"nl": 0.9, "en": 0.02, "de": 0.08}, SAMPLE_RATE, False)
    assert (watch.source, watch.spoken, round(watch.probability, 2)) == ("de", "de", 0.8)
    watch.next_segment()
    watch.hear({"nl": 1.0}, SAMPLE_RATE, False)
    assert watch.source == "de"


@pytest.mark.parametrize(
    ("spoken", "target", "translates"),
    [("es", "en", True), ("en", "en", False), ("es", "es", False), ("es", "auto", False)],
)
def test_only_english_may_be_a_translation(spoken: str, target: str, translates: bool) -> None:
    assert SpokenLanguage(spoken).translates(target) is translates
