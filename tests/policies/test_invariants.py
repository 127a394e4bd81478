"""What holds for every registered policy, whatever the model says: a policy added to the registry is tested here."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from policies import Candidate, Decision, Evidence, Plan, PlanKind, Policy, SourceView, describe, make_policy
from simul.backends.scripted import Pass, ScriptedSegment
from simul.session.events import End, Event, Retract, Settled, Skipped, Tail
from tests.policies.scripts import CHUNK, RecordingBackend, run, script

FURTHER = (
    "greedy(profile=faithful)",
    "confidence-aware(profile=faithful, confidence_threshold=0.5)",
    "consensus(profile=faithful, consensus_threshold=0.5)",
    "consensus(frame_ms=0, consensus_threshold=0.5)",
    "wait-k(k=1, unit=word, target=token, stride_write=2, catchup=0.3)",
    "wait-k(k=2, chunk_ms=1000, stride_write=0)",
    "local-agreement(n=3, unit=word, compare=normalized)",
    "local-agreement(n=2, compare=normalized, words=false)",
    "hold-n(n=0, words=false)",
    "sp-n(n=2)",
    "align-att(normalize=none, distance_ms=80)",
    "edatt(alpha=0.6)",
    "align-bridge(margin_ms=0)",
    "stream-att(align-bridge, audio=times, keep=1, max_audio_s=1)",
    "stream-att(local-agreement, audio=words, history=characters, keep=5)",
    "stream-att(local-agreement, history=sentence)",
    "sliding-window(window_ms=1000)",
    "pause(preview=false, silence_ms=200)",
    "switch(any-of(hold-n, pause), timeout(local-agreement), measure=segment-ms, above=1500)",
    "all-of(timeout(consensus), any-of(wait-k, gate(align-att)))",
)
EXPRESSIONS = tuple(info.example for info in describe()) + FURTHER
DROPS = ("profile=faithful", "gate", "loop-guard")
"""Policies that skip text: what they drop is reported, and does not come out."""

SEEDS = st.integers(0, 10**6)
quick = settings(max_examples=12, suppress_health_check=list(HealthCheck), derandomize=True)
every_policy = pytest.mark.parametrize("expression", EXPRESSIONS)


def settled(events: list[Event]) -> list[Settled]:
    return [e for e in events if isinstance(e, Settled)]


def timeless(events: list[Event]) -> list[Event]:
    """The events without their moments of session time."""
    return [replace(e, time=0.0) if hasattr(e, "time") else e for e in events]


def replayed_text(events: list[Event]) -> dict[int, str]:
    """Each segment's text as a reader of settled and retract events puts it together."""
    texts: dict[int, str] = {}
    for event in events:
        if isinstance(event, Settled):
            texts[event.segment] = texts.get(event.segment, "") + event.text
        elif isinstance(event, Retract):
            text = texts.get(event.segment, "")
            assert event.characters <= len(text)
            texts[event.segment] = text[: len(text) - event.characters]
    return texts


@every_policy
@quick
@given(seed=SEEDS)
def test_text_is_append_only_whole_and_in_time(expression: str, seed: int) -> None:
    """Invariants 1, 2, 3 and 8: no retraction, nothing lost, times in order, no broken character."""
    policy = make_policy(expression)
    segments, samples = script(seed)
    backend = RecordingBackend(segments)
    events = run(policy, backend, samples, slow=0.05)
    assert policy.revises or not any(isinstance(e, Retract) for e in events)
    times = [e.time for e in events if not isinstance(e, End) and hasattr(e, "time")]
    assert times == sorted(times)
    for event in settled(events):
        assert event.heard / 16000 <= event.time + 1e-9
        assert all(end <= event.heard for _, end in event.spans or ())
    for event in events:
        if isinstance(event, Settled | Tail):
            event.text.encode("utf-8")
            assert "\ufffd" not in event.text or any(
                "\udc98" in t or "\udcf0" in t for t in _all_tokens(backend)
            )
    assert [e.heard for e in settled(events)] == sorted(e.heard for e in settled(events))
    end = events[-1]
    assert isinstance(end, End)
    assert end.heard == samples
    _nothing_lost(policy, expression, backend, events, len(segments))


def _all_tokens(backend: RecordingBackend) -> list[str]:
    return [token for record in backend.records for token in record.candidate.tokens]


def _nothing_lost(
    policy: Policy, expression: str, backend: RecordingBackend, events: list[Event], segments: int
) -> None:
    """Every segment ends in its last candidate, or what is left out is reported as skipped."""
    finals = [
        r.candidate for r in backend.records if r.request.view.segment_final and r.candidate.source_text
    ]
    assert len(finals) == segments
    skipped = [e for e in events if isinstance(e, Skipped)]
    tokens: dict[int, list[str]] = {}
    for event in settled(events):
        tokens.setdefault(event.segment, []).extend(event.tokens)
    whole = [
        tuple(tokens.get(i, ()))[-len(final.tokens) :] == final.tokens
        for i, final in enumerate(finals)
        if final.tokens
    ]
    if any(word in expression for word in DROPS):
        assert all(whole) or skipped
    else:
        assert not skipped
        assert policy.revises or all(whole)


