"""Evidence written by hand, for decision tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from policies import Activity, Alignment, Candidate, Decision, Evidence, Policy, Segment, SourceView

SECOND = 16000


def view(heard: float = 10.0, silence: float | None = None, final: bool = False, **more: Any) -> SourceView:
    """A source of `heard` seconds, all new, with `silence` seconds at its end where that is known."""
    activity = None if silence is None else Activity(int(silence * SECOND), 1.0)
    samples = int(heard * SECOND)
    return SourceView(
        **{"heard": samples, "new": samples, "segment_final": final, "activity": activity, **more}
    )


def evidence(
    text: str | Sequence[str],
    source: SourceView | None = None,
    committed: Sequence[str] = (),
    fresh: Sequence[str] = (),
    **candidate: Any,
) -> Evidence:
    """A candidate of the words of `text` (or of the tokens given)."""
    tokens = tuple(f" {word}" for word in text.split()) if isinstance(text, str) else tuple(text)
    return Evidence(source or view(), tuple(committed), Candidate(tokens, **candidate), tuple(fresh))


def attention(peaks: Sequence[int], frames: int, sink: float = 0.0, frame: int = 640) -> Alignment:
    """Attention of tokens that each have a peak at one frame, over a little noise and a sink at frame 0."""
    rng = np.random.default_rng(3)
    weights = rng.random((len(peaks), frames)).astype(np.float32) * 0.01
    weights[np.arange(len(peaks)), list(peaks)] += 0.3
    weights[:, 0] += sink
    return Alignment(weights, frame, 0)


def segments(*parts: tuple[float, float, str, float]) -> dict[str, Any]:
    """Tokens and segments of (start s, end s, text, no-speech probability); one token a word."""
    tokens = [f" {word}" for part in parts for word in part[2].split()]
    pieces = tuple(
        Segment(int(start * SECOND), int(end * SECOND), f" {text}", prob, len(text.split()))
        for start, end, text, prob in parts
    )
    return {"text": tokens, "segments": pieces}


def passes(policy: Policy, *given: Evidence) -> list[Decision]:
    """The decisions on a series of evidence."""
    state, decisions = policy.start(), []
    for item in given:
        state, decision = policy.judge(state, item)
        decisions.append(decision)
    return decisions


def commits(policy: Policy, *given: Evidence) -> list[int]:
    """How many tokens each decision commits."""
    return [decision.commit for decision in passes(policy, *given)]
