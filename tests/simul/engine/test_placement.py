"""Borders of admission and placement; all numbers are binary fractions, so that borders are exact."""

from __future__ import annotations

from simul.engine.placement import place, rebalance, refusal


def test_a_stream_that_just_fits_is_taken() -> None:
    assert place([0.5], 0.25, limit=0.75) == 0
    assert refusal(2, 0.5, 0.25, limit=0.75) is None
    assert place([0.5], 0.28, limit=0.75) is None


def test_a_stream_moves_where_the_difference_is_larger_than_the_margin() -> None:
    assert rebalance([0.25, 0.5], 0.0625, margin=0.25) is None
    assert rebalance([0.25, 0.75], 0.0625, margin=0.25) == (1, 0)
    assert rebalance([0.5, 0.5], 0.0625, margin=0.25) is None
    assert rebalance([0.25, 0.75], 0.25, margin=0.25) is None, "they would only change places"


def test_a_refusal_says_what_it_would_come_to() -> None:
    assert refusal(0, 0.25, 0.75, limit=0.5) == (
        "This machine is too slow for the stream: it would take 100% of it, and 50% may be used; choose a smaller "
        "model or a longer chunk."
    )
    assert refusal(3, 0.5, 0.25, limit=0.5) == (
        "This machine is full: 3 streams use 50% of it, one more would make 75%, and 50% may be used; try again when "
        "one has ended."
    )
