"""Recordings that move to another engine between any two steps, and what an engine tells of one recording."""

from __future__ import annotations

import numpy as np
import pytest

from policies import LocalAgreement
from simul.backends.scripted import ScriptedBackend
from simul.clock import VirtualClock
from simul.engine import StreamEngine, Terms
from simul.errors import SimulError
from simul.session import Session, SessionConfig
from simul.session.events import Event
from tests.policies.scripts import CHUNK
from tests.simul.backends.streams import through_files
from tests.simul.session.test_session import TALK

CONFIG = SessionConfig(chunk=CHUNK)


def piece(count: int = CHUNK) -> np.ndarray:
    return np.zeros(count, np.float32)


def test_a_recording_moves_before_every_step_also_between_a_segment_and_the_next() -> None:
    session, expected = (
        Session(LocalAgreement(2), ScriptedBackend(TALK), VirtualClock(), CONFIG),
        list[Event](),
    )
    for _ in range(8):
        expected += session.feed(piece())
    expected += session.finish()
    engine, events, busy = StreamEngine(ScriptedBackend(TALK)), list[Event](), 0
    number = engine.open(LocalAgreement(2), CONFIG, terms=Terms(live=False))
    for _ in range(8):
        engine.push(number, piece(), 0.0)
    engine.end(number, 0.0)
    while number in engine.open_numbers:
        busy += engine._recordings[number].busy
        stored, before = through_files(engine.dump(number, 0.0)), engine
        engine = StreamEngine(ScriptedBackend(TALK))
        engine.open(LocalAgreement(2), CONFIG)
        number = engine.load(stored, LocalAgreement(2), CONFIG, terms=Terms(live=False))
        before.close(number)
        events += engine.step(lambda: 0.0).get(number, [])
    assert busy, "in some steps a segment was left, and the decision goes on in the next"
    settled = [(e.text, e.segment) for e in expected if e.type == "settled"]  # type: ignore[attr-defined]
    assert [(e.text, e.segment) for e in events if e.type == "settled"] == settled  # type: ignore[attr-defined]
    assert [e.type for e in events if e.type in ("start", "segment", "end")] == [
        e.type for e in expected if e.type in ("start", "segment", "end")
    ]


def test_a_recording_that_moved_keeps_its_time_and_takes_the_terms_of_where_it_is() -> None:
    engine, other = StreamEngine(ScriptedBackend(TALK)), StreamEngine(ScriptedBackend(TALK))
    number = engine.open(LocalAgreement(2), CONFIG, 10.0)
    engine.push(number, piece(), 10.5)
    engine.collect()
    moved = other.load(engine.dump(number, 12.0), LocalAgreement(2), CONFIG, terms=Terms(live=False))
    assert (engine.live, other.live, other.waiting(moved)) == (1, 0, CHUNK)
    other.fail(moved, "The line is dead.", 1.0)
    error = other.collect()[moved][-2]
    assert (error.type, error.message, error.time) == ("error", "The line is dead.", 3.0)  # type: ignore[attr-defined]
    assert other.open_numbers == ()


def test_an_engine_tells_what_was_taken_and_what_waits_and_of_an_end_by_order() -> None:
    told: list[tuple[int, str]] = []

    class Clings(ScriptedBackend):
        def release(self, stream: int) -> None:
            super().release(stream)
            raise RuntimeError("It cannot be let go of.")

    backend, spoilt = Clings(TALK), piece(CHUNK + 100)
    spoilt[0] = np.nan
    engine = StreamEngine(backend, on_failure=lambda number, error: told.append((number, str(error))))
    one, two = engine.open(LocalAgreement(2), CONFIG), engine.open(LocalAgreement(2), CONFIG)
    engine.push(two, spoilt, 0.5)
    engine.step(lambda: 0.5)
    assert (engine.taken(one), engine.taken(two)) == (0, CHUNK)
    assert (engine.waiting(one), engine.waiting(two)) == (0, 100)
    engine.fail(two, "The line is dead.", 0.75)
    assert told == [(two, "The line is dead.")]
    assert (engine.open_numbers, backend.streams) == ((one,), (1,))
    *_, error, end = engine.collect()[two]
    assert (error.type, error.time) == ("error", 0.75)  # type: ignore[attr-defined]
    assert (end.type, end.bad_samples) == ("end", 1)  # type: ignore[attr-defined]
    with pytest.raises(SimulError, match="no open stream"):
        engine.fail(two, "Once more.", 1.0)
