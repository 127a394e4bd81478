"""Admission by measurement: costs are known before the first stream comes, and streams beyond the limit are refused."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from policies import LocalAgreement
from simul.backends.base import StreamSpec
from simul.backends.scripted import ScriptedBackend, ScriptedState
from simul.clock import VirtualClock
from simul.engine import (
    Decided,
    EngineThread,
    Ladder,
    MeasuredAdmission,
    OverloadedError,
    StreamEngine,
    Terms,
    warm_up,
)
from simul.engine.admission import refusal
from simul.engine.ladder import Rung
from simul.session import SessionConfig
from simul.session.events import Event
from simul.units import Samples
from tests.policies.scripts import CHUNK
from tests.simul.session.test_session import TALK

CONFIG = SessionConfig(chunk=CHUNK)


def slow(clock: VirtualClock, each: float) -> ScriptedBackend:
    """A pass takes 10 ms and `each` for every stream."""
    return ScriptedBackend(TALK, on_decode=lambda size: clock.advance(0.01 + each * size))


def warm(each: float) -> StreamEngine:
    clock = VirtualClock()
    backend = slow(clock, each)
    speech = np.zeros(8 * CHUNK, np.float32)
    engine = warm_up(backend, lambda: LocalAgreement(2), CONFIG, speech, clock.now)
    assert backend.streams == ()
    return engine


def test_costs_are_measured_before_the_first_stream_comes() -> None:
    engine = warm(0.04)
    assert engine.costs.predict(1, CHUNK) == pytest.approx(0.05)
    assert engine.costs.predict(4, CHUNK) == pytest.approx(0.17, abs=0.02)
    # A decision of about 45 ms for half a second of audio.
    assert engine.meter.per_second == pytest.approx(0.09, abs=0.02)


def test_what_is_measured_is_the_whole_speech_chunk_by_chunk_as_streams_will_be_asked_for() -> None:
    class Told(ScriptedBackend):
        def _start(self, spec: StreamSpec) -> ScriptedState:
            asked.append(spec)
            return super()._start(spec)

        def push(self, stream: int, samples: Samples) -> None:
            pushed.setdefault(stream, []).append(samples)
            super().push(stream, samples)

    asked: list[StreamSpec] = []
    pushed: dict[int, list[Samples]] = {}
    clock, config = VirtualClock(), SessionConfig("en", "es", CHUNK // 2)
    backend = Told(TALK, on_decode=lambda size: clock.advance(0.1))
    speech = np.arange(3 * CHUNK + 100, dtype=np.float32) / 1e6
    engine = warm_up(backend, lambda: LocalAgreement(2), config, speech, clock.now, sizes=(1, 2))
    assert asked == [StreamSpec("en", "es")] * 3
    for pieces in pushed.values():
        assert [len(piece) for piece in pieces] == [CHUNK // 2] * 6
        np.testing.assert_array_equal(np.concatenate(pieces), speech[: 3 * CHUNK])
    assert engine.meter.busy > 0
    assert engine.meter.offered == 0, "what is measured is not what is asked for"


def test_streams_are_admitted_up_to_the_limit_and_then_refused_in_words() -> None:
    engine = warm(0.04)
    admission = MeasuredAdmission(engine, limit=0.7)
    count = 0
    while (said := admission.refusal(CONFIG, 1, Terms())) is None:
        engine.open(LocalAgreement(2), CONFIG)
        count += 1
    assert count == int(0.7 / engine.meter.per_second)
    assert f"{count} streams use" in said
    assert admission.refusal(CONFIG, 1, Terms(live=False)) is None
    full = MeasuredAdmission(engine, most=count).refusal(CONFIG, 1, Terms(live=False))
    assert full is not None
    assert f"serves {count} streams at once" in full
    assert MeasuredAdmission(engine, most=count + 1).refusal(CONFIG, 1, Terms(live=False)) is None
    assert MeasuredAdmission(engine, limit=0.9).refusal(CONFIG, 1, Terms()) is None
    assert "5% may be used" in (MeasuredAdmission(engine, limit=0.05).refusal(CONFIG, 1, Terms()) or "")


def test_a_thread_refuses_what_its_admission_does() -> None:
    engine = warm(2.0)
    with (
        EngineThread(engine, admission=MeasuredAdmission(engine)) as thread,
        pytest.raises(OverloadedError, match="too slow"),
    ):
        thread.open(LocalAgreement(2), CONFIG)


def run(
    ladder: Ladder | None,
    each: float,
    streams: int,
    decided: Callable[[Decided], None] = lambda decided: None,
) -> tuple[list[Event], StreamEngine]:
    """Streams of twenty seconds in real time; the events of the first one."""
    clock = VirtualClock()
    engine = StreamEngine(slow(clock, each), ladder=ladder, on_decision=decided)
    numbers = [engine.open(LocalAgreement(2), CONFIG, 0.0) for _ in range(streams)]
    events: list[Event] = []
    for chunk in range(1, 41):
        clock.sleep_until(chunk * 0.5)
        for number in numbers:
            engine.push(number, np.zeros(CHUNK, np.float32), chunk * 0.5)
        while engine.ready and clock.now() < (chunk + 1) * 0.5:
            events += engine.step(clock.now).get(numbers[0], [])
    return events, engine


def test_the_ladder_makes_decisions_rarer_while_too_much_is_asked_for_and_says_so() -> None:
    events, engine = run(Ladder(), 0.05, 12)
    assert engine.ladder is not None
    assert engine.ladder.level == 2, "the first level is not enough for what had piled up"
    reasons = {event.reason for event in events if event.type == "late"}  # type: ignore[attr-defined]
    assert any("less often" in reason for reason in reasons)
    calm, engine = run(Ladder(), 0.01, 4)
    assert engine.ladder is not None
    assert engine.ladder.level == 0
    assert not [event for event in calm if event.type == "late"]


def test_of_three_chunks_two_are_decided_on_at_the_level_for_that() -> None:
    found: list[Decided] = []
    events, _ = run(Ladder([Rung("two of three", 1.0, (1, 2))]), 0.001, 1, found.append)
    assert [each.ready for each in found] == pytest.approx([n / 2 for n in range(1, 41) if n % 3 != 1])
    passed = [event for event in events if event.type == "late"]
    assert len(passed) == 13


def test_a_stream_that_just_fits_is_taken() -> None:
    assert refusal(2, 0.5, 0.25, limit=0.75) is None


def test_a_refusal_says_what_it_would_come_to() -> None:
    assert refusal(0, 0.25, 0.75, limit=0.5) == (
        "This machine is too slow for the stream: it would take 100% of it, and 50% may be used; choose a smaller "
        "model or a longer chunk."
    )
    assert refusal(3, 0.5, 0.25, limit=0.5) == (
        "This machine is full: 3 streams use 50% of it, one more would make 75%, and 50% may be used; try again when "
        "one has ended."
    )
