"""The engine's core: the events of sessions, whatever order audio comes in; failures stay with their stream."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from policies import LocalAgreement, Offline
from policies.base import Candidate, Policy
from simul.backends.base import Backend, DecodeRequest
from simul.backends.cascade import CascadeBackend
from simul.backends.scripted import ScriptedBackend
from simul.backends.whisper import WhisperBackend
from simul.clock import VirtualClock
from simul.engine import StreamEngine, Terms
from simul.engine.recording import Decided
from simul.errors import SimulError, UsageError
from simul.session import Session, SessionConfig
from simul.session.events import Event
from simul.units import SAMPLE_RATE
from tests.policies.scripts import CHUNK, script
from tests.simul.backends.scripted_whisper import LOOPS, Speech, speech
from tests.simul.backends.scripted_whisper import Scripted as ScriptedWhisper
from tests.simul.backends.streams import through_files
from tests.simul.backends.test_cascade import SCRIPT, WORD, ScriptedRecognizer, UpperCase
from tests.simul.session.test_session import TALK, WORDS

quick = settings(max_examples=12, suppress_health_check=list(HealthCheck))


@dataclass
class Feed:
    """One stream: its audio, the size of the pieces that it comes in, when it begins, and how it is to be read."""

    samples: np.ndarray
    piece: int
    begin: float
    policy: Policy = field(default_factory=lambda: LocalAgreement(2))
    config: SessionConfig = field(default_factory=lambda: SessionConfig(chunk=CHUNK))
    beside: tuple[str, ...] = ()

    def pieces(self) -> list[tuple[float, np.ndarray | None]]:
        """When each piece is there, in real time from `begin` on; None at the end."""
        found: list[tuple[float, np.ndarray | None]] = []
        for start in range(0, len(self.samples), self.piece):
            part = self.samples[start : start + self.piece]
            found.append((self.begin + (start + len(part)) / SAMPLE_RATE, part))
        return [*found, (self.begin + len(self.samples) / SAMPLE_RATE, None)]


def by_session(feed: Feed, backend: Backend[Any]) -> list[Event]:
    """The events of a session of its own."""
    clock = VirtualClock(feed.begin)
    session = Session(feed.policy, backend, clock, feed.config, feed.beside)
    events: list[Event] = []
    for at, samples in feed.pieces():
        clock.sleep_until(at)
        arrived = at - feed.begin
        events += session.finish() if samples is None else session.feed(samples, arrived)
    return events


def drain(engine: StreamEngine, clock: VirtualClock, events: dict[int, list[Event]]) -> None:
    """Step until nothing is left to do."""
    while engine.ready:
        for number, found in engine.step(clock.now).items():
            events.setdefault(number, []).extend(found)


def by_engine(
    feeds: Sequence[Feed], backend: Backend[Any], late: Callable[[], bool] = lambda: False
) -> list[list[Event]]:
    """The events of all feeds on one engine; it steps after every arrival unless `late` says so."""
    clock = VirtualClock()
    engine = StreamEngine(backend)
    events: dict[int, list[Event]] = {}
    opened: dict[int, int] = {}
    arrivals = [(at, i, samples) for i, feed in enumerate(feeds) for at, samples in feed.pieces()]
    arrivals += [(feed.begin, i, np.empty(0, np.float32)) for i, feed in enumerate(feeds)]
    for at, i, samples in sorted(arrivals, key=lambda each: each[0]):
        clock.sleep_until(at)
        if i not in opened:
            feed = feeds[i]
            terms = Terms(live=False)
            opened[i] = engine.open(feed.policy, feed.config, at, beside=feed.beside, terms=terms)
        if opened[i] in engine.open_numbers:
            if samples is None:
                engine.end(opened[i], at)
            else:
                engine.push(opened[i], samples, at)
        if not late():
            drain(engine, clock, events)
    drain(engine, clock, events)
    assert engine.open_numbers == ()
    assert backend.streams == ()
    return [events[opened[i]] for i in range(len(feeds))]


def by_language(events: Sequence[Event]) -> dict[str, list[dict[str, Any]]]:
    """What each stream of a recording said, in order."""
    found: dict[str, list[dict[str, Any]]] = {}
    for event in events:
        found.setdefault(event.stream, []).append(event.to_dict())
    return found


def timeless(events: Sequence[Event]) -> dict[str, list[dict[str, Any]]]:
    """The same without when it was said, and without what tells of being behind."""
    return {
        name: [{k: v for k, v in event.items() if k != "time"} for event in said if event["type"] != "lag"]
        for name, said in by_language(events).items()
    }


def alike(one: Any, other: Any) -> bool:
    """Whether two values are the same, but for the last digits of what was computed in a batch."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(alike(one[key], other[key]) for key in one)
    if isinstance(one, (list, tuple)) and isinstance(other, (list, tuple)):
        return len(one) == len(other) and all(map(alike, one, other))
    if isinstance(one, float) and isinstance(other, float):
        return abs(one - other) < 1e-3
    return bool(one == other)


