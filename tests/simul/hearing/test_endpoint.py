"""The endpointer: where utterances start and end, over any sequence of voiced and unvoiced frames."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simul.hearing.endpoint import EndpointConfig, Endpointer

SMALL = EndpointConfig(
    lookback=4, start_voiced=2, pause=5, short_pause=2, end_share=0.8, soft_limit=10, hard_limit=15
)


def changes(frames, config=SMALL):
    endpointer = Endpointer(config)
    return [endpointer.push(bool(frame)) for frame in frames]


def test_start_needs_the_voiced_share():
    assert changes([0, 1, 0, 0, 0, 1, 0, 0]) == ["none"] * 8
    assert changes([0, 1, 0, 1]) == ["none", "none", "none", "start"]


def test_pause_ends_an_utterance():
    got = changes([1, 1, 1, 0, 0, 0, 0, 0])
    assert got[1] == "start"
    assert got.index("pause") == 6  # four of the last five frames unvoiced


def test_a_short_pause_is_enough_after_the_soft_limit():
    assert changes([1] * 9 + [0, 0])[10] == "pause"
    assert changes([1] * 7 + [0, 0])[8] == "none"


def test_hard_limit_ends_continuous_speech():
    got = changes([1] * 40)
    ends = [i for i, change in enumerate(got) if change == "limit"]
    assert ends[0] == 14
    assert ends[1] - ends[0] == 15


@given(st.lists(st.booleans(), max_size=300))
def test_starts_and_ends_alternate_and_lengths_are_bounded(frames):
    endpointer = Endpointer(SMALL)
    length, open_ = 0, False
    for frame in frames:
        change = endpointer.push(frame)
        if change == "start":
            assert not open_
            open_, length = True, 0
        elif change in ("pause", "limit"):
            assert open_
            open_ = False
        length += open_
        assert length <= SMALL.hard_limit
        assert endpointer.in_speech == open_


@pytest.mark.parametrize(
    "wrong", [{"start_voiced": 0}, {"start_voiced": 99}, {"short_pause": 0}, {"soft_limit": 9000}]
)
def test_impossible_thresholds_are_refused(wrong):
    with pytest.raises(ValueError):
        EndpointConfig(**wrong)
