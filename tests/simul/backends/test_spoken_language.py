"""The Whisper backend finds out which language is spoken, and says when another one is spoken than it was told."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from policies.local_agreement import LocalAgreement
from simul.backends.whisper import WhisperBackend
from simul.clock import VirtualClock
from simul.errors import UsageError
from simul.session import Session, SessionConfig
from simul.session.events import Event, SegmentEnd, Settled, SpokenIn, Tail
from tests.simul.backends.scripted_whisper import RATE, UNIT, Scripted, Speech, speech

BOTH = frozenset({"en", "de"})
PAUSE = np.zeros(RATE, np.float32)
ENGLISH, GERMAN = (
    [10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21],
    [50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61],
)


def heard(source: str, target: str, *parts: Sequence[int]) -> tuple[list[Event], Scripted]:
    model = Scripted(BOTH)
    config = SessionConfig(source, target, UNIT)
    session = Session(LocalAgreement(2), WhisperBackend(model, activity=Speech), VirtualClock(), config)
    sound = np.concatenate([piece for words in parts for piece in (speech(words), PAUSE)])
    return session.feed(sound) + session.finish(), model


def spoken(events: Sequence[Event]) -> list[tuple[str, str]]:
    return [(event.spoken, event.expected) for event in events if isinstance(event, SpokenIn)]


def test_the_language_is_found_out_before_anything_is_written() -> None:
    events, model = heard("auto", "auto", GERMAN)
    assert spoken(events) == [("de", "")]
    told = [event.type for event in events]
    assert told.index("spoken") < min(told.index("tail"), told.index("settled"))
    assert {event.language for event in events if isinstance(event, (Settled, Tail, SegmentEnd))} == {"de"}
    (end,) = (event for event in events if isinstance(event, SegmentEnd))
    assert end.text.split() == [f"w{word}" for word in GERMAN]
    task = model.tokens.task("de", "de")
    assert all(prompt.head[: len(task)] == task for prompt in model.prompts[:1])


def test_speech_found_out_is_translated_into_english() -> None:
    _, model = heard("auto", "en", GERMAN)
    assert all(model.tokens.task("de", "en") == prompt.head[-4:-1] for prompt in model.prompts)


def test_another_language_is_believed_when_it_lasts() -> None:
    events, model = heard("auto", "auto", ENGLISH, GERMAN, GERMAN)
    assert spoken(events) == [("en", ""), ("de", "")]
    assert {e.language for e in events if isinstance(e, SegmentEnd)} == {"en", "de"}
    # Each segment is looked at after 1, 2 and 5 s, and not again.
    assert len(model.asked) <= 9


def test_one_doubtful_look_changes_nothing() -> None:
    events, _ = heard("auto", "auto", ENGLISH, [50, 51, 52, 53, 10, 11, 12, 13, 14, 15, 16], ENGLISH)
    assert spoken(events) == [("en", "")]


def test_another_language_than_was_told_is_said_and_not_obeyed() -> None:
    events, model = heard("en", "en", GERMAN)
    assert spoken(events) == [("de", "en")]
    assert {prompt.head[1] for prompt in model.prompts} == {model.tokens.task("en", "en")[1]}
    assert spoken(heard("en", "en", ENGLISH)[0]) == []


def test_a_short_utterance_is_enough_at_its_end() -> None:
    events, _ = heard("auto", "auto", [50, 51])
    assert spoken(events) == [("de", "")]
    assert [event.text for event in events if isinstance(event, SegmentEnd)] == ["w50 w51"]


def test_a_model_of_one_language_finds_nothing_out() -> None:
    model = Scripted()
    with pytest.raises(UsageError, match="'auto' is not served"):
        Session(
            LocalAgreement(2),
            WhisperBackend(model, activity=Speech),
            VirtualClock(),
            SessionConfig("auto", "auto"),
        )
