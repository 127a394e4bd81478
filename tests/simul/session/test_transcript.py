"""The fold of events: what stands after settled text, retractions and segments, whoever reads it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from simul.session.events import End, Event, Retract, SegmentEnd, Settled, Tail
from simul.session.transcript import Transcript, settled_text


def settled(text: str, language: str = "de") -> Settled:
    return Settled(0, text, (text,), 100, 1.0, language=language)


def ended(text: str, language: str = "de") -> SegmentEnd:
    return SegmentEnd(0, 0, 100, text, "pause", 100, 1.0, language=language)


def test_a_further_segment_begins_with_a_space_where_the_language_has_spaces() -> None:
    for language, whole in (("de", "Ja. Nein."), ("ja", "Ja.Nein."), ("ja-JP", "Ja.Nein.")):
        events = [settled("Ja.", language), ended("Ja.", language), settled("Nein.", language)]
        assert settled_text(events) == whole
        old = [replace(event, language="") for event in events]
        assert settled_text(old, language) == whole


@pytest.mark.parametrize("second", [" Nein", "Nein"])
def test_a_word_settled_in_parts_is_not_torn_after_a_segment(second: str) -> None:
    events = [settled("Ja"), ended("Ja"), settled(second), settled("heit")]
    assert settled_text(events) == "Ja Neinheit"


def test_a_border_before_any_text_adds_nothing() -> None:
    assert settled_text([ended(""), settled("Ja"), ended("Ja"), ended(""), settled("so")]) == "Ja so"


def test_retractions_take_the_end_away() -> None:
    transcript = Transcript()
    text = ""
    for event in (settled("Ja gut"), Retract(0, 4, 1, 100, 1.0), settled(" so")):
        text = transcript.push(event).apply(text)
    assert (text, transcript.line, transcript.retracted) == ("Ja so", "Ja so", 4)


def test_what_is_taken_back_is_counted_and_may_be_all() -> None:
    transcript = Transcript()
    transcript.push(settled("Ja"))
    for text in ("so", ""):
        transcript.push(Retract(0, 2, 1, 100, 1.0))
        assert transcript.line == ""
        transcript.push(settled(text))
    assert transcript.retracted == 4


def test_nothing_stands_before_the_first_event() -> None:
    transcript = Transcript()
    assert (transcript.line, transcript.tail, transcript.source, transcript.end) == ("", "", None, None)
    assert (transcript.segments, transcript.retracted) == ([], 0)


def test_what_is_open_is_forgotten_when_the_segment_ends() -> None:
    transcript = Transcript()
    transcript.push(settled(" Ja"))
    transcript.push(Tail(0, " gut", 100, 1.0, "yes good"))
    assert (transcript.line, transcript.tail, transcript.source) == ("Ja", " gut", "yes good")
    event: Event = ended("Ja gut")
    assert transcript.push(event).closed is event
    assert (transcript.line, transcript.tail, transcript.source) == ("", "", None)
    assert [segment.text for segment in transcript.segments] == ["Ja gut"]
    end = End(100, 0, 1, 2, 3, 0, 1.0)
    transcript.push(end)
    assert transcript.end is end
