"""Speech output: playback intervals, silences, the figures made from them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latency_metrics import (
    RTF,
    DiscontinuityAve,
    DiscontinuityNum,
    DiscontinuitySum,
    EndOffset,
    Instance,
    MetricsError,
    PlaybackLag,
    play,
    spoken_hypothesis,
)

CHUNKS = st.lists(st.tuples(st.integers(0, 3000), st.integers(1, 2500)), min_size=1, max_size=15)


def test_timeline_by_hand() -> None:
    timeline = play([1000, 1500, 4000], [800, 700, 100], source_length=5000)
    assert timeline.intervals == [(1000, 800), (1800, 700), (4000, 100)]
    assert timeline.silences == [1500]
    assert timeline.silence_samples == [24000]
    assert (timeline.offset, timeline.end) == (1000, 4100)
    assert timeline.audio_seconds == pytest.approx(3.1)


def test_figures_of_speech_output() -> None:
    speech = Instance(delays=[1000, 1500, 4000], durations=[800, 700, 100], source_length=4000)
    assert DiscontinuitySum().instance(speech) == 1500
    assert DiscontinuityAve().instance(speech) == 1500
    assert DiscontinuityNum().instance(speech) == 1
    assert EndOffset().instance(speech) == 100
    assert RTF().instance(speech) == pytest.approx(4100 / 4000)
    assert RTF(playback=False).instance(speech) == 1
    assert PlaybackLag().instance(speech) == pytest.approx((800 + 1000 + 100) / 3)


def test_text_output_has_no_discontinuities() -> None:
    score = DiscontinuitySum().corpus([Instance(index=2, delays=[1.0], source_length=1.0)])
    assert "not speech output" in score.notices[0].reason


def test_nothing_said() -> None:
    timeline = play([], [], source_length=5000)
    assert (timeline.offset, timeline.end, timeline.audio_seconds) == (5000, None, 0)


def test_one_duration_for_each_delay() -> None:
    with pytest.raises(MetricsError, match="2 delays and 1 durations"):
        play([1, 2], [1])


@given(CHUNKS)
def test_playback_conserves_time(chunks: list[tuple[int, int]]) -> None:
    delays = [sum(gap for gap, _ in chunks[: i + 1]) for i in range(len(chunks))]
    durations = [duration for _, duration in chunks]
    timeline = play(delays, durations)
    assert timeline.end is not None
    assert timeline.end - delays[0] == sum(durations) + sum(timeline.silences)
    for (start, _), delay in zip(timeline.intervals, delays, strict=True):
        assert start >= delay
    for (start, duration), (after, _) in zip(timeline.intervals, timeline.intervals[1:], strict=False):
        assert after >= start + duration


def test_spoken_words_count_when_they_end() -> None:
    hypothesis = spoken_hypothesis("talk", [("guten", 1000, 1400), ("Tag", 1500, 2100)])
    assert hypothesis.text == "guten Tag"
    assert hypothesis.delays == [1400, 2100]
