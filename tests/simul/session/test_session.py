"""The session: what it takes in, failures of backend and policy at any call, two streams on one backend, storing."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies import LocalAgreement, Offline, make_policy
from policies.base import Candidate
from simul.backends.base import DecodeRequest, Limits
from simul.backends.scripted import LANGUAGES, Pass, ScriptedBackend, ScriptedSegment
from simul.clock import VirtualClock
from simul.errors import SimulError, UsageError
from simul.session import Session, SessionConfig
from simul.session.events import Event
from tests.policies.scripts import CHUNK, script

WORDS = (" one", " two", " three", " four")
TALK = (
    ScriptedSegment(0, 4 * CHUNK, tuple(Pass(k * CHUNK, Candidate(WORDS[:k])) for k in range(1, 5))),
    ScriptedSegment(
        4 * CHUNK, 8 * CHUNK, tuple(Pass(k * CHUNK, Candidate(WORDS[: k - 4])) for k in range(5, 9))
    ),
)


def audio(chunks: float) -> np.ndarray:
    return np.zeros(round(chunks * CHUNK), np.float32)


def session(backend: ScriptedBackend | None = None, policy: Any = None, **config: Any) -> Session:
    made = backend or ScriptedBackend(TALK)
    return Session(policy or LocalAgreement(2), made, VirtualClock(), SessionConfig(chunk=CHUNK, **config))


def kinds(events: Sequence[Event]) -> list[str]:
    return [event.type for event in events]


def test_samples_that_are_no_numbers_count_as_silence_and_are_counted() -> None:
    heard: list[np.ndarray] = []

    class Keeps(ScriptedBackend):
        def push(self, stream: int, samples: Any) -> None:
            heard.append(samples.copy())
            super().push(stream, samples)

    one = session(Keeps(TALK))
    spoilt = np.full(CHUNK, 0.5, np.float32)
    spoilt[3], spoilt[7], spoilt[9] = np.nan, np.inf, -np.inf
    one.feed(spoilt)
    end = one.finish()[-1]
    assert end.bad_samples == 3  # type: ignore[attr-defined]
    assert end.heard == CHUNK  # type: ignore[attr-defined]
    assert np.flatnonzero(np.concatenate(heard) == 0).tolist() == [3, 7, 9]


@pytest.mark.parametrize(
    ("array", "said"),
    [
        (np.zeros((8000, 2), np.float32), r"shape \(8000, 2\)"),
        (np.zeros((2, 8000), np.int16), r"shape \(2, 8000\) and type int16.*samples\.mean\(axis=0\)"),
        (np.zeros((2, 3, 4), np.float32), r"shape \(2, 3, 4\)"),
        (np.zeros(8000, np.complex64), "complex64"),
        (np.zeros(8000, bool), "bool"),
        (np.zeros(8000, np.int64), r"shape \(8000,\) and type int64; give float32 .* 8, 16 or 32 bits"),
        (np.array(["a", "b"]), "type <U1"),
        (np.array([None, 1.0]), "type object"),
        (np.zeros(3, "datetime64[s]"), "datetime64"),
        (np.float64(0.5), "float64"),
        (np.array(0.5), "a single number"),
        ([1, 2, 3], "type int64"),
        ([[0.1], [0.1, 0.2]], "list of 2 items of different lengths"),
        (np.full(8000, 12_000.0), r"shape \(8000,\) and type float64, but its values are far beyond -1..1"),
        ("speech.wav", "not str"),
        (None, "NoneType"),
        (b"\0\0", "2 bytes"),
        (bytearray(4), r"4 bytes \(bytearray\).*frombuffer"),
        (memoryview(b"abcd"), r"4 bytes \(memoryview\)"),
        (range(5), "not range"),
        (np.zeros(4, [("left", "f4")]), r"shape \(4,\) and type \[\('left', '<f4'\)\]"),
        (np.ma.masked_array([30_000.0] * 9), "far beyond"),
        (memoryview(np.zeros((3, 2), np.float32)), r"shape \(3, 2\) and type float32"),
    ],
)
def test_what_is_no_mono_audio_is_refused_and_the_stream_goes_on(array: Any, said: str) -> None:
    one = session()
    with pytest.raises(UsageError, match=said):
        one.feed(array)
    assert kinds(one.feed(audio(1))) == ["start", "tail"]


@pytest.mark.parametrize(
    "array",
    [
        np.array([-32768, 0, 16384], np.int16),
        np.array([-(2**31), 0, 2**30], np.int32),
        np.array([0, 128, 192], np.uint8),
        np.array([[-1.0], [0.0], [0.5]], np.float64),
        np.array([[-1.0, 0.0, 0.5]], np.float32),
        np.array([-1.0, 0.0, 0.5], np.float16),
        np.array([-1.0, 0.0, 0.5], ">f4"),
        np.array([-32768, 0, 16384], ">i2"),
        np.array([0.5, 0.0, -1.0], np.float32)[::-1],
        np.array([[-1.0, 9.0], [0.0, 9.0], [0.5, 9.0]], np.float32)[:, 0],
        [-1.0, 0.0, 0.5],
        (-1.0, 0.0, 0.5),
        np.array([-1.0, 9.0, 0.0, 9.0, 0.5], np.float32)[::2],
    ],
)
def test_integers_are_scaled_and_one_column_is_a_vector(array: np.ndarray) -> None:
    heard: list[np.ndarray] = []

    class Keeps(ScriptedBackend):
        def push(self, stream: int, samples: Any) -> None:
            heard.append(samples.copy())
            super().push(stream, samples)

    one = session(Keeps(TALK))
    one.feed(array)
    one.finish()
    assert heard[0].dtype == np.float32
    assert heard[0].tolist() == [-1.0, 0.0, 0.5]


@pytest.mark.parametrize("array", [np.zeros(0, np.float32), np.zeros((0, 2), np.int16), [], ()])
def test_nothing_may_be_fed(array: Any) -> None:
    one = session()
    assert kinds([*one.feed(array), *one.feed(audio(1))]) == ["start", "tail"]


def test_what_was_fed_may_be_overwritten() -> None:
    heard: list[np.ndarray] = []

    class Keeps(ScriptedBackend):
        def push(self, stream: int, samples: Any) -> None:
            heard.append(samples.copy())
            super().push(stream, samples)

    one, buffer = session(Keeps(TALK)), np.full(100, 0.25, np.float32)
    one.feed(buffer)
    buffer[:] = -1
    one.finish()
    assert heard[0].tolist() == [0.25] * 100


def test_a_session_without_audio_says_start_and_end() -> None:
    events = session(ScriptedBackend([])).finish()
    assert kinds(events) == ["start", "end"]
    assert events[-1].heard == 0  # type: ignore[attr-defined]


def test_nothing_is_taken_in_after_the_end_until_it_is_reset() -> None:
    one = session()
    one.feed(audio(2))
    one.finish()
    assert one.finish() == []
    with pytest.raises(SimulError, match="reset"):
        one.feed(audio(1))
    one.reset()
    assert kinds(one.feed(audio(1))) == ["start", "tail"]


def test_a_session_lets_go_of_its_stream_however_it_ends() -> None:
    backend = ScriptedBackend(TALK)
    with session(backend) as one:
        one.feed(audio(2))
        assert len(backend.streams) == 1
    assert backend.streams == ()
    one.close()
    two = session(backend)
    two.feed(audio(9))
    two.finish()
    assert backend.streams == ()


class Broken(ScriptedBackend):
    """Raises at the `count`-th call of `call`."""

    def __init__(self, call: str, count: int, segments: Sequence[ScriptedSegment] = TALK) -> None:
        super().__init__(segments)
        self.left = {call: count}

    def _maybe(self, call: str) -> None:
        if call in self.left:
            self.left[call] -= 1
            if self.left[call] == 0:
                raise RuntimeError("no memory left")

    def push(self, stream: int, samples: Any) -> None:
        self._maybe("push")
        super().push(stream, samples)

    def advance(self, streams: Sequence[int]) -> None:
        self._maybe("advance")
        super().advance(streams)

    def view(self, stream: int) -> Any:
        self._maybe("view")
        return super().view(stream)

    def decode(self, requests: Sequence[DecodeRequest]) -> list[Candidate]:
        self._maybe("decode")
        return super().decode(requests)

    def next_segment(self, stream: int) -> None:
        self._maybe("next_segment")
        super().next_segment(stream)


CALLS = st.sampled_from(["push", "advance", "view", "decode", "next_segment"])


@given(call=CALLS, count=st.integers(1, 8))
def test_a_backend_that_fails_gives_the_events_so_far_one_error_one_end(call: str, count: int) -> None:
    whole = session()
    expected = [*whole.feed(audio(9)), *whole.finish()]
    backend = Broken(call, count)
    one = session(backend)
    events: list[Event] = []
    for _ in range(9):
        if not one.finished:
            events += one.feed(audio(1))
    events += one.finish()
    failed = backend.left[call] <= 0
    backend.left = {}
    assert (one.failure is not None) is failed
    assert kinds(events).count("error") == failed
    assert kinds(events).count("end") == 1
    assert kinds(events)[-1] == "end"
    assert backend.streams == ()
    if failed:
        told = len(events) - 2
        assert "no memory left" in events[-2].message  # type: ignore[attr-defined]
        assert kinds(events[:told]) == kinds(expected[:told])
        known = told - 1 if told and events[told - 1].type == "segment" else told
        assert events[:known] == expected[:known]
        with pytest.raises(SimulError, match="reset"):
            one.feed(audio(1))
    backend.left.clear()
    neighbour = session(backend)
    assert [*neighbour.feed(audio(9)), *neighbour.finish()] == expected


def test_a_segment_that_was_left_ends_before_the_error_that_came_then() -> None:
    one = session(Broken("next_segment", 1))
    events = [*one.feed(audio(9)), *one.finish()]
    segment, error, end = events[-3:]
    assert [segment.type, error.type, end.type] == ["segment", "error", "end"]
    assert (segment.text, segment.start, segment.end) == ("one two three four", 0, 4 * CHUNK)  # type: ignore[attr-defined]
    assert end.segments == 1  # type: ignore[attr-defined]


@pytest.mark.parametrize("break_too", [False, True])
def test_a_release_that_fails_hides_nothing(break_too: bool) -> None:
    class Clings(Broken):
        def _stop(self, state: Any) -> None:
            raise OSError("the device is gone")

    one = session(Clings("decode", 3 if break_too else 99))
    events = [*one.feed(audio(9)), *one.finish()]
    assert kinds(events).count("error") == break_too
    assert kinds(events)[-1] == "end"
    assert type(one.failure) is (RuntimeError if break_too else OSError)
    assert one.backend.streams == ()


def test_a_policy_that_cannot_start_leaves_no_stream_open() -> None:
    class Unready(LocalAgreement):
        def start(self) -> Any:
            raise ValueError("no table")

    backend = ScriptedBackend(TALK)
    with pytest.raises(SimulError, match=r"failed in start .ValueError: no table."):
        session(backend, Unready(2))
    assert backend.streams == ()


class BrokenPolicy(LocalAgreement):
    """Raises at its `count`-th judgement."""

    left = 0

    def judge(self, state: Any, evidence: Any) -> Any:
        type(self).left -= 1
        if type(self).left == 0:
            raise ValueError("never seen")
        return super().judge(state, evidence)


@given(count=st.integers(1, 9))
def test_a_policy_that_fails_ends_the_stream_in_order(count: int) -> None:
    BrokenPolicy.left = count
    backend = ScriptedBackend(TALK)
    one = session(backend, BrokenPolicy(2))
    events = [*one.feed(audio(9)), *one.finish()]
    failed = BrokenPolicy.left <= 0
    assert kinds(events).count("error") == failed
    assert kinds(events)[-1] == "end"
    assert backend.streams == ()


@given(
    seeds=st.tuples(st.integers(0, 200), st.integers(0, 200)),
    policy=st.sampled_from(["align-att", "wait-k(k=2)"]),
)
def test_streams_that_share_a_backend_do_not_mix(seeds: tuple[int, int], policy: str) -> None:
    segments, samples = script(seeds[0])
    alone = session(ScriptedBackend(segments), make_policy(policy))
    expected = [*alone.feed(np.zeros(samples, np.float32)), *alone.finish()]
    backend = ScriptedBackend(segments)
    pair = [session(backend, make_policy(policy)) for _ in range(2)]
    events: list[list[Event]] = [[], []]
    cut = 1000 + seeds[1] * 37
    for begin in range(0, samples, cut):
        for number, one in enumerate(pair):
            events[number] += one.feed(np.zeros(min(cut, samples - begin), np.float32))
    assert [[*e, *one.finish()] for e, one in zip(events, pair, strict=True)] == [expected, expected]


@given(seed=st.integers(0, 200), killed_at=st.integers(0, 20), cut=st.sampled_from([CHUNK, 5000, 12_345]))
def test_a_session_goes_on_from_its_dump(seed: int, killed_at: int, cut: int) -> None:
    segments, samples = script(seed)

    def run(killed: int | None) -> list[Event]:
        clock = VirtualClock()
        config = SessionConfig(chunk=CHUNK)
        backend = ScriptedBackend(segments)
        one = Session(make_policy("local-agreement(n=2)"), backend, clock, config)
        events: list[Event] = []
        for number, begin in enumerate(range(0, samples, cut)):
            clock.sleep_until((begin + cut) / 16_000)
            events += one.feed(np.zeros(min(cut, samples - begin), np.float32))
            if number == killed:
                stored = json.loads(json.dumps(one.dump()))
                one.close()
                one = Session(make_policy("local-agreement(n=2)"), backend, clock, config)
                one.load(stored)
        return events + one.finish()

    assert run(killed_at) == run(None)


def test_skipped_text_without_source_times_counts_the_segment_so_far() -> None:
    segments = [
        ScriptedSegment(0, 2 * CHUNK, (Pass(CHUNK, Candidate((" a",))), Pass(2 * CHUNK, Candidate((" a",)))))
    ]

    class Refuses(Offline):
        name = "refuses"  # type: ignore[misc]

        def judge(self, state: Any, evidence: Any) -> Any:
            state, decision = super().judge(state, evidence)
            return state, replace(decision, accept=(False,) * len(evidence.candidate.tokens))

    one = session(ScriptedBackend(segments), Refuses())
    events = [*one.feed(audio(2)), *one.finish()]
    skipped = [event for event in events if event.type == "skipped"]
    assert [(e.start, e.end) for e in skipped] == [(0, 2 * CHUNK)]  # type: ignore[attr-defined]
    assert events[-1].skipped == 2 * CHUNK  # type: ignore[attr-defined]
    assert not any(event.type == "settled" for event in events)


def test_the_same_tail_is_shown_once_and_the_first_has_no_leading_space() -> None:
    same = tuple(Pass(k * CHUNK, Candidate((" a", " b"))) for k in (1, 2, 3))
    one = session(ScriptedBackend([ScriptedSegment(0, 3 * CHUNK, same)]), LocalAgreement(9))
    events = one.feed(audio(2.5))
    assert [e.text for e in events if e.type == "tail"] == ["a b"]  # type: ignore[attr-defined]


def test_one_decision_for_all_chunks_that_are_there() -> None:
    one = session()
    events = one.feed(audio(3.5), coalesce=True)
    assert [e.decisions for e in events if e.type == "late"] == [2]  # type: ignore[attr-defined]
    assert [e.heard for e in events if e.type == "tail"] == [3 * CHUNK]  # type: ignore[attr-defined]
    end = [*one.feed(audio(4.5), coalesce=True), *one.finish()][-1]
    assert (end.late_decisions, end.heard) == (6, 8 * CHUNK)  # type: ignore[attr-defined]


def test_lag_is_measured_from_the_arrival_that_is_given() -> None:
    clock = VirtualClock()
    backend = ScriptedBackend(TALK, on_decode=lambda _: clock.advance(3.0))
    one = Session(LocalAgreement(2), backend, clock, SessionConfig(chunk=CHUNK))
    clock.advance(60.0)
    events = one.feed(audio(1), arrived=60.0)
    assert [e.seconds for e in events if e.type == "lag"] == [3.0]  # type: ignore[attr-defined]


def test_a_policy_that_takes_text_back_without_saying_so_is_an_error() -> None:
    class Sly(LocalAgreement):
        def judge(self, state: Any, evidence: Any) -> Any:
            state, decision = super().judge(state, evidence)
            return state, replace(decision, retract=1)

    one = session(policy=Sly(2))
    events = one.feed(audio(1))
    assert "took text back" in events[-2].message  # type: ignore[attr-defined]


def test_too_many_streams_are_refused() -> None:
    backend = ScriptedBackend(TALK, limits=Limits(LANGUAGES, LANGUAGES, streams_at_once=1))
    session(backend)
    with pytest.raises(UsageError, match="1 streams at once"):
        session(backend)