def sound(seconds: float, seed: int) -> np.ndarray:
    """Noise with a pause of 0.8 s after a second."""
    count = round(seconds * SAMPLE_RATE)
    samples = np.random.default_rng(seed).uniform(-0.5, 0.5, count).astype(np.float32)
    samples[SAMPLE_RATE : round(1.8 * SAMPLE_RATE)] *= 0.01
    return samples


def into(backend: Backend[Any]) -> str:
    return "en" if backend.name == "whisper" else "de"


def feed_of(backend: Backend[Any], seed: int) -> Feed:
    rng = np.random.default_rng(seed)
    samples = sound(rng.uniform(0.3, 3.2), seed)
    config = SessionConfig(target=into(backend), chunk=int(rng.choice([4000, 8000, 12000])))
    policy: Policy = LocalAgreement(2) if seed % 2 else Offline()
    return Feed(samples, int(rng.integers(700, 20_000)), float(rng.uniform(0, 2)), policy, config)


@quick
@given(st.integers(0, 10_000), st.integers(1, 4))
def test_a_stream_says_on_an_engine_what_it_says_in_a_session(
    make: Callable[[], Backend[Any]], seed: int, count: int
) -> None:
    backend = make()
    feeds = [feed_of(backend, seed + i) for i in range(count)]
    expected = [by_session(feed, make()) for feed in feeds]
    found = by_engine(feeds, backend)
    for one, other in zip(found, expected, strict=True):
        assert alike(by_language(one), by_language(other)), (one, other)


@quick
@given(st.integers(0, 10_000), st.integers(2, 4))
def test_the_text_is_the_same_when_the_engine_comes_late(
    make: Callable[[], Backend[Any]], seed: int, count: int
) -> None:
    backend = make()
    rng = np.random.default_rng(seed)
    feeds = [feed_of(backend, seed + i) for i in range(count)]
    expected = [by_session(feed, make()) for feed in feeds]
    found = by_engine(feeds, backend, lambda: bool(rng.random() < 0.7))
    for one, other in zip(found, expected, strict=True):
        assert alike(timeless(one), timeless(other)), (one, other)


def scripted_feeds(seed: int, count: int) -> tuple[ScriptedBackend, list[Feed]]:
    """A script, and streams that hear it in pieces of several sizes."""
    segments, length = script(seed)
    rng = np.random.default_rng(seed)
    feeds = [
        Feed(np.zeros(length, np.float32), int(rng.integers(900, 20_000)), float(rng.uniform(0, 2)))
        for _ in range(count)
    ]
    return ScriptedBackend(segments), feeds