@every_policy
@quick
@given(seed=SEEDS)
def test_text_of_events_is_the_text_of_segments(expression: str, seed: int) -> None:
    """A client that only appends and takes back ends with the text of each segment's end."""
    segments, samples = script(seed)
    events = run(make_policy(expression), RecordingBackend(segments), samples)
    texts = replayed_text(events)
    for event in events:
        if event.type == "segment":
            assert texts.get(event.segment, "").strip() == event.text  # type: ignore[attr-defined]


@every_policy
@quick
@given(seed=SEEDS, feeds=st.lists(st.integers(1, 3 * CHUNK), min_size=1, max_size=4))
def test_decisions_do_not_depend_on_how_the_audio_was_cut(
    expression: str, seed: int, feeds: list[int]
) -> None:
    """Invariant 4."""
    policy = make_policy(expression)
    segments, samples = script(seed)
    whole = run(policy, RecordingBackend(segments), samples)
    cut = run(policy, RecordingBackend(segments), samples, [max(500, size) for size in feeds])
    assert timeless(_without_lag(cut)) == timeless(_without_lag(whole))


def _without_lag(events: list[Event]) -> list[Event]:
    return [e for e in events if e.type != "lag"]


class ThroughJson(Policy):
    """Another policy, whose state is stored as JSON and restored before every use."""

    def __init__(self, inner: Policy) -> None:
        self._inner = inner
        self.name = inner.name  # type: ignore[misc]
        self.revises = inner.revises  # type: ignore[misc]

    def _load(self, state: str) -> Any:
        return self._inner.load_state(json.loads(state))

    def _dump(self, state: Any) -> str:
        dumped = json.dumps(self._inner.dump_state(state))
        assert self._inner.load_state(json.loads(dumped)) == state
        return dumped

    def start(self) -> str:
        return self._dump(self._inner.start())

    def next_segment(self, state: str) -> str:
        return self._dump(self._inner.next_segment(self._load(state)))

    def plan(self, state: str, source: SourceView) -> Plan:
        return self._inner.plan(self._load(state), source)

    def judge(self, state: str, evidence: Evidence) -> tuple[str, Decision]:
        after, decision = self._inner.judge(self._load(state), evidence)
        return self._dump(after), decision


@every_policy
@quick
@given(seed=SEEDS)
def test_a_stored_state_has_the_same_future(expression: str, seed: int) -> None:
    """Invariant 7."""
    policy = make_policy(expression)
    segments, samples = script(seed)
    events = run(policy, RecordingBackend(segments), samples)
    assert run(ThroughJson(policy), RecordingBackend(segments), samples) == events


@every_policy
@quick
@given(seed=SEEDS)
def test_judging_is_a_function(expression: str, seed: int) -> None:
    """Two streams through one policy object do not disturb each other, and states are not changed in place."""
    policy = make_policy(expression)
    segments, samples = script(seed)
    other, others = script(seed + 1)
    alone = run(policy, RecordingBackend(segments), samples)
    run(policy, RecordingBackend(other), others)
    assert run(policy, RecordingBackend(segments), samples) == alone


class Watched(Policy):
    """Decodes even where another policy would read; `early`: what that one then decided."""

    def __init__(self, inner: Policy) -> None:
        self._inner = inner
        self.early: list[Decision] = []
        self.name = inner.name  # type: ignore[misc]
        self.revises = inner.revises  # type: ignore[misc]

    def start(self) -> Any:
        return self._inner.start()

    def next_segment(self, state: Any) -> Any:
        return self._inner.next_segment(state)

    def plan(self, state: Any, source: SourceView) -> Plan:
        plan = self._inner.plan(state, source)
        return Plan(PlanKind.DECODE) if plan.kind is PlanKind.READ and source.new > 0 else plan

    def judge(self, state: Any, evidence: Evidence) -> tuple[Any, Decision]:
        source = evidence.source
        reads = self._inner.plan(state, source).kind is PlanKind.READ
        after, decision = self._inner.judge(state, evidence)
        if reads and not source.segment_final and source.new > 0:
            self.early.append(decision)
        assert decision.commit >= 0
        assert decision.cut is None or source.segment_final or decision.cut <= source.heard
        return after, decision


@every_policy
@quick
@given(seed=SEEDS)
def test_who_plans_to_read_commits_nothing(expression: str, seed: int) -> None:
    """So that a combination may decode when another policy wants to."""
    segments, samples = script(seed)
    watched = Watched(make_policy(expression))
    run(watched, RecordingBackend(segments), samples)
    assert [decision.commit for decision in watched.early] == [0] * len(watched.early)


def test_the_watch_sees_where_a_policy_would_have_read() -> None:
    segments = [
        ScriptedSegment(0, 3 * CHUNK, tuple(Pass(k * CHUNK, Candidate((" a",) * k)) for k in (1, 2, 3)))
    ]
    watched = Watched(make_policy("offline"))
    run(watched, RecordingBackend(segments), 3 * CHUNK)
    assert [decision.commit for decision in watched.early] == [0, 0]
