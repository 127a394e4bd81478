"""Streams of windowed backends that move: what faults and languages left behind goes along, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from policies.local_agreement import LocalAgreement
from simul.backends.base import Backend, StreamSpec
from simul.backends.scripted import ScriptedBackend
from simul.backends.whisper import WhisperBackend
from simul.clock import VirtualClock
from simul.errors import UsageError
from simul.session import Session, SessionConfig
from simul.session.events import Event
from tests.simul.backends.scripted_whisper import DEAF, ECHOES, LOOPS, RATE, UNIT, Scripted, Speech, speech
from tests.simul.backends.streams import hear, moved

PAUSE = np.zeros(RATE, np.float32)
BOTH = frozenset({"en", "de"})
TALKS = {
    "a loop": [speech([1, 2, 3, LOOPS, 4, 5, 6, 9, 10, 11])],
    "an early end": [speech([1, 2, DEAF, 4, 5, 6, 9, 10, 11, 12])],
    "an echo": [speech([1, 2, 3]), PAUSE, speech([ECHOES, 4, 5, 9, 10]), PAUSE, speech([11, 12, 13])],
    "languages": [speech(range(10, 22)), PAUSE, speech(range(50, 62)), PAUSE, speech(range(62, 75))],
}


def whisper() -> WhisperBackend:
    return WhisperBackend(Scripted(BOTH), activity=Speech)


@pytest.mark.parametrize("talk", TALKS)
def test_what_faults_and_languages_left_behind_moves_with_the_stream(talk: str) -> None:
    sound = np.concatenate(TALKS[talk])

    def events(moves: Callable[[int], bool]) -> list[Event]:
        config = SessionConfig("auto", "auto", UNIT)
        session = Session(LocalAgreement(2), whisper(), VirtualClock(), config)
        found = []
        for number, begin in enumerate(range(0, len(sound), UNIT)):
            found += session.feed(sound[begin : begin + UNIT])
            if moves(number):
                session = moved(session, whisper)
        return found + session.finish()

    expected = events(lambda number: False)
    assert any(event.type == "settled" for event in expected)
    assert events(lambda number: True) == expected
    assert events(lambda number: number % 3 == 1) == expected


def exported(backend: Backend[Any]) -> Any:
    stream = backend.open(StreamSpec("en", "en"))
    hear(backend, stream, speech([1, 2]))
    return backend.export_state(stream)


def test_what_was_heard_and_not_judged_yet_and_the_end_move_too() -> None:
    one, other = whisper(), whisper()
    stream = one.open(StreamSpec("en", "en"))
    one.push(stream, speech([1, 2]))
    one.end(stream)
    twin = other.import_state(one.export_state(stream))
    for backend, number in ((one, stream), (other, twin)):
        backend.advance([number])
    assert other.view(twin) == one.view(stream)
    assert other.view(twin).finished
    assert other.view(twin).heard == 2 * UNIT


def test_an_exported_state_does_not_change_with_the_stream() -> None:
    backend = whisper()
    stream = backend.open(StreamSpec("en", "en"))
    hear(backend, stream, speech([1, 2]))
    backend.push(stream, speech([3]))
    kept, again = backend.export_state(stream), backend.export_state(stream)
    hear(backend, stream, speech([4]))
    backend.state(stream).audio.cut(0, UNIT)[:] = 0
    np.testing.assert_equal(kept, again)


def test_a_state_of_another_model_is_refused_with_both_named() -> None:
    other = whisper()
    other.model.folder = Path("another")
    with pytest.raises(UsageError, match=r"from whisper scripted with voice .* this is whisper another with"):
        other.import_state(exported(whisper()))
    timed = WhisperBackend(Scripted(BOTH), timestamps=True, activity=Speech)
    with pytest.raises(UsageError, match=r"this is whisper scripted with voice .* and timed segments"):
        timed.import_state(exported(whisper()))
    deaf = WhisperBackend(Scripted(BOTH), activity=None)
    with pytest.raises(UsageError, match="this is whisper scripted without voice"):
        deaf.import_state(exported(whisper()))
    with pytest.raises(UsageError, match="from another backend, and this is whisper"):
        whisper().import_state(exported(ScriptedBackend(())))


def test_a_damaged_state_is_refused_with_what_is_wrong_and_opens_no_stream() -> None:
    state, backend = exported(whisper()), whisper()
    with pytest.raises(UsageError, match="decoded_at is 'x', not a whole number; export it again"):
        backend.import_state({**state, "decoded_at": "x"})
    for missing in ("spec", "audio"):
        with pytest.raises(UsageError, match=f"it has no {missing}; export"):
            backend.import_state({name: value for name, value in state.items() if name != missing})
    with pytest.raises(UsageError, match="'xx' is not served"):
        backend.import_state({**state, "spec": {"source": "xx", "target": "en"}})
    assert backend.streams == ()


def test_a_stream_that_failed_cannot_leave() -> None:
    backend = whisper()
    stream = backend.open(StreamSpec("en", "en"))

    def broken(frames: np.ndarray) -> list[bool]:
        raise RuntimeError("no memory left")

    backend.state(stream).audio._activity = broken  # type: ignore[assignment]
    with pytest.raises(RuntimeError, match="no memory left"):
        hear(backend, stream, speech([1]))
    with pytest.raises(RuntimeError, match="no memory left"):
        backend.export_state(stream)