@given(st.integers(0, 500), st.integers(0, 3), st.sampled_from(["push", "advance", "decode", "view"]))
def test_a_stream_that_fails_leaves_the_others_as_they_were(seed: int, victim: int, call: str) -> None:
    backend, feeds = scripted_feeds(seed, 4)
    expected = [by_session(feed, ScriptedBackend(backend.segments)) for feed in feeds]

    class Fails(ScriptedBackend):
        """One stream's calls raise from its third second on."""

        def hurt(self, streams: Sequence[int]) -> None:
            if victim + 1 in streams and self.state(victim + 1).pushed > 2 * SAMPLE_RATE:
                raise RuntimeError("this one is broken")

        def push(self, stream: int, samples: Any) -> None:
            super().push(stream, samples)
            self.hurt([stream] if call == "push" else [])

        def advance(self, streams: Sequence[int]) -> None:
            self.hurt(streams if call == "advance" else [])
            super().advance(streams)

        def view(self, stream: int) -> Any:
            self.hurt([stream] if call == "view" else [])
            return super().view(stream)

        def decode(self, requests: Sequence[DecodeRequest]) -> list[Candidate]:
            self.hurt([request.stream for request in requests] if call == "decode" else [])
            return super().decode(requests)

    order = sorted(range(4), key=lambda i: feeds[i].begin)
    found = by_engine(feeds, Fails(backend.segments))
    for place, i in enumerate(order):
        if place != victim:
            assert by_language(found[i]) == by_language(expected[i])
    said = [event.type for event in found[order[victim]]]
    if "error" in said:
        assert said[-2:] == ["error", "end"]
        assert "this one is broken" in found[order[victim]][-2].message  # type: ignore[attr-defined]


def test_a_policy_that_fails_ends_its_stream_only() -> None:
    class Raises(LocalAgreement):
        def judge(self, state: Any, evidence: Any) -> Any:
            raise RuntimeError("no judgement")

    failures: list[tuple[int, Exception]] = []
    engine = StreamEngine(
        ScriptedBackend(TALK), on_failure=lambda number, error: failures.append((number, error))
    )
    config = SessionConfig(chunk=CHUNK)
    bad, good = engine.open(Raises(2), config), engine.open(LocalAgreement(2), config)
    for number in (bad, good):
        engine.push(number, np.zeros(CHUNK, np.float32), 0.5)
    events = engine.step(lambda: 0.5)
    assert [event.type for event in events[bad]] == ["start", "error", "end"]
    assert [event.type for event in events[good]] == ["start", "tail"]
    assert engine.open_numbers == (good,)
    assert [(number, str(error)) for number, error in failures] == [
        (bad, "The policy local-agreement failed in judge (RuntimeError: no judgement).")
    ]
    with pytest.raises(SimulError, match="no open stream"):
        engine.push(bad, np.zeros(3, np.float32), 1.0)


def test_live_streams_pass_over_decisions_that_would_come_too_late_and_say_so() -> None:
    engine = StreamEngine(ScriptedBackend(TALK))
    config = SessionConfig(chunk=CHUNK)
    live, file = (
        engine.open(LocalAgreement(2), config),
        engine.open(LocalAgreement(2), config, terms=Terms(live=False)),
    )
    for chunk in range(1, 7):
        for number in (live, file):
            engine.push(number, np.zeros(CHUNK, np.float32), 0.5 * chunk)
    events: dict[int, list[Event]] = {live: [], file: []}
    for _ in range(2):
        for number, found in engine.step(lambda: 3.0).items():
            events[number] += found
    late = [event for event in events[live] if event.type == "late"]
    assert [(event.decisions, event.heard) for event in late] == [(5, 6 * CHUNK)]  # type: ignore[attr-defined]
    assert not [event for event in events[file] if event.type == "late"]
    assert engine.waiting(live) == 0
    assert engine.waiting(file) == 5 * CHUNK


