"""Traces: what a replay shows a policy is what a live run would have shown, and where it is not, that is flagged."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies import make_policy
from policies.base import Activity, Candidate, SourceView, StopRule
from simul.backends.base import Backend, DecodeRequest, Limits, StreamSpec
from simul.backends.scripted import LANGUAGES, Pass, ScriptedBackend, ScriptedSegment
from simul.clock import VirtualClock
from simul.errors import UsageError
from simul.evaluation.trace.format import candidate_from_json, candidate_to_json
from simul.evaluation.trace.record import RecordingBackend
from simul.evaluation.trace.replay import TraceBackend
from simul.evaluation.trace.trace import Trace, TraceError
from simul.session import Session, SessionConfig
from simul.session.values import view_from_json, view_to_json
from tests.policies.scripts import CHUNK, candidate_of, hypothesis_of, script

POLICIES = (
    "local-agreement(n=2)",
    "hold-n(n=2)",
    "wait-k(unit=word, k=2)",
    "greedy(frame_ms=500)",
    "token-confidence(threshold=0.4)",
    "align-att",
    "pause(silence_ms=200)",
    "offline",
    "sliding-window(window_ms=1000)",
    "stream-att(align-att, keep=2)",
)


def run(
    policy: str, backend: Backend, samples: int, clock: VirtualClock | None = None, cut: int = CHUNK
) -> list:
    session = Session(make_policy(policy), backend, clock or VirtualClock(), SessionConfig(chunk=CHUNK))
    events: list = []
    for start in range(0, samples, cut):
        events += session.feed(np.zeros(min(cut, samples - start), np.float32))
        if session.failure is not None:
            raise session.failure
    return events + session.finish()


def said(events: list) -> list:
    """Events without their times and without the name of the backend."""
    return [{k: v for k, v in e.to_dict().items() if k not in ("time", "backend")} for e in events]


def same_candidate(a, b) -> bool:
    arrays = [(a.logprobs, b.logprobs), (a.spans, b.spans)]
    arrays += [(x and x.weights, y and y.weights) for x, y in [(a.alignment, b.alignment)]]
    plain = ("tokens", "ids", "segments", "beams", "committable", "source_text", "spoken", "ended", "limit")
    return all(
        np.array_equal(x, y) and getattr(x, "dtype", 0) == getattr(y, "dtype", 0) for x, y in arrays
    ) and all(getattr(a, name) == getattr(b, name) for name in plain)


@given(st.integers(0, 10**6))
@settings(max_examples=50)
def test_candidates_come_back_whole(seed: int) -> None:
    import json

    rng = random.Random(seed)
    tokens = hypothesis_of(rng, rng.randint(0, 8))
    times = sorted(rng.randint(100, 9000) for _ in tokens)
    candidate = candidate_of(rng, tokens, times, 0, 9000)
    again = candidate_from_json(json.loads(json.dumps(candidate_to_json(candidate))))
    assert same_candidate(again, candidate)
    view = SourceView(8, 4, 2, True, False, {"word": 3}, Activity(5, 0.25))
    assert view_from_json(json.loads(json.dumps(view_to_json(view)))) == view


@pytest.mark.parametrize("policy", POLICIES)
@given(seed=st.integers(0, 10**6))
@settings(max_examples=8)
def test_the_recorded_policy_is_replayed_to_the_event(
    policy: str, seed: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    segments, samples = script(seed)
    recorder = RecordingBackend(ScriptedBackend(segments))
    live = run(policy, recorder, samples)
    assert said(live) == said(run(policy, ScriptedBackend(segments), samples))
    path = tmp_path_factory.mktemp("trace") / "a.jsonl"
    recorder.traces[0].write(path)
    replay = TraceBackend(Trace.read(path))
    assert said(run(policy, replay, samples)) == said(live)
    assert not replay.departures


@pytest.mark.parametrize("recorded", ["local-agreement(n=2)", "offline", "greedy(frame_ms=500)"])
@pytest.mark.parametrize("policy", [p for p in POLICIES if not p.startswith("stream-att")])
@given(seed=st.integers(0, 10**6))
@settings(max_examples=5)
def test_another_policy_with_the_model_at_hand_says_what_it_says_live(
    recorded: str, policy: str, seed: int
) -> None:
    segments, samples = script(seed)
    recorder = RecordingBackend(ScriptedBackend(segments))
    run(recorded, recorder, samples)
    trace = recorder.traces[0]
    before = len(trace.passes)
    replay = TraceBackend(trace, ScriptedBackend(segments))
    live = run(policy, ScriptedBackend(segments), samples)
    assert said(run(policy, replay, samples)) == said(live)
    assert len(trace.passes) - before == len(replay.departures)
    # What was decoded then is known now.
    again = TraceBackend(trace)
    assert said(run(policy, again, samples)) == said(live)
    assert not again.departures


@given(seed=st.integers(0, 10**6))
@settings(max_examples=20)
def test_passes_without_prefix_serve_every_policy_approximately_and_say_so(seed: int) -> None:
    segments, samples = script(seed)
    recorder = RecordingBackend(ScriptedBackend(segments))
    run("pause(silence_ms=9999)", recorder, samples)
    replay = TraceBackend(recorder.traces[0])
    # The scripted model does go on as if any prefix were its own, so the approximation is exact here.
    events = run("hold-n(n=2)", replay, samples)
    assert said(events) == said(run("hold-n(n=2)", ScriptedBackend(segments), samples))
    live_prefixes = RecordingBackend(ScriptedBackend(segments))
    run("hold-n(n=2)", live_prefixes, samples)
    moved = [p for p in live_prefixes.traces[0].passes if p.prefix or p.context]
    departed = {(d.segment, d.heard) for d in replay.departures}
    assert {(p.segment, p.heard) for p in moved if p.prefix} <= departed
    assert all("left the recorded prefix at pass" in str(d) for d in replay.departures)


def test_a_prefix_that_was_never_recorded_is_refused_without_a_model() -> None:
    words = (" a", " b", " c")
    passes = tuple(Pass(k * CHUNK, Candidate(words[:k])) for k in (1, 2, 3))
    recorder = RecordingBackend(ScriptedBackend([ScriptedSegment(0, 3 * CHUNK, passes)]))
    run("greedy(frame_ms=500)", recorder, 3 * CHUNK)
    with pytest.raises(TraceError, match=r"left the recorded prefix at pass 1 .*replay with the model"):
        run("offline", TraceBackend(recorder.traces[0]), 3 * CHUNK)


def test_time_is_that_of_the_recording() -> None:
    segments, samples = script(7)
    clock = VirtualClock()
    spent = []

    class Slow(ScriptedBackend):
        def decode(self, requests):
            total = sum(i * i for i in range(20_000))
            spent.append(total)
            return super().decode(requests)

    recorder = RecordingBackend(Slow(segments), clock)
    live = run("local-agreement(n=2)", recorder, samples, clock)
    trace = recorder.traces[0]
    total = sum(p.compute for p in trace.passes) + sum(m.compute for m in trace.moments)
    assert live[-1].time == pytest.approx(total)
    assert len(spent) == len(trace.passes)
    assert all(p.compute > 0 for p in trace.passes)
    replay_clock = VirtualClock()
    replayed = run("local-agreement(n=2)", TraceBackend(trace, None, replay_clock), samples, replay_clock)
    assert replayed[-1].time == pytest.approx(total)
    assert [e.time for e in replayed if e.type == "settled"] == pytest.approx(
        [e.time for e in live if e.type == "settled"], abs=1e-3
    )


def test_a_pass_with_another_stop_rule_or_a_word_that_is_over_is_another_pass() -> None:
    segments, samples = script(3, words=True)
    recorder = RecordingBackend(ScriptedBackend(segments))
    run("pause(silence_ms=9999)", recorder, samples)
    trace = recorder.traces[0]
    known = trace.passes[0]
    view = SourceView(known.heard, 0, 0, known.final)
    request = DecodeRequest(1, 0, view, known.prefix, known.prefix_ids, known.context)
    assert trace.find(known.segment, 0, request) is known
    for other in ({"stop": StopRule(at_frame=1)}, {"word_complete": True}, {"max_new_tokens": 1}):
        assert trace.find(known.segment, 0, replace(request, **other)) is None


def test_backends_that_cannot_be_trimmed_stay_so() -> None:
    segments, samples = script(5)
    for trims in (False, True):
        limits = Limits(LANGUAGES, LANGUAGES, trims=trims)
        recorder = RecordingBackend(ScriptedBackend(segments, limits=limits))
        run("stream-att(align-att, keep=1)", recorder, samples)
        assert recorder.limits.trims is trims
        assert TraceBackend(recorder.traces[0]).limits.trims is trims
        assert any(found.trimmed for found in recorder.traces[0].passes) is trims


def test_wrong_use_is_named(tmp_path: Path) -> None:
    segments, samples = script(2)
    recorder = RecordingBackend(ScriptedBackend(segments))
    run("offline", recorder, samples)
    trace = recorder.traces[0]
    with pytest.raises(TraceError, match="into 'es'"):
        TraceBackend(trace).open(StreamSpec("en", "es"))
    with pytest.raises(TraceError, match="another recording"):
        run("offline", TraceBackend(trace), samples + 3 * CHUNK)
    path = tmp_path / "trace.jsonl"
    trace.write(path)
    path.write_text(path.read_text()[:-20])
    with pytest.raises(TraceError, match="not a whole trace"):
        Trace.read(path)
    with pytest.raises(TraceError, match="cannot be read"):
        Trace.read(tmp_path / "none.jsonl")
    with pytest.raises(UsageError):
        recorder.open(StreamSpec("xx", "de"))
