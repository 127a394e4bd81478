"""The path through attention against the plain recurrence."""

from __future__ import annotations

import itertools

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from simul.models.whisper.timing import warp


@settings(max_examples=60)
@given(seed=st.integers(0, 10_000), tokens=st.integers(1, 7), steps=st.integers(1, 12))
def test_warping_finds_the_path_of_the_plain_recurrence(seed: int, tokens: int, steps: int) -> None:
    cost = np.random.default_rng(seed).normal(0, 1, (tokens, steps))
    total = np.full((tokens + 1, steps + 1), np.inf)
    total[0, 0] = 0
    for i, j in itertools.product(range(tokens), range(steps)):
        total[i + 1, j + 1] = cost[i, j] + min(total[i, j], total[i, j + 1], total[i + 1, j])
    path = warp(cost)
    assert path[0] == (0, 0)
    assert path[-1] == (tokens - 1, steps - 1)
    moves = {(b[0] - a[0], b[1] - a[1]) for a, b in itertools.pairwise(path)}
    assert moves <= {(0, 1), (1, 0), (1, 1)}
    np.testing.assert_allclose(sum(cost[i, j] for i, j in path), total[-1, -1], atol=1e-9)
