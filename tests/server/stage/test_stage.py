"""Captions of a talk: every line once in every language that is watched, in order, and never an empty screen."""

from __future__ import annotations

import json

import pytest
from jsonschema import Draft202012Validator

from server import protocol as p
from server.codec import CloseCode, encode
from server.stage.messages import Caption, CaptionTail, WatchReady, WatchState
from server.stage.stage import Stage
from tests.server.proof import expected
from tests.server.rig import SCHEMA, Rig, noise

TO_AUDIENCE = Draft202012Validator({**SCHEMA, "oneOf": [{"$ref": "#/$defs/watch"}]})


class Seat:
    """A watcher that keeps what it is shown, by the rule: a caption takes the place of one with its number."""

    def __init__(self) -> None:
        self.messages: list[p.ServerMessage] = []

    def tell(self, message: p.ServerMessage) -> None:
        TO_AUDIENCE.validate(json.loads(encode(message)))
        self.messages.append(message)

    def captions(self) -> list[Caption]:
        return [message for message in self.messages if isinstance(message, Caption)]

    def lines(self) -> list[str]:
        return [text for _, text in sorted({c.line: c.text for c in self.captions()}.items())]


class Talk:
    """A stage with a translator that answers when it is told to."""

    def __init__(self, *languages: str) -> None:
        self.asked: list[tuple[int, str, str]] = []
        self.stage = Stage(languages or ("en", "de", "fr"), lambda *job: self.asked.append(job))
        self.now = 0.0
        self.t = 0

    def seat(self, language: str, after: int | None = None) -> Seat:
        seat = Seat()
        assert self.stage.watch(seat, language, after, self.now)
        return seat

    def say(self, text: str, tail: str = "", segment: int = 0) -> None:
        self.t += 1000
        self.stage.heard(p.SettledText("source", segment, text, "en", self.t - 1000, self.t, tail), self.now)

    def end_segment(self) -> None:
        self.stage.heard(p.SegmentDone("source", 0, "", "en", 0, self.t, "pause"), self.now)

    def translate(self) -> None:
        jobs, self.asked = self.asked, []
        for number, text, code in jobs:
            self.stage.translated(number, code, f"{code}:{text}", self.now)


def test_sentences_are_lines_and_the_rest_waits_for_the_end_of_its_segment() -> None:
    talk = Talk()
    seat = talk.seat("en")
    talk.say("Good evening. My name is Mr.")
    assert seat.lines() == ["Good evening."]
    talk.say(" Smith. And")
    assert seat.lines() == ["Good evening.", "My name is Mr. Smith."]
    talk.say(" so it goes")
    talk.end_segment()
    assert seat.lines()[-1] == "And so it goes"
    assert [c.t0 for c in seat.captions()] == sorted(c.t0 for c in seat.captions())


def test_a_line_is_translated_once_for_all_who_watch_and_not_for_languages_nobody_watches() -> None:
    talk = Talk()
    seats = [talk.seat("de") for _ in range(3)]
    talk.say("Good evening. Well")
    assert talk.asked == [(0, "Good evening.", "de")]
    talk.translate()
    assert [seat.lines() for seat in seats] == [["de:Good evening."]] * 3
    assert {c.language for seat in seats for c in seat.captions()} == {"de"}


def test_nobody_watching_costs_nothing() -> None:
    talk = Talk()
    talk.say("Good evening. Well")
    assert talk.asked == []


def test_who_joins_late_sees_the_last_minutes_first_as_they_were_said() -> None:
    talk = Talk()
    talk.say("One. Two. Three")
    talk.now = 200.0
    talk.say(" four. Five")
    seat = talk.seat("fr")
    assert [(c.text, c.stand_in, c.language) for c in seat.captions()] == [("Three four.", True, "en")]
    talk.translate()
    assert seat.lines() == ["fr:Three four."]


def test_where_a_translation_is_late_the_line_stands_in_for_it() -> None:
    talk = Talk()
    seat = talk.seat("de")
    talk.say("Good evening. Well")
    talk.now = 1.0
    talk.stage.tick(talk.now)
    assert seat.captions() == []
    talk.now = 2.5
    talk.stage.tick(talk.now)
    talk.stage.tick(talk.now)
    assert [(c.text, c.language, c.stand_in) for c in seat.captions()] == [("Good evening.", "en", True)]
    talk.translate()
    assert seat.captions()[-1].text == "de:Good evening."
    assert seat.captions()[-1].line == seat.captions()[0].line


