"""Where decisions fall: whole chunks however the audio was cut, or one turn for all that is there."""

from __future__ import annotations

import json

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from simul.session.pace import Pace


@given(cuts=st.lists(st.integers(0, 25), max_size=12))
def test_turns_are_chunks_in_order_whatever_the_cutting(cuts: list[int]) -> None:
    pace, samples = Pace(10), np.arange(sum(cuts), dtype=np.float32)
    turns, at = [], 0
    for size in cuts:
        turns += pace.push(samples[at : at + size])
        at += size
        assert pace.waiting == at % 10
        assert pace.taken == at - at % 10
    assert [len(turn.samples) for turn in turns] == [10] * (len(samples) // 10)
    assert not any(turn.passed_over for turn in turns)
    heard = np.concatenate([*(turn.samples for turn in turns), pace.rest()])
    np.testing.assert_array_equal(heard, samples)
    assert pace.taken == len(samples)


def test_all_that_is_there_is_one_turn_that_says_what_it_passed_over() -> None:
    pace = Pace(10)
    (turn,) = pace.push(np.arange(47, dtype=np.float32), coalesce=True)
    assert (len(turn.samples), turn.passed_over, pace.waiting) == (40, 3, 7)
    assert isinstance(turn.passed_over, int)
    assert list(pace.push(np.zeros(2, np.float32), coalesce=True)) == []
    (turn,) = pace.push(np.zeros(1, np.float32), coalesce=True)
    assert (len(turn.samples), turn.passed_over) == (10, 0)


def test_what_waits_is_stored_with_it() -> None:
    pace = Pace(10)
    list(pace.push(np.linspace(0, 1, 17, dtype=np.float32)))
    other = Pace(10)
    other.load(**json.loads(json.dumps(pace.dump())))
    assert (other.taken, other.waiting) == (10, 7)
    rest = other.rest()
    np.testing.assert_array_equal(rest, np.linspace(0, 1, 17, dtype=np.float32)[10:])
    assert rest.dtype == np.float32
    assert (other.taken, other.waiting) == (17, 0)


def test_the_rest_of_nothing_is_sound_of_no_length() -> None:
    rest = Pace(10).rest()
    assert (len(rest), rest.dtype) == (0, np.float32)
