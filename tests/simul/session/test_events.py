"""The schema: every event survives JSON, schema 1 is read, and what is wrong is named."""

from __future__ import annotations

import json

import pytest

from simul.errors import SimulError
from simul.session.events import (
    KINDS,
    End,
    Error,
    Lag,
    Late,
    Retract,
    SegmentEnd,
    Settled,
    Skipped,
    Speech,
    SpokenIn,
    Start,
    Tail,
    TimedWord,
    from_dict,
    from_json,
)

WORD = TimedWord("Haus", 0, 1600, 0.5, 2, True)
EVENTS = (
    Start("en", "de", "offline", "whisper", 16_000, 8000, stream="hall"),
    Settled(1, " Haus", (" Haus",), 1600, 0.5, ((0, 1600),), "agreed", True, (WORD,), (TimedWord("house"),)),
    Tail(1, " Haus", 1600, 0.5, "house", (WORD,), (TimedWord("house", 3, 4),), stream="hall", language="de"),
    Retract(1, 4, 1, 1600, 0.5),
    SegmentEnd(1, 0, 1600, "Haus", "pause", 1600, 0.5, "house", (TimedWord("house"),)),
    Speech(1, "Haus", 100, 22_050, 0.5, 0.6, 0, 1600, "AAA="),
    SpokenIn("de", "en", 1600, 0.5),
    Lag(2.5, 1600, 0.5),
    Skipped(0, 100, "noise", 0.5),
    Late(3, 1600, "computing is behind", 0.5),
    Error("it broke", 0.5),
    End(1600, 0, 1, 2, 3, 4, 0.5, 6),
)


def test_every_kind_is_listed() -> None:
    assert {type(event) for event in EVENTS} == set(KINDS.values())


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.type)
def test_an_event_survives_json(event: object) -> None:
    line = event.to_json()  # type: ignore[attr-defined]
    assert json.loads(line)["v"] == 2
    assert from_json(line) == event


def test_of_a_word_only_what_is_known_is_written_and_nought_is_known() -> None:
    tail = Tail(0, "Haus", 0, 0.0, words=(TimedWord("Haus", 0, None, 0.0),))
    assert tail.to_dict()["words"] == [{"text": "Haus", "start": 0, "confidence": 0.0}]


def test_events_of_schema_1_are_read() -> None:
    line = '{"v": 1, "type": "tail", "segment": 0, "text": " Haus", "heard": 8000, "time": 1.5, "source": "house"}'
    assert from_json(line) == Tail(0, " Haus", 8000, 1.5, "house")
    end = {"v": 1, "type": "end", "heard": 9, "skipped": 0, "segments": 1, "tokens": 2, "passes": 3}
    assert from_dict({**end, "bad_samples": 0, "time": 2.0}) == End(9, 0, 1, 2, 3, 0, 2.0)


def test_unknown_keys_of_later_schemas_are_passed_over() -> None:
    data = {**EVENTS[1].to_dict(), "v": 3, "mood": "calm"}
    data["words"][0]["pitch"] = 200
    assert from_dict(data) == EVENTS[1]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"type": "song"}', "Unknown event type 'song'"),
        ('{"type": "lag"}', "Incomplete lag event"),
        ("[1]", "no object"),
        ("{", "Not a JSON event"),
    ],
)
def test_what_is_no_event_is_named(line: str, said: str) -> None:
    with pytest.raises(SimulError, match=said):
        from_json(line)


def test_a_line_keeps_letters_as_they_are_written() -> None:
    assert '"Grüße"' in Error("Grüße", 0.0).to_json()


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"type": ["x"]}, "of list"),
        ({}, "of NoneType"),
        ({"type": "no-such"}, "'no-such'"),
        ({"type": "x" * 90}, "'" + "x" * 39),
    ],
)
def test_a_kind_that_is_not_known_is_named_with_those_that_are(data: dict[str, object], said: str) -> None:
    with pytest.raises(SimulError) as refused:
        from_dict(data)
    assert str(refused.value) == f"Unknown event type {said}; known are {', '.join(KINDS)}."


def test_a_line_that_is_no_object_is_named() -> None:
    with pytest.raises(SimulError) as refused:
        from_json("[1]")
    assert str(refused.value) == "Not a JSON event: the line is no object."
