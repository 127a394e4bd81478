"""Acceptance tests of Dugan et al. 2023: predicates, both loops of the evaluation, sessions, lagging as printed."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from latency_metrics.lagging import until_source_end
from policies import make_policy
from policies.consensus import resemblance
from policies.dugan import (
    ClipSegment,
    EvaluationLoop,
    Spoken,
    published_average_lagging,
    published_corpus_lagging,
)
from policies.segments import SegmentPolicy
from simul.session.events import Settled, Skipped
from tests.policies.evidence import commits, evidence, passes, segments
from tests.policies.scripts import RecordingBackend, run, script


def rule(expression: str) -> SegmentPolicy:
    policy = make_policy(expression)
    assert isinstance(policy, SegmentPolicy)
    return policy


def piece(end: float, text: str = " x", prob: float = 0.0, start: float = 0.0) -> ClipSegment:
    return ClipSegment(start, end, text, prob)


# 1. predicates


def test_gate_lets_its_limit_pass() -> None:
    pieces = [piece(1, prob=p) for p in (0.0, 0.9, 0.9000001, 1.0)]
    assert rule("greedy").accepts(pieces, None) == [True, True, False, False]


def test_confidence_is_strict_at_equality() -> None:
    policy = rule("confidence-aware(confidence_threshold=0.5)")
    pieces = [piece(1, prob=p) for p in (0.0, 0.4999, 0.5, 0.95)]
    assert policy.accepts(pieces, None) == [True, True, False, False]
    tenth = rule("confidence-aware(confidence_threshold=0.9)")
    assert tenth.accepts([piece(1, prob=1 - 0.9), piece(1, prob=0.0999)], None) == [False, True]


@given(st.lists(st.floats(0, 1).filter(lambda p: p != 0.9), max_size=8))
def test_confidence_of_a_tenth_is_greedy(probs: list[float]) -> None:
    pieces = [piece(1, prob=p) for p in probs]
    assert rule("confidence-aware(confidence_threshold=0.1)").accepts(pieces, None) == rule("greedy").accepts(
        pieces, None
    )


def test_consensus_needs_a_counterpart_in_the_last_pass() -> None:
    policy = rule("consensus(consensus_threshold=0.5)")
    pieces = [piece(1, " good day"), piece(2, " now")]
    assert policy.accepts(pieces, None) == [False, False]
    assert policy.accepts(pieces, []) == [False, False]
    assert policy.accepts(pieces, [" good day"]) == [True, False]
    assert policy.accepts(pieces, [" now", " good day"]) == [False, False]
    assert rule("consensus(consensus_threshold=0)").accepts(pieces, ["?"]) == [True, False]


def test_resemblance_on_known_values() -> None:
    assert resemblance("", "") == 1.0
    assert resemblance("a", "") == 0.0
    assert resemblance("lewenstein", "levenshtein") == pytest.approx(2 * 9 / 21)
    assert resemblance(" a b", " a c") == 0.75
    assert resemblance("ab", "ba") == 0.5


@settings(max_examples=200)
@given(st.text("abcd ", max_size=30), st.text("abcd ", max_size=30))
def test_resemblance_agrees_with_the_textbook_recursion(a: str, b: str) -> None:
    row = [0] * (len(b) + 1)
    for x in a:
        before, row = row, [0]
        for j, y in enumerate(b):
            row.append(before[j] + 1 if x == y else max(before[j + 1], row[j]))
    assert resemblance(a, b) == (2 * row[-1] / (len(a) + len(b)) if a or b else 1.0)


# 2. loops


def test_evaluation_adds_the_ends_of_all_spoken_segments() -> None:
    """Defect d: ends 2 s and 4 s advance by 6 s, and the loop asks for an empty clip."""
    loop = EvaluationLoop(rule("greedy(profile=faithful)"), 8.0, 5.0)
    assert loop.clip == (0.0, 5.0)
    loop.judge([piece(2.0, " a"), piece(4.0, " b")], [0.1, 0.2, 0.3])
    assert loop.clip == (6.0, 8.0)
    loop.judge([piece(2.0, " c")], [0.5, 0.6])
    assert loop.clip is None
    assert loop.spoken == [Spoken(" a", 5.1), Spoken(" b", 5.2), Spoken(" c", 10.5)]
    skipping = EvaluationLoop(rule("greedy(profile=faithful)"), 8.0, 4.0)
    skipping.judge([piece(2.0, " a"), piece(3.5, " b"), piece(4.0, " c")], [0, 0, 0, 0])
    assert skipping.clip == (9.5, 9.5)


def test_fixed_evaluation_advances_to_the_latest_end_and_queues() -> None:
    loop = EvaluationLoop(rule("greedy"), 8.0, 5.0)
    loop.judge([piece(2.0, " a"), piece(4.0, " b")], [0.1, 0.2, 4.0])
    assert loop.clip == (4.0, 8.0)
    loop.judge([piece(2.0, " c")], [0.5, 0.6])
    assert loop.spoken == [Spoken(" a", 5.1), Spoken(" b", 5.2), Spoken(" c", 9.5)]


def test_evaluation_speaks_after_a_rejected_segment() -> None:
    """Defect e; only consensus breaks off."""
    pieces = [piece(1.0, " a", 0.6), piece(2.0, " b", 0.1), piece(3.0, " c", 0.95), piece(4.0, " d", 0.1)]
    spoken = {}
    for profile in ("faithful", "fixed"):
        policy = rule(f"confidence-aware(confidence_threshold=0.5, profile={profile})")
        loop = EvaluationLoop(policy, 9.0, 5.0)
        spoken[profile] = [s.text for s in loop.judge(pieces, [0] * 5)]
    assert spoken == {"faithful": [" b", " d"], "fixed": []}
    loop = EvaluationLoop(rule("consensus(profile=faithful, consensus_threshold=0.9)"), 9.0, 4.0)
    loop.judge(pieces, [0] * 5)
    again = [piece(1.0, " a", 0.95), piece(2.0, " b"), piece(3.0, " x"), piece(4.0, " d")]
    assert [s.text for s in loop.judge(again, [0] * 5)] == [" b"]
    assert loop.clip == (2.0, 9.0)


def test_faithful_evaluation_loses_the_tail_and_fixed_speaks_it() -> None:
    """Defect g."""
    for profile, expected in (("faithful", [" a"]), ("fixed", [" a", " b"])):
        loop = EvaluationLoop(
            rule(f"confidence-aware(confidence_threshold=0.5, profile={profile})"), 4.0, 2.0
        )
        loop.judge([piece(1.0, " a")], [0, 0])
        loop.judge([piece(1.0, " b", 0.7)], [0, 0])
        assert [s.text for s in loop.spoken] == expected
        assert not loop.needs_offline


def test_offline_speaks_the_whole_clip() -> None:
    """Defect j: the faithful loop runs all passes for nothing."""
    offline = make_policy("offline")
    fixed = EvaluationLoop(offline, 5.0, 2.0, faithful=False)  # type: ignore[arg-type]
    assert fixed.clip is None
    faithful = EvaluationLoop(offline, 5.0, 2.0, faithful=True)  # type: ignore[arg-type]
    asked = []
    while faithful.clip is not None:
        asked.append(faithful.clip)
        faithful.judge([piece(1.0)], [0.1, 0.1])
    assert asked == [(0.0, 2.0), (0.0, 4.0), (0.0, 5.0)]
    for loop in (fixed, faithful):
        assert loop.needs_offline
        loop.offline(" all", 0.75)
        assert loop.spoken == [Spoken(" all", 5.75)]


def test_policies_in_a_session_follow_their_profile() -> None:
    parts = segments((0, 1, "a b", 0.8), (1, 2, "c", 0.1), (2, 3, "d e", 0.7))
    fixed = make_policy("confidence-aware(confidence_threshold=0.5)")
    faithful = make_policy("confidence-aware(confidence_threshold=0.5, profile=faithful)")
    assert commits(fixed, evidence(**parts)) == [0]
    (decision,) = passes(faithful, evidence(**parts, source=None))
    assert (decision.commit, decision.accept) == (3, (False, False, True, False, False))
    assert (decision.cut, decision.forget, decision.drop_context) == (2 * 16000, 1, True)
    good = segments((0, 1, "a b", 0.1), (1, 2, "c", 0.8))
    (decision,) = passes(fixed, evidence(**good))
    assert (decision.commit, decision.accept, decision.cut, decision.forget) == (2, None, 16000, 2)


def test_consensus_counts_from_the_first_unspoken_segment() -> None:
    policy = make_policy("consensus(consensus_threshold=0.9)")
    first = evidence(**segments((0, 1, "one two", 0), (1, 2, "three", 0)))
    second = evidence(**segments((0, 1, "one two", 0), (1, 2, "tree house", 0)))
    third = evidence(**segments((1, 2, "tree house", 0)), fresh=(" one", " two"))
    assert commits(policy, first, second, third) == [0, 2, 2]


def test_what_a_faithful_session_loses_is_reported() -> None:
    lost = said = 0
    for seed in range(30):
        parts, samples = script(seed)
        backend = RecordingBackend(parts)
        events = run(make_policy("confidence-aware(profile=faithful)"), backend, samples)
        lost += sum(isinstance(e, Skipped) for e in events)
        said += sum(isinstance(e, Settled) for e in events)
    assert lost > 20
    assert said > 20


# 3. average lagging


@settings(max_examples=300)
@given(
    delays=st.lists(st.integers(1, 40000), min_size=1, max_size=30),
    source=st.integers(1000, 20000),
    reference=st.integers(1, 40),
    adaptive=st.booleans(),
)
def test_printed_lagging_is_one_reference_token_above_the_standard(
    delays: list[int], source: int, reference: int, adaptive: bool
) -> None:
    delays = sorted(d + (d == source) for d in delays)
    tokens = max(reference, len(delays)) if adaptive else reference
    standard = until_source_end([float(d) for d in delays], tokens / source, float(source))
    printed = published_average_lagging([float(d) for d in delays], float(source), reference, adaptive)
    assert printed == pytest.approx(standard + source / tokens, abs=1e-6)


def test_offline_lagging_and_corpus_mean() -> None:
    assert published_average_lagging([9500.0] * 20, 9500.0, 20) == pytest.approx(5462.5)
    assert published_average_lagging([10000.0, 10000.0], 9500.0, 19) == 10500.0
    assert published_average_lagging([], 9500.0, 20) is None
    assert published_corpus_lagging([None, 0.0, 2.0, 4.0]) == 3.0
    assert published_corpus_lagging([None, 0.0]) is None
