"""Combinations are minima and maxima of token counts, exactly, and their states are those of their parts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from policies import Evidence, PlanKind, Policy, PolicyError, SourceView, StopRule, make_policy
from policies.combinators import AllOf, AnyOf, Then, tightest
from tests.policies.evidence import commits, evidence, passes, segments, view
from tests.policies.scripts import CHUNK, candidate_of, script

PARTS = (
    "local-agreement",
    "local-agreement(words=false, compare=normalized)",
    "hold-n(n=2)",
    "hold-n(n=1, words=false)",
    "align-att",
    "edatt(alpha=0.4)",
    "wait-k(k=2)",
    "align-bridge(margin_ms=100)",
    "token-confidence",
    "consensus(frame_ms=0)",
    "pause",
    "timeout(local-agreement(n=4), after_ms=1000)",
)
quick = settings(max_examples=80, suppress_health_check=list(HealthCheck), derandomize=True)


def stream(seed: int) -> list[Evidence]:
    """The evidence of one segment whose passes do not depend on what is committed: nothing ever is."""
    segments, _ = script(seed)
    given = []
    for number, one in enumerate(segments[0].passes):
        source = SourceView(one.heard, CHUNK, units=one.units, activity=one.activity)
        given.append(Evidence(replace(source, segment_final=number == 99), (), one.candidate))
    return given


@quick
@given(seed=st.integers(0, 10**6), names=st.lists(st.sampled_from(PARTS), min_size=2, max_size=4))
def test_all_of_and_any_of_are_minimum_and_maximum(seed: int, names: list[str]) -> None:
    given = stream(seed)
    parts = tuple(make_policy(name) for name in names)
    alone = [commits(part, *given) for part in parts]
    assert commits(AllOf(parts), *given) == [min(column) for column in zip(*alone, strict=True)]
    assert commits(AnyOf(parts), *given) == [max(column) for column in zip(*alone, strict=True)]
    nested = AllOf((parts[0], AnyOf(parts)))
    assert commits(nested, *given) == alone[0]


@quick
@given(
    seed=st.integers(0, 10**6),
    name=st.sampled_from(PARTS),
    hold=st.sampled_from(["word-hold", "hold-n(n=1)"]),
)
def test_then_never_commits_more_than_its_first(seed: int, name: str, hold: str) -> None:
    given = stream(seed)
    first, second = make_policy(name), make_policy(hold)
    alone = commits(first, *given)
    together = commits(Then((first, second)), *given)
    assert all(a <= b for a, b in zip(together, alone, strict=True))
    cut = [
        replace(item, candidate=replace(item.candidate, committable=count))
        for item, count in zip(given, alone, strict=True)
    ]
    assert together == commits(second, *cut)


@quick
@given(seed=st.integers(0, 10**6), name=st.sampled_from(PARTS))
def test_combining_with_itself_changes_nothing(seed: int, name: str) -> None:
    given, part = stream(seed), make_policy(name)
    decisions = [d.commit for d in passes(part, *given)]
    for combined in (
        AllOf((part, part)),
        AnyOf((part, part)),
        AllOf((part, make_policy("hold-n(n=0, words=false)"))),
    ):
        assert [d.commit for d in passes(combined, *given)] == decisions


def test_all_of_plans_when_all_do_and_any_of_when_one_does() -> None:
    parts: tuple[Policy, ...] = (make_policy("offline"), make_policy("hold-n"))
    for combined, kind in ((AllOf(parts), PlanKind.READ), (AnyOf(parts), PlanKind.DECODE)):
        assert combined.plan(combined.start(), view()).kind is kind
        assert combined.plan(combined.start(), view(final=True)).kind is PlanKind.DECODE


def test_needs_are_those_of_all_parts() -> None:
    combined = make_policy("any-of(align-att, then(sp-n, word-hold))")
    assert {need.name for need in combined.needs} == {"TOKENS", "ALIGNMENT", "BEAMS"}
    assert {need.name for need in make_policy("gate(hold-n)").needs} == {"TOKENS", "ACTIVITY"}


def test_stop_rules_combine_to_where_the_decoder_may_stop() -> None:
    assert tightest([StopRule(100), StopRule(300, -1.0), StopRule(suppress_end=True)]) == StopRule(
        300, -1.0, True
    )
    either = make_policy(
        "any-of(align-att(normalize=none, distance_ms=100), align-att(normalize=none, distance_ms=50))"
    )
    assert either.plan(either.start(), view()).stop == StopRule(800)
    mixed = make_policy("any-of(align-att(normalize=none), token-confidence)")
    assert mixed.plan(mixed.start(), view()).stop is None


def test_timeout_forces_old_words_only() -> None:
    ends = np.array([[0, int(e * 16000)] for e in (1.0, 4.0, 9.0, 9.1, 9.5)])
    policy = make_policy("timeout(offline, after_ms=5000, guard_ms=1000)")
    early, late = evidence("a b c d e", view(4.9)), evidence("a b c d e", view(10.0), spans=ends)
    decisions = passes(policy, early, late)
    assert [(d.commit, d.forced, d.reason) for d in decisions] == [(0, False, ""), (3, True, "timeout")]
    assert commits(policy, evidence("a b c d", view(10.0))) == [3]


def test_audio_is_cut_only_behind_what_the_combination_commits() -> None:
    """A segment policy would cut behind its own commitment, of which another policy lets less through."""
    parts = segments((0, 1, "a b", 0.1), (1, 2, "c d", 0.1))
    (alone,) = passes(make_policy("greedy"), evidence(**parts))
    assert (alone.commit, alone.cut, alone.forget) == (4, 2 * 16000, 4)
    (held,) = passes(make_policy("all-of(greedy, hold-n(n=1))"), evidence(**parts))
    assert (held.commit, held.cut, held.forget) == (3, None, 0)
    (either,) = passes(make_policy("any-of(greedy, hold-n(n=1))"), evidence(**parts))
    assert (either.commit, either.cut, either.forget) == (4, 2 * 16000, 4)


def test_revising_policies_and_wrong_numbers_of_parts_are_refused() -> None:
    for expression in (
        "all-of(offline)",
        "switch(offline, offline, offline)",
        "timeout(offline, offline)",
        "gate",
    ):
        with pytest.raises(PolicyError, match="takes"):
            make_policy(expression)
    with pytest.raises(PolicyError, match="takes text back"):
        make_policy("then(sliding-window, word-hold)")


def test_scripts_hold_what_combinations_need() -> None:
    """The random streams above do commit, differ, and contain drafts."""
    import random

    counts = {tuple(commits(make_policy(name), *stream(seed))) for name in PARTS for seed in range(20)}
    assert len(counts) > 60
    rng = random.Random(0)
    assert any(
        candidate_of(rng, [" a"] * 5, range(1, 6), 0, CHUNK).committable is not None for _ in range(30)
    )
