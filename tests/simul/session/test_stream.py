"""The stream core without a backend: what it asks, orders and says, failures, and going on from a stored state."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies import make_policy
from policies.base import Candidate, Decision, Evidence, Policy, SourceView, Word
from simul.backends.base import Limits, StreamSpec
from simul.backends.scripted import LANGUAGES, ScriptedBackend
from simul.clock import VirtualClock
from simul.errors import SimulError
from simul.session import Session, SessionConfig, Stream
from simul.session.events import Event
from simul.session.stream import NextSegment, Trim
from simul.session.streams import carry_out
from simul.units import SAMPLE_RATE
from tests.policies.scripts import CHUNK, script

LIMITS = Limits(LANGUAGES, LANGUAGES, trims=True)
POLICIES = (
    "local-agreement(n=2)",
    "wait-k(unit=word, k=2)",
    "align-att",
    "offline",
    "sliding-window(window_ms=1000)",
    "stream-att(align-att, keep=2)",
    "pause(silence_ms=200)",
)


def stream(policy: str = "local-agreement(n=2)", limits: Limits = LIMITS, **config: object) -> Stream:
    return Stream(make_policy(policy), limits, "none", 7, SessionConfig(**config))  # type: ignore[arg-type]


def kinds(events: list[Event]) -> list[str]:
    return [event.type for event in events]


def test_a_stream_begins_with_its_start_and_asks_for_what_the_policy_plans() -> None:
    core = stream(name="hall")
    (start,) = core.events()
    assert (start.type, start.stream) == ("start", "hall")
    assert core.request(0.0) is None
    view = SourceView(heard=CHUNK, new=CHUNK)
    core.receive(view, 0.5)
    request = core.request(0.5)
    assert request is not None
    assert (request.stream, request.segment, request.until, request.final) == (7, 0, CHUNK, False)
    assert core.request(0.6) is request
    with pytest.raises(SimulError, match="request of the stream is open"):
        core.receive(view, 0.7)


def test_what_two_passes_agree_on_settles_and_the_rest_is_the_tail() -> None:
    core = stream(name="hall")
    for n, tokens in ((1, (" a", " b", " c")), (2, (" a", " b", " x"))):
        core.receive(
            SourceView(n * CHUNK, CHUNK, words=(Word("one", 0, 100), Word("two", 100, 200))), 0.5 * n
        )
        request = core.request(0.5 * n)
        assert request is not None
        spans = np.array([[i * 100, (i + 1) * 100] for i in range(3)])
        core.answer(Candidate(tokens, spans=spans, logprobs=np.log([0.5, 0.25, 0.125])), 0.5 * n + 0.1)
    events = core.events()
    assert kinds(events) == ["start", "tail", "settled", "tail"]
    first, settled, tail = events[1:]
    assert [(w.text, w.stability) for w in first.words] == [("a", 1), ("b", 1), ("c", 1)]  # type: ignore[attr-defined]
    assert settled.text == "a b"  # type: ignore[attr-defined]
    assert [(w.text, w.start, w.end, w.confidence) for w in settled.words] == [  # type: ignore[attr-defined]
        ("a", 0, 100, 0.5),
        ("b", 100, 200, 0.25),
    ]
    assert [w.text for w in settled.source_words] == ["one", "two"]  # type: ignore[attr-defined]
    assert [(w.text, w.stability) for w in tail.words] == [("x", 1)]  # type: ignore[attr-defined]
    assert {event.stream for event in events} == {"hall"}
    assert settled.language == "de"


def test_a_final_segment_orders_the_next_one_and_its_end_waits_for_the_view_after_it() -> None:
    core = stream("offline")
    core.events()
    view = SourceView(2 * CHUNK, CHUNK, segment_start=100, segment_final=True, closed_by="pause")
    core.receive(view, 1.0)
    core.request(1.0)
    core.answer(Candidate((" a",), source_text="one"), 1.1)
    assert core.orders() == [NextSegment()]
    assert core.orders() == []
    assert kinds(core.events()) == ["settled", "tail"]
    core.receive(SourceView(2 * CHUNK, 0, segment_start=CHUNK), 1.2)
    (end,) = core.events()
    assert (end.type, end.start, end.end, end.kind, end.text) == ("segment", 100, CHUNK, "pause", "a")  # type: ignore[attr-defined]


def test_a_window_over_its_hard_limit_is_settled_by_force_and_trimmed() -> None:
    core = stream("offline", Limits(LANGUAGES, LANGUAGES, CHUNK, 2 * CHUNK, trims=True))
    core.receive(SourceView(3 * CHUNK, CHUNK), 1.5)
    core.request(1.5)
    core.answer(Candidate((" a", " b")), 1.5)
    settled = core.events()[1]
    assert (settled.text, settled.forced) == ("a b", True)  # type: ignore[attr-defined]
    assert core.orders() == [Trim(3 * CHUNK)]
    core.receive(SourceView(4 * CHUNK, CHUNK), 2.0)
    request = core.request(2.0)
    assert request is None or request.context == " a b"


def test_lag_counts_from_the_arrival_of_the_audio() -> None:
    core = stream("offline")
    core.events()
    core.receive(SourceView(CHUNK, CHUNK), 10.0, arrived=9.5)
    assert core.request(10.0) is None
    assert core.events() == []
    core.receive(SourceView(2 * CHUNK, CHUNK), 20.0, arrived=17.0)
    assert core.request(20.0) is None
    (lag,) = core.events()
    assert (lag.type, lag.seconds) == ("lag", 3.0)  # type: ignore[attr-defined]


def test_decision_points_passed_over_are_said_and_counted() -> None:
    core = stream()
    core.pass_over(0, CHUNK, 0.5)
    core.pass_over(3, 4 * CHUNK, 2.0)
    core.end(2.5)
    late, end = core.events()[1:]
    assert (late.type, late.decisions, late.heard) == ("late", 3, 4 * CHUNK)  # type: ignore[attr-defined]
    assert end.late_decisions == 3  # type: ignore[attr-defined]


def test_a_failure_ends_the_stream_once() -> None:
    core = stream()
    core.receive(SourceView(CHUNK, CHUNK), 0.5)
    assert core.request(0.5) is not None
    core.fail("it broke", 0.6)
    core.fail("again", 0.7)
    core.end(0.8)
    assert kinds(core.events()) == ["start", "error", "end"]
    assert core.ended
    with pytest.raises(SimulError, match="ended"):
        core.receive(SourceView(CHUNK, CHUNK), 1.0)


@pytest.mark.parametrize(("start", "settled"), [(None, " d"), (0, " a b d"), (2, " d")])
def test_a_policy_that_revises_goes_on_after_what_it_left_standing_or_where_it_says(
    start: int | None, settled: str
) -> None:
    """The second pass repeats the two tokens that stand of the three before, and ends otherwise."""

    class Revises(Policy):
        name = "revises"
        revises = True

        def judge(self, state: Any, evidence: Evidence) -> tuple[Any, Decision]:
            first = not evidence.committed
            return state, Decision(3) if first else Decision(3, retract=1, start=start)

    core = Stream(Revises(), LIMITS, "none", 7)
    for n, tokens in ((1, (" a", " b", " c")), (2, (" a", " b", " d"))):
        core.receive(SourceView(n * CHUNK, CHUNK), 0.5 * n)
        request = core.request(0.5 * n)
        assert request is not None
        assert request.prefix == ()
        core.answer(Candidate(tokens), 0.5 * n)
    told = [event for event in core.events() if event.type in ("settled", "retract")]
    assert [event.type for event in told] == ["settled", "retract", "settled"]
    assert (told[1].characters, told[1].tokens) == (2, 1)  # type: ignore[attr-defined]
    assert told[2].text == settled  # type: ignore[attr-defined]


def test_an_answer_that_nobody_asked_for_is_refused() -> None:
    with pytest.raises(SimulError, match="No request"):
        stream().answer(Candidate(()), 0.0)


def played(policy: str, seed: int, killed_at: int | None = None) -> list[Event]:
    """The events of a stream that, after `killed_at` steps of its life, is stored and goes on as another object."""
    segments, samples = script(seed)
    backend = ScriptedBackend(segments)
    config, made = SessionConfig(chunk=CHUNK), make_policy(policy)
    core = Stream(made, backend.limits, backend.name, backend.open(StreamSpec()), config)
    events: list[Event] = []
    steps = 0

    def maybe_die() -> None:
        nonlocal core, steps
        steps += 1
        if steps == killed_at:
            stored = json.loads(json.dumps([core.dump(), backend.export_state(core.number)]))
            number = backend.import_state(stored[1])
            core = Stream.load(stored[0], make_policy(policy), backend.limits, number, config)

    def decide(at: float) -> None:
        backend.advance([core.number])
        again = True
        while again:
            core.receive(backend.view(core.number), at)
            maybe_die()
            if core.request(at) is None:
                return
            maybe_die()
            request = core.request(at)
            assert request is not None
            core.answer(backend.decode([request])[0], at)
            maybe_die()
            again = carry_out(core, backend)

    for heard in range(CHUNK, samples + 1, CHUNK):
        backend.push(core.number, np.zeros(CHUNK, np.float32))
        decide(heard / SAMPLE_RATE)
        maybe_die()
        events += core.events()
    backend.push(core.number, np.zeros(samples % CHUNK, np.float32))
    backend.end(core.number)
    decide(samples / SAMPLE_RATE)
    core.end(samples / SAMPLE_RATE)
    return events + core.events()


@given(policy=st.sampled_from(POLICIES), seed=st.integers(0, 300), killed_at=st.integers(1, 40))
def test_a_stream_that_is_killed_anywhere_goes_on_from_its_dump(
    policy: str, seed: int, killed_at: int
) -> None:
    assert played(policy, seed, killed_at) == played(policy, seed)


@given(policy=st.sampled_from(POLICIES), seed=st.integers(0, 300))
def test_the_core_alone_says_what_a_session_says(policy: str, seed: int) -> None:
    segments, samples = script(seed)
    clock = VirtualClock()
    session = Session(make_policy(policy), ScriptedBackend(segments), clock, SessionConfig(chunk=CHUNK))
    events: list[Event] = []
    for start in range(0, samples, CHUNK):
        clock.sleep_until(min(start + CHUNK, samples) / SAMPLE_RATE)
        events += session.feed(np.zeros(min(CHUNK, samples - start), np.float32))
    events += session.finish()
    assert [replace(e, stream="") for e in events] == played(policy, seed)
