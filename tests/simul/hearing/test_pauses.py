"""Pause segmentation: made-up sounds with known pauses, and read prose with the borders of its sentences."""

from __future__ import annotations

import csv
from itertools import pairwise

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from segmenter import SegmenterError
from simul.hearing.pauses import PauseSegmenter
from tests.vectors import VECTORS

RATE = 16_000


def talk(seconds: list[float], rate: int = RATE, noise: float = 1e-4) -> NDArray[np.float64]:
    """Pause, sound, pause, sound, ... of the given lengths; the sound has syllables, the pauses faint noise."""
    dice = np.random.default_rng(1)
    parts = []
    for place, length in enumerate(seconds):
        time = np.arange(round(length * rate)) / rate
        syllables = 0.6 + 0.4 * np.sin(2 * np.pi * 4 * time)
        voice = sum(np.sin(2 * np.pi * 120 * k * time) / k for k in range(1, 20))
        parts.append(0.1 * syllables * voice * (place % 2) + noise * dice.standard_normal(len(time)))
    return np.concatenate(parts)


def borders(seconds: list[float], rate: int = RATE) -> list[tuple[float, float]]:
    """Start and end of each sound of ``talk`` in samples."""
    edges = np.cumsum(seconds) * rate
    return [(float(a), float(b)) for a, b in pairwise(edges)][::2]


@pytest.mark.parametrize("rate", [8000, 16_000, 22_050, 44_100, 48_000])
def test_sounds_are_found_within_40_ms(rate: int) -> None:
    plan = [0.7, 1.5, 0.5, 2.0, 0.4, 0.6, 1.1]
    spans = PauseSegmenter(rate).speech(talk(plan, rate))
    assert len(spans) == 3
    for span, (start, end) in zip(spans, borders(plan, rate), strict=True):
        assert abs(span.start - start) <= 0.04 * rate
        assert abs(span.end - end) <= 0.04 * rate


def test_short_pauses_join_and_short_sounds_go() -> None:
    plan = [1.0, 1.0, 0.15, 1.0, 1.0, 0.03, 1.0]
    spans = PauseSegmenter().speech(talk(plan))
    assert len(spans) == 1
    assert len(PauseSegmenter(min_pause_s=0.05).speech(talk(plan))) == 2
    assert len(PauseSegmenter(min_speech_s=0.0).speech(talk(plan))) == 2


@pytest.mark.parametrize("gain", [0.01, 0.1, 3.0])
def test_gain_and_offset_move_nothing(gain: float) -> None:
    audio = talk([0.7, 1.5, 0.5, 2.0, 0.8])
    assert PauseSegmenter().speech(gain * audio) == PauseSegmenter().speech(audio)
    assert len(PauseSegmenter().speech(gain * audio + 0.2)) == 2


def test_a_background_that_rises_does_not_hide_the_pauses() -> None:
    plan = [1.0, 2.0] * 12 + [1.0]
    audio = talk(plan)
    hiss = np.linspace(0.005, 0.02, len(audio)) * np.random.default_rng(2).standard_normal(len(audio))
    spans = PauseSegmenter().speech(audio + hiss)
    assert len(spans) == 12
    for span, (start, end) in zip(spans, borders(plan), strict=True):
        assert abs(span.start - start) <= 0.1 * RATE
        assert abs(span.end - end) <= 0.1 * RATE


def test_integers_are_read_at_their_scale() -> None:
    audio = talk([0.7, 1.5, 0.5, 1.0, 0.7], noise=1e-3)
    assert PauseSegmenter().speech(np.int16(audio * 32767)) == PauseSegmenter().speech(audio)


@pytest.mark.parametrize("audio", [[], np.zeros(RATE), np.zeros(RATE, np.int16), np.full(RATE, 0.3)])
def test_no_sound_has_no_speech(audio: NDArray) -> None:
    assert PauseSegmenter().speech(audio) == []
    assert PauseSegmenter().segments(audio) == []


def test_sound_without_pauses_is_all_speech_and_parted_at_the_limit() -> None:
    audio = talk([0.0, 30.0])
    (span,) = PauseSegmenter().speech(audio)
    assert len(span) > 29.8 * RATE
    segments = PauseSegmenter(max_segment_s=8).segments(audio)
    assert segments[0].start == 0
    assert segments[-1].end == len(audio)
    assert all(a.end == b.start for a, b in pairwise(segments))
    assert all(2 * RATE * 0.9 < len(segment) <= 8 * RATE for segment in segments)


def test_a_long_segment_is_parted_at_its_quietest_place() -> None:
    plan = [0.5, 3.0, 0.2, 3.5, 0.5]
    segments = PauseSegmenter(max_segment_s=5).segments(talk(plan))
    assert len(segments) == 2
    assert 3.5 * RATE <= segments[0].end <= 3.7 * RATE


def test_margins_stay_within_the_pause() -> None:
    plan = [0.5, 1.0, 0.4, 1.0, 0.5]
    first, second = PauseSegmenter(margin_s=5.0).segments(talk(plan))
    assert (first.start, second.end) == (0, round(sum(plan) * RATE))
    assert first.end == second.start


@settings(max_examples=40)
@given(
    st.lists(st.floats(0.0, 3.0), max_size=8),
    st.floats(0.0, 0.6),
    st.floats(1.0, 4.0),
    st.sampled_from([8000, 16_000, 44_100]),
)
def test_segments_are_in_order_and_hold_all_speech(
    plan: list[float], margin: float, limit: float, rate: int
) -> None:
    audio = talk(plan, rate) if plan else np.zeros(0)
    segmenter = PauseSegmenter(rate, margin_s=margin, max_segment_s=limit)
    segments = segmenter.segments(audio)
    assert all(0 <= segment.start < segment.end <= len(audio) for segment in segments)
    assert all(a.end <= b.start for a, b in pairwise(segments))
    assert all(len(segment) <= round(limit * rate) for segment in segments)
    inside = np.zeros(len(audio), bool)
    for segment in segments:
        inside[segment.start : segment.end] = True
    for span in segmenter.speech(audio):
        assert inside[span.start : span.end].all()


def test_pauses_between_the_sentences_of_a_reader() -> None:
    """Every pause between 49 sentences read aloud is found, and nearly all of the speech is kept."""
    folder = VECTORS / "newgate-reading"
    audio, rate = soundfile.read(folder / "longform-a.opus")
    with (folder / "longform-a.segments.tsv").open(encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines, delimiter="\t"))
    sentences = [(float(row["speech_start"]) * rate, float(row["speech_end"]) * rate) for row in rows]
    active = np.zeros(len(audio), bool)
    for span in PauseSegmenter(rate).speech(audio):
        active[span.start : span.end] = True
    for (_, end), (start, _) in pairwise(sentences):
        assert not active[int(end) : int(start)].all()
        assert active[int(end) : int(start)].mean() < 0.5
    assert np.mean([active[int(start) : int(end)].mean() for start, end in sentences]) > 0.95


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sample_rate": 0}, "sample_rate"),
        ({"min_pause_s": -1.0}, "must not be negative"),
        ({"max_segment_s": 0.1}, "max_segment_s"),
    ],
)
def test_senseless_options_are_refused(options: dict, message: str) -> None:
    with pytest.raises(SegmenterError, match=message):
        PauseSegmenter(**options)


@pytest.mark.parametrize(
    ("audio", "message"), [(np.zeros((5, 2)), "mix channels"), (np.array([0.0, np.nan]), "not finite")]
)
def test_unfit_audio_is_refused(audio: NDArray, message: str) -> None:
    with pytest.raises(SegmenterError, match=message):
        PauseSegmenter().speech(audio)