def test_one_step_decodes_all_streams_in_one_batch() -> None:
    sizes: list[int] = []
    engine = StreamEngine(ScriptedBackend(TALK, on_decode=sizes.append))
    numbers = [engine.open(LocalAgreement(2), SessionConfig(chunk=CHUNK)) for _ in range(7)]
    for number in numbers:
        engine.push(number, np.zeros(CHUNK, np.float32), 0.5)
    engine.step(lambda: 0.5)
    assert sizes == [7]


def scripted_whisper() -> Backend[Any]:
    return WhisperBackend(ScriptedWhisper(), activity=Speech)


@pytest.mark.parametrize("steps", range(9))
@pytest.mark.parametrize("kind", ["scripted", "whisper", "cascade"])
def test_a_stream_goes_on_in_another_engine_from_its_dump(kind: str, steps: int) -> None:
    make: Callable[[], Backend[Any]] = (
        scripted_whisper if kind == "whisper" else lambda: ScriptedBackend(TALK)
    )
    feed = Feed(
        speech([1, 2, 3, LOOPS, 4, 5, 9, 10, 11]), CHUNK, 0.0, config=SessionConfig("en", "en", CHUNK)
    )
    if kind == "cascade":
        make = lambda: CascadeBackend(lambda: ScriptedRecognizer(SCRIPT * 2), UpperCase())  # noqa: E731
        spoken, config = np.zeros(16 * WORD, np.float32), SessionConfig(chunk=2 * WORD)
        feed = Feed(spoken, config.chunk, 0.0, config=config, beside=("en",))
    expected = by_session(feed, make())
    clock = VirtualClock()
    engine = StreamEngine(make())
    number = engine.open(feed.policy, feed.config, beside=feed.beside)
    events: list[Event] = []
    for turn, (at, samples) in enumerate(feed.pieces()):
        clock.sleep_until(at)
        if samples is None:
            engine.end(number, at)
        else:
            engine.push(number, samples, at)
        if turn == steps:
            dumped = through_files(engine.dump(number, at))
            engine.close(number)
            other = StreamEngine(make())
            other.open(LocalAgreement(2), SessionConfig("en", "en"))
            number = other.load(dumped, feed.policy, feed.config, at, beside=feed.beside)
            engine = other
        for _ in range(4):
            events += engine.step(clock.now).get(number, [])
    assert any(event.type == "settled" for event in events)
    assert by_language(events) == by_language(expected)


def test_a_recording_of_which_one_stream_is_refused_leaves_none_open() -> None:
    engine, backend = StreamEngine(scripted_whisper()), scripted_whisper()
    number = engine.open(LocalAgreement(2), SessionConfig("en", "en"))
    dumped = engine.dump(number, 0.0)
    dumped["backend"].append({**dumped["backend"][0], "runs": "whisper of another kind"})
    other = StreamEngine(backend)
    with pytest.raises(UsageError, match="exported from whisper of another kind"):
        other.load(dumped, LocalAgreement(2), SessionConfig("en", "en"))
    assert backend.streams == ()
    assert other.open_numbers == ()


def test_what_is_told_of_a_decision_that_moved_is_when_its_audio_was_there() -> None:
    told: list[Decided] = []
    engine = StreamEngine(ScriptedBackend(TALK))
    number = engine.open(LocalAgreement(2), SessionConfig(chunk=CHUNK), 1.0)
    for turn in range(1, 10):
        engine.push(number, np.zeros(CHUNK, np.float32), 1.0 + turn * 0.5)
        engine.step(lambda turn=turn: 1.0 + turn * 0.5)  # type: ignore[misc]
        if engine.due:
            break
    other = StreamEngine(ScriptedBackend(TALK), on_decision=told.append)
    other.load(engine.dump(number, 6.0), LocalAgreement(2), SessionConfig(chunk=CHUNK), 106.0)
    other.step(lambda: 106.25)
    assert [(each.ready, each.deadline) for each in told] == [(101 + turn * 0.5, 101.5 + turn * 0.5)]


