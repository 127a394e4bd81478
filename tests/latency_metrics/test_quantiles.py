"""Quantiles: the smallest value that so large a share of all values does not exceed."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from latency_metrics.quantiles import quantiles

VALUES = st.lists(st.integers(-1000, 1000).map(float), min_size=1, max_size=60)


@given(VALUES, st.integers(0, 64))
def test_a_quantile_is_the_smallest_value_that_suffices(values: list[float], share: int):
    """Shares in sixty-fourths, whose products with a count are exact."""
    (found,) = quantiles(values, share / 64)
    assert found in values
    assert 64 * sum(v <= found for v in values) >= share * len(values)
    assert 64 * sum(v < found for v in values) < share * len(values) or found == min(values)


def test_known_values():
    assert quantiles([3.0, 1.0, 2.0, 4.0], 0.0, 0.25, 0.26, 0.5, 0.75, 0.76, 1.0) == (1, 1, 2, 2, 3, 4, 4)
    assert quantiles(range(1, 21), 0.05, 0.95, 0.951) == (1, 19, 20)
    assert quantiles(np.array([7.0]), 0.5) == (7.0,)
    assert quantiles([5.0, 1.0]) == ()


@pytest.mark.parametrize("values", [[], np.zeros(0)])
def test_nothing_has_no_quantile(values):
    assert all(math.isnan(value) for value in quantiles(values, 0.5, 0.95))
