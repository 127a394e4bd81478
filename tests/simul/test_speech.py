"""Speech of settled text: events among a session's, and a speech engine that fails at any call harms no text."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies import LocalAgreement
from simul.backends.scripted import ScriptedBackend
from simul.clock import VirtualClock
from simul.errors import UsageError
from simul.session import Session, SessionConfig
from simul.session.drive import Step, drive
from simul.session.events import Event, Speech
from simul.speech import SpeechOutput
from tests.policies.scripts import CHUNK, script
from tests.simul.session.test_drive import pieces
from tts import Speaker, SpeechUnit, SynthesizedSpeech, ToneEngine, TtsError


class Failing(ToneEngine):
    """Raises at its call number `at`, and from there on where `for_good`; counts its calls."""

    def __init__(self, at: int, error: Exception, for_good: bool) -> None:
        super().__init__(per_character=0.01)
        self.calls: list[str] = []
        self.fails: Callable[[int], bool] = lambda n: n >= at if for_good else n == at
        self.error = error

    def synthesize(self, text: str, speed: float = 1.0) -> SynthesizedSpeech:
        self.calls.append(text)
        if self.fails(len(self.calls)):
            raise self.error
        return super().synthesize(text, speed)


def steps(seed: int) -> list[Step]:
    segments, samples = script(seed, words=True)
    clock = VirtualClock()
    session = Session(LocalAgreement(2), ScriptedBackend(segments), clock, SessionConfig(chunk=CHUNK))
    return list(drive(pieces(-(-samples // CHUNK)), session, clock))


def text(found: list[Step]) -> list[list[Event]]:
    return [[event for event in step.events if not isinstance(event, Speech)] for step in found]


def speech(found: list[Step]) -> list[Speech]:
    return [event for step in found for event in step.events if isinstance(event, Speech)]


@given(
    seed=st.integers(0, 300),
    at=st.integers(1, 12),
    error=st.sampled_from([TtsError("no such sound"), RuntimeError("no memory left"), KeyError("x")]),
    for_good=st.booleans(),
)
def test_an_engine_that_fails_at_any_call_harms_no_text_and_is_told_once(
    seed: int, at: int, error: Exception, for_good: bool
) -> None:
    engine, warnings, played = Failing(at, error, for_good), list[str](), list[SpeechUnit]()
    output = SpeechOutput(Speaker(engine), [played.append], warn=warnings.append)
    silent = steps(seed)
    voiced = [output.voiced(step) for step in silent]
    assert text(voiced) == text(silent)
    failed = [call for n, call in enumerate(engine.calls, 1) if engine.fails(n)]
    assert len(warnings) == bool(failed)
    assert len(speech(voiced)) == len(played) == len(engine.calls) - len(failed)
    assert [event.text for event in speech(voiced)] == [unit.text for unit in played]


def test_speech_says_every_settled_word_at_its_moment() -> None:
    played: list[SpeechUnit] = []
    output = SpeechOutput(Speaker(ToneEngine(per_character=0.01)), [played.append])
    silent = steps(4)
    voiced = [output.voiced(step) for step in silent]
    settled = "".join(event.text for step in silent for event in step.events if event.type == "settled")  # type: ignore[attr-defined]
    assert settled.split()
    assert " ".join(event.text for event in speech(voiced)).split() == settled.split()
    ends = 0.0
    for event, unit in zip(speech(voiced), played, strict=True):
        assert (event.samples, event.rate, event.onset) == (len(unit.samples), unit.rate, unit.onset)
        assert event.onset >= max(ends, event.time) - 1e-4
        ends = event.onset + event.samples / event.rate


def test_text_that_may_be_taken_back_is_not_spoken() -> None:
    with pytest.raises(UsageError, match="cannot be taken back"):
        SpeechOutput(Speaker(ToneEngine()), [], revises=True)