def test_a_translation_that_fails_leaves_the_line_as_it_was_said() -> None:
    talk = Talk()
    seat = talk.seat("de")
    talk.say("Good evening. Well")
    talk.stage.translated(0, "de", "", 0.0)
    assert [(c.text, c.stand_in) for c in seat.captions()] == [("Good evening.", True)]


@pytest.mark.parametrize("missed", [0, 1, 3, 6])
def test_who_comes_back_with_the_last_number_sees_each_line_once(missed: int) -> None:
    talk = Talk()
    seat = talk.seat("de")
    for number in range(6):
        if number == 6 - missed:
            talk.stage.leave(seat)
            stay = talk.seat("de")
        talk.say(f" Line {number}. X")
        talk.translate()
    if not missed:
        talk.stage.leave(seat)
    last = seat.captions()[-1].event if seat.captions() else None
    again = talk.seat("de", last)
    again.messages[:0] = seat.messages
    events = [c.event for c in again.captions()]
    assert events == sorted(set(events))
    assert len(again.lines()) == 6
    if missed:
        talk.stage.leave(stay)


def test_who_comes_back_sees_what_was_said_while_nobody_watched_the_language() -> None:
    talk = Talk("en", "de")
    seat = talk.seat("de")
    talk.say("One.")
    talk.end_segment()
    talk.translate()
    last = seat.captions()[-1].event
    talk.stage.leave(seat)
    talk.say(" Two.")
    talk.end_segment()
    again = talk.seat("de", after=last)
    assert [(c.text, c.stand_in) for c in again.captions()] == [("Two.", True)]
    talk.translate()
    assert again.captions()[-1].line == 1
    assert not again.captions()[-1].stand_in


def test_what_is_being_said_is_shown_in_the_language_spoken_only() -> None:
    talk = Talk()
    spoken, other = talk.seat("en"), talk.seat("de")
    talk.say("Well", tail=" I think")
    assert [m.text for m in spoken.messages if isinstance(m, CaptionTail)] == ["Well I think"]
    assert not [m for m in other.messages if isinstance(m, CaptionTail)]


def test_a_very_long_sentence_is_cut() -> None:
    talk = Talk()
    seat = talk.seat("en")
    talk.say("word " * 100)
    assert len(seat.lines()) >= 2
    assert all(len(line) <= 240 for line in seat.lines())
    talk.end_segment()
    assert " ".join(seat.lines()).split() == ["word"] * 100


def test_captions_as_webvtt() -> None:
    talk = Talk()
    talk.seat("de")
    talk.say("Less < more. Then")
    talk.translate()
    assert talk.stage.webvtt("de") == "WEBVTT\n\n1\n00:00:00.000 --> 00:00:01.000\nde:Less &lt; more.\n"


def test_an_unknown_language_cannot_be_watched() -> None:
    assert not Talk().stage.watch(Seat(), "xx", None, 0.0)


def test_a_stage_in_a_server() -> None:
    """Speaker, audience and workers together: what is said comes out in both languages, whole and in order."""
    rig = Rig(workers=2)
    rig.host.stage = Stage(("en", "de", "fr"), rig.host.translate)
    seats = {code: Seat() for code in ("en", "de", "fr")}
    for code, seat in seats.items():
        rig.host.stage.watch(seat, code, None, rig.clock.now())
        assert seat.messages == [
            WatchReady(
                seat.messages[0].languages,  # type: ignore[attr-defined]
                "en",
                code,
                False,
            )
        ]
    audio = noise(7.3)
    speaker = rig.connect().say(p.SessionStart(targets=("de",))).play(audio)
    second = rig.connect().say(p.SessionStart())
    assert second.closed is not None
    assert second.closed[0] == CloseCode.QUOTA
    speaker.say(p.SessionClose())
    assert " ".join(seats["en"].lines()) == expected(audio)
    assert " ".join(seats["de"].lines()) == expected(audio, "de")
    assert " ".join(seats["fr"].lines()) == expected(audio, "fr")
    states = [m.live for m in seats["de"].messages if isinstance(m, WatchState)]
    assert states == [True, False]
    assert rig.connect().say(p.SessionStart()).of(p.SessionReady)
