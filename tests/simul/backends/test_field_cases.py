"""Recordings that users reported, on whisper-base as it comes: repeated words, pauses, noise, one word, no pause."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from rapidfuzz.distance import Levenshtein

from simul.audio.container import Listening
from simul.audio.files import FileSource
from simul.captions import Cue, CueMaker
from simul.clock import VirtualClock
from simul.config import ModelConfig, StreamOptions
from simul.evaluation.word_errors import normalise
from simul.session.drive import drive
from simul.session.events import Event, SegmentEnd
from simul.session.factory import SessionFactory
from simul.units import SAMPLE_RATE
from tests.vectors import beside

SAID = """The committee met on Monday and talked about the new bridge over the river and the cost of the stone and the
wood and
the iron and the people who live near the bank said that they want a path for walking and another path for riding and
the mayor said that the town has money for one of them but not for both and then a woman from the school stood up and
said that the children cross the road every morning and that it is not safe and she asked for a light and for a sign
and the mayor promised that a light would come before winter and that the sign would come next week and after that they
spoke about the market and the price of fish and bread and about the noise of the trains at night and the doctor said
that the old people cannot sleep when the trains pass and that the company should make them slow down near the houses"""


@pytest.fixture(scope="module")
def factory(whisper_base_folder: Path) -> SessionFactory:
    return SessionFactory(
        StreamOptions(source="en", target="en"), ModelConfig(model=str(whisper_base_folder), threads=1)
    )


def segments(factory: SessionFactory, name: str, listening: Listening | None = None) -> list[SegmentEnd]:
    clock, events = VirtualClock(), list[Event]()
    with factory(clock) as session:
        for step in drive(FileSource(beside("cases") / name, listening=listening), session, clock):
            events += step.events
    return [event for event in events if isinstance(event, SegmentEnd)]


def words(found: list[SegmentEnd]) -> list[str]:
    return normalise(" ".join(segment.text for segment in found))


@pytest.mark.parametrize(
    ("name", "word", "rounds", "rest"),
    [
        ("repeated-word-1.wav", "no", 15, "please open the window and then close the door"),
        ("repeated-word-2.wav", "bye", 13, "please open the window and then close the door"),
        ("repeated-word-3.wav", "fill", 10, "please open the window and then close the door"),
    ],
)
def test_what_follows_a_word_said_many_times_is_written(
    factory: SessionFactory, name: str, word: str, rounds: int, rest: str
) -> None:
    said = words(segments(factory, name))
    assert rest in " ".join(said)
    # With another processor's arithmetic the model hears three of thirteen; that is its affair, loops are ours.
    assert 2 <= said.count(word) <= rounds + 3


def test_nothing_is_invented_in_a_noisy_pause(factory: SessionFactory) -> None:
    first, second = segments(factory, "long-pause-noise.ogg")
    assert "bring your ticket" in first.text
    assert second.start / SAMPLE_RATE == pytest.approx(50.6, abs=1)
    assert "three days" in second.text


def test_a_melody_is_no_text(factory: SessionFactory) -> None:
    assert segments(factory, "melody.ogg") == []


def test_one_short_word_is_heard(factory: SessionFactory) -> None:
    assert words(segments(factory, "one-word.wav")) == ["yes"]


@pytest.mark.long
def test_speech_without_a_pause_loses_and_doubles_nothing_at_the_limit(factory: SessionFactory) -> None:
    """Of 39 s, which are cut at 29 s at the latest."""
    said = words(segments(factory, "no-pause-39s.opus"))
    assert Levenshtein.distance(said, normalise(SAID)) <= 4


def test_dialogue_of_surround_sound_is_heard_through_the_mix_and_whole_in_its_channel(
    factory: SessionFactory,
) -> None:
    """Noise in four channels at 2.6 dB below the speech after the mix of broadcasters."""
    said = normalise("Good morning the train to the leaves at please bring your ticket and a warm coat")
    mixed = words(segments(factory, "surround-dialogue.mkv"))
    assert sum(word in mixed for word in said) > len(said) / 2
    alone = words(segments(factory, "surround-dialogue.mkv", Listening(channel="centre")))
    assert sum(word in alone for word in said) >= len(said) - 1


@pytest.mark.long
def test_subtitles_of_fast_speech_end_with_it(whisper_base_folder: Path) -> None:
    offline = SessionFactory(
        StreamOptions(source="en", target="en", policy="offline"),
        ModelConfig(model=str(whisper_base_folder), threads=1),
    )
    clock, maker, cues = VirtualClock(), CueMaker("en", "en"), list[Cue]()
    with offline(clock) as session:
        for step in drive(FileSource(beside("cases", "fast-speech.ogg")), session, clock):
            for event in step.events:
                cues += maker.push(event)
    cues += maker.finish()
    assert len(cues) > 6
    assert cues[-1].start < 30.3
    assert cues[-1].end < 32
    assert all(cue.end <= after.start for cue, after in pairwise(cues))


def test_silence_gives_no_segment(factory: SessionFactory) -> None:
    assert segments(factory, "silent.wav") == []