def test_what_is_no_audio_is_refused_and_what_is_no_number_is_counted() -> None:
    engine = StreamEngine(ScriptedBackend(TALK))
    number = engine.open(LocalAgreement(2), SessionConfig(chunk=CHUNK))
    with pytest.raises(UsageError, match="shape"):
        engine.push(number, np.zeros((8000, 2), np.float32), 0.0)
    engine.push(number, np.full(CHUNK, np.nan, np.float32), 0.5)
    engine.end(number, 0.5)
    events: list[Event] = []
    while engine.ready:
        events += engine.step(lambda: 0.5).get(number, [])
    assert events[-1].bad_samples == CHUNK  # type: ignore[attr-defined]
    with pytest.raises(SimulError, match="no open stream"):
        engine.end(number, 1.0)


def test_the_audio_that_stopped_early_is_told() -> None:
    engine = StreamEngine(ScriptedBackend(TALK))
    number = engine.open(LocalAgreement(2), SessionConfig(chunk=CHUNK))
    engine.push(number, np.zeros(3 * CHUNK, np.float32), 1.5)
    engine.end(number, 1.5, "The line was cut.")
    events: list[Event] = []
    while engine.ready:
        events += engine.step(lambda: 1.5).get(number, [])
    assert [event.type for event in events[-2:]] == ["error", "end"]
    text = "".join(event.text for event in events if event.type == "settled")  # type: ignore[attr-defined]
    assert text == "".join(WORDS).strip()


def test_a_closed_stream_is_gone_at_once() -> None:
    backend = ScriptedBackend(TALK)
    engine = StreamEngine(backend)
    number = engine.open(LocalAgreement(2))
    engine.close(number)
    engine.close(number)
    assert backend.streams == ()
    assert not engine.ready


def test_a_stream_that_cannot_be_made_leaves_nothing_open() -> None:
    backend = ScriptedBackend(TALK)
    engine = StreamEngine(backend)
    with pytest.raises(UsageError, match="not served"):
        engine.open(LocalAgreement(2), SessionConfig(target="xx"))
    with pytest.raises(UsageError, match="one language at a time"):
        engine.open(LocalAgreement(2), beside=("fr",))
    assert backend.streams == ()
    assert engine.open_numbers == ()


@pytest.mark.parametrize("call", ["push", "events", "finish", "hypothesis"])
def test_a_recogniser_that_fails_ends_its_stream_only_and_no_audio_is_heard_twice(call: str) -> None:
    feeds = [Feed(np.zeros(9 * CHUNK, np.float32), CHUNK, 0.1 * i) for i in range(3)]
    heard: list[list[int]] = []

    def recognizers(broken: int | None) -> Callable[[], ScriptedRecognizer]:
        heard.clear()

        def made() -> ScriptedRecognizer:
            number = len(heard)
            heard.append([])
            recognizer = ScriptedRecognizer(SCRIPT * 4)
            whole = recognizer.push

            def push(samples: Any) -> None:
                heard[number].append(len(samples))
                if number == broken and len(heard[number]) == 4 and call != "push":
                    setattr(recognizer, call, broken_call)
                if number == broken and len(heard[number]) == 4 and call == "push":
                    broken_call()
                whole(samples)

            recognizer.push = push  # type: ignore[method-assign]
            return recognizer

        return made

    def broken_call() -> Any:
        raise RuntimeError("the recogniser is broken")

    expected = by_engine(feeds, CascadeBackend(recognizers(None), UpperCase()))
    found = by_engine(feeds, CascadeBackend(recognizers(1), UpperCase()))
    for i in (0, 2):
        assert by_language(found[i]) == by_language(expected[i])
        assert sum(heard[i]) == 9 * CHUNK
    assert [event.type for event in found[1][-2:]] == ["error", "end"]
    assert "the recogniser is broken" in found[1][-2].message  # type: ignore[attr-defined]
    assert sum(heard[1]) <= 9 * CHUNK
