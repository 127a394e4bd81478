"""Times from Python: arrays of any library become lists, and what is no time is told in one sentence."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from latency_metrics import (
    Instance,
    MetricsError,
    RecordingHypothesis,
    ReferenceSegment,
    play,
    score_shortform,
)
from segmenter import MwerSegmenter, SegmenterError, SoftSegmenter, align_tokens

TIMES = [100.0, 200.0, 300.0]


def laal(delays: Any) -> list[float]:
    one = Instance(prediction="a b c", reference="a b c", source_length=400.0, delays=delays)
    return [score.value for score in score_shortform([one], quality=False).scores]


@pytest.mark.parametrize(
    "delays",
    [
        tuple(TIMES),
        np.array(TIMES),
        np.array(TIMES, np.float32),
        np.array(TIMES, int),
        np.array(TIMES, ">f8")[::-1][::-1],
        np.ma.masked_array(TIMES),
        memoryview(np.array(TIMES)),
        [np.float32(time) for time in TIMES],
    ],
)
def test_arrays_score_as_lists(delays: Any) -> None:
    np.testing.assert_equal(laal(delays), laal(TIMES))


@pytest.mark.parametrize(
    ("delays", "said"),
    [
        ([1.0, math.nan, 3.0], "The delays of instance 0: number 2 is nan"),
        ([1.0, math.inf, 3.0], "number 2 is inf"),
        ([1e300, 1.0, 3.0], "number 1 is 1e"),
        ([10**400, 1.0, 3.0], "number 1 is 1000"),
        (["1", "2", "3"], "number 1 is '1'"),
        ([None, 2.0, 3.0], "number 1 is None"),
        ([1j, 2.0, 3.0], "number 1 is 1j"),
        ("123", "are a str"),
        (np.ones((3, 2)), r"shape \(3, 2\) and type float64"),
        (np.array([1, 2, "x"], object), "type object"),
        (np.ma.masked_array(TIMES, [0, 1, 0]), "type float64"),
        ({1.0, 2.0}, "are a set"),
        ((time for time in TIMES), "are a generator"),
    ],
)
def test_what_is_no_time_is_told(delays: Any, said: str) -> None:
    with pytest.raises(MetricsError, match=said):
        laal(delays)
    with pytest.raises(MetricsError):
        RecordingHypothesis("talk", ["a", "b", "c"], elapsed=delays)
    with pytest.raises(MetricsError):
        play(delays, [10.0, 10.0, 10.0])


def test_segments_have_finite_times() -> None:
    for wrong in (math.nan, "1", None):
        with pytest.raises(MetricsError, match="offset"):
            ReferenceSegment("talk", wrong, 1000.0)  # type: ignore[arg-type]


@pytest.mark.parametrize("texts", [[1, 2], None, [b"a"], [["a"]], np.array(["a", None], object)])
def test_segmenters_take_texts(texts: Any) -> None:
    for align in (SoftSegmenter().align, MwerSegmenter().align):
        with pytest.raises(SegmenterError, match="list of texts"):
            align(texts, ["a"])
        with pytest.raises(SegmenterError, match="list of texts"):
            align(["a"], texts)
    with pytest.raises(SegmenterError, match="list of texts"):
        align_tokens(texts, [0, 1], ["a"])
