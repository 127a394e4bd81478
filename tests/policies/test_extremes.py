"""The ends of each parameter: where a policy becomes Offline, Greedy, or the policy inside it."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from policies import make_policy, policy_names
from simul.session.events import Event, Settled
from tests.policies.scripts import RecordingBackend, run, script

HUGE = 10**9
SEEDS = st.integers(0, 10**6)
quick = settings(max_examples=12, suppress_health_check=list(HealthCheck), derandomize=True)

OFFLINE = {
    "wait-k": f"wait-k(k={HUGE})",
    "local-agreement": f"local-agreement(n={HUGE})",
    "hold-n": f"hold-n(n={HUGE})",
    "sp-n": f"sp-n(n={HUGE})",
    "align-att": f"align-att(distance_ms={HUGE})",
    "edatt": "edatt(alpha=0)",
    "align-bridge": f"align-bridge(margin_ms={HUGE})",
    "token-confidence": "token-confidence(threshold=1)",
    "segment-confidence": "segment-confidence(threshold=0)",
    "confidence-aware": "confidence-aware(confidence_threshold=1)",
    "consensus": f"consensus(frame_ms={HUGE})",
    "greedy": f"greedy(frame_ms={HUGE})",
    "pause": f"pause(silence_ms={HUGE})",
    "all-of": "all-of(offline, hold-n(n=0))",
    "any-of": "any-of(offline, offline)",
    "then": "then(offline, word-hold)",
    "timeout": f"timeout(offline, after_ms={HUGE})",
    "switch": f"switch(hold-n, offline, measure=segment-ms, above={HUGE})",
    "offline": "offline",
}
INNER = {
    "stream-att": (
        f"stream-att(local-agreement, audio=times, keep={HUGE}, max_audio_s={HUGE})",
        "local-agreement",
    ),
    "loop-guard": (f"loop-guard(hold-n, repeats={HUGE}, slack={HUGE})", "hold-n"),
    "all-of": ("all-of(hold-n(n=2), hold-n(n=0))", "hold-n(n=2)"),
    "any-of": ("any-of(hold-n(n=2), offline)", "hold-n(n=2)"),
    "then": ("then(hold-n(n=2), word-hold)", "hold-n(n=2)"),
    "word-hold": ("word-hold", "hold-n(n=0)"),
    "phrase-hold": ("phrase-hold(words=1)", "hold-n(n=0)"),
    "punctuation-hold": (
        "then(punctuation-hold, word-hold)",
        "then(hold-n(n=0), punctuation-hold, word-hold)",
    ),
    "switch": ("switch(hold-n, offline, measure=segment-ms, above=0)", "hold-n"),
    "wait-k": ("wait-k(k=1, chunk_ms=10, stride_write=0)", "hold-n(n=0)"),
    "token-confidence": ("token-confidence(threshold=0)", "hold-n(n=0)"),
    "edatt": (f"edatt(alpha={HUGE}, words=false)", "hold-n(n=0, words=false)"),
    "greedy": ("greedy(frame_ms=0, no_speech_limit=1)", "hold-n(n=0, words=false)"),
    "confidence-aware": (
        "confidence-aware(confidence_threshold=0.1, frame_ms=0)",
        "greedy(frame_ms=0)",
    ),
}
ELSEWHERE = {"gate", "sliding-window"}
"""Their ends are in test_failures.py and below."""


def commits(events: list[Event]) -> list[tuple[int, int, str]]:
    """What was settled, and how much had been heard then."""
    return [(e.segment, e.heard, e.text) for e in events if isinstance(e, Settled)]


def outcome(expression: str, seed: int) -> list[tuple[int, int, str]]:
    segments, samples = script(seed)
    return commits(run(make_policy(expression), RecordingBackend(segments), samples))


def test_every_policy_has_its_ends() -> None:
    assert set(OFFLINE) | set(INNER) | ELSEWHERE == set(policy_names())


@pytest.mark.parametrize("name", OFFLINE)
@quick
@given(seed=SEEDS)
def test_becomes_offline(name: str, seed: int) -> None:
    assert outcome(OFFLINE[name], seed) == outcome("offline", seed)


@pytest.mark.parametrize("name", INNER)
@quick
@given(seed=SEEDS)
def test_becomes_another_policy(name: str, seed: int) -> None:
    outer, inner = INNER[name]
    assert outcome(outer, seed) == outcome(inner, seed)


@quick
@given(seed=SEEDS)
def test_a_window_without_end_retranslates_the_whole_segment(seed: int) -> None:
    """The text that stands at the end is Offline's."""
    segments, samples = script(seed)
    texts = []
    for expression in (f"sliding-window(window_ms={HUGE})", "offline"):
        events = run(make_policy(expression), RecordingBackend(segments), samples)
        texts.append([e.text for e in events if e.type == "segment"])  # type: ignore[attr-defined]
    assert texts[0] == texts[1]
