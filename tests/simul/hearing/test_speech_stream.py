"""The audio of a stream: segments by pauses and by the window, trimming, guards; all without a model."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simul.backends.whisper_recognizer import word_ranges
from simul.hearing.speech_stream import LIMIT, PAUSES, SEARCH, SpeechStream
from simul.hearing.voice_activity import FRAME, SileroActivity
from simul.models.whisper.guard import GuardConfig
from simul.models.whisper.timing import token_spans
from simul.units import SAMPLE_RATE

CLIP = Path(__file__).parents[1] / "clips" / "lj001-0008.flac"


class Loud:
    """Calls a frame voiced when its energy says so: the detector of these tests."""

    def __call__(self, frames: np.ndarray) -> list[bool]:
        return [bool(np.abs(frame).max() > 0.05) for frame in frames]

    def dump(self) -> dict[str, Any]:
        return {}

    def load(self, dumped: Any) -> None:
        assert dumped == {}


def speech(*parts: tuple[float, bool]) -> np.ndarray:
    """Seconds of noise (True) or near-silence (False), one after another; every sample is different."""
    rng = np.random.default_rng(1)
    pieces = [(0.3 if loud else 0.001) * rng.uniform(0.5, 1, int(s * SAMPLE_RATE)) for s, loud in parts]
    return np.concatenate(pieces).astype(np.float32)


def segments(stream: SpeechStream) -> list[tuple[int, int, str]]:
    return [(span.start, span.end, span.cause) for span in stream.closed]


def run(audio: np.ndarray, cuts: list[int], vad: bool) -> tuple[list[tuple[int, int, str]], list[np.ndarray]]:
    stream = SpeechStream(Loud if vad else None)
    for a, b in zip([0, *cuts], [*cuts, len(audio)], strict=True):
        stream.push(audio[a:b])
    stream.end()
    found, sounds = segments(stream), []
    while stream.closed:
        sounds.append(stream.cut(stream.start, stream.until).copy())
        stream.next()
    return found, sounds


def test_a_pause_closes_a_segment_and_the_silence_between_is_left_out() -> None:
    audio = speech((3, False), (2, True), (2, False), (1, True), (0.3, False))
    found, sounds = run(audio, [], vad=True)
    assert [cause for _, _, cause in found] == ["pause", "end"]
    (a, b, _), (c, d, _) = found
    assert 3 * SAMPLE_RATE - PAUSES.lookback * FRAME <= a <= 3 * SAMPLE_RATE
    assert 5 * SAMPLE_RATE + 0.5 * SAMPLE_RATE <= b <= 5 * SAMPLE_RATE + 0.75 * SAMPLE_RATE
    assert b <= c <= 7 * SAMPLE_RATE
    assert d == len(audio)
    for (start, end, _), sound in zip(found, sounds, strict=True):
        np.testing.assert_array_equal(sound, audio[start:end])


def test_silence_alone_makes_no_segment_and_keeps_no_audio() -> None:
    stream = SpeechStream(Loud)
    for _ in range(30):
        stream.push(speech((1, False)))
        assert not stream.speaking
        assert len(stream._buffer) <= (PAUSES.lookback + 1) * FRAME
    stream.end()
    assert stream.final
    assert stream.finished
    assert not stream.speaking
    assert not stream.closed


def test_a_word_too_short_to_open_a_segment_is_kept_at_the_end() -> None:
    stream = SpeechStream(Loud)
    audio = speech((1, False), (0.07, True))
    stream.push(audio)
    assert not stream.speaking
    stream.end()
    assert stream.speaking
    assert stream.until == len(audio)


def test_after_fifteen_seconds_a_short_pause_is_enough() -> None:
    short, _ = run(speech((5, True), (0.4, False), (5, True)), [], vad=True)
    long, _ = run(speech((16, True), (0.4, False), (5, True)), [], vad=True)
    assert len(short) == 1
    assert [cause for _, _, cause in long] == ["pause", "end"]


@pytest.mark.parametrize("vad", [False, True])
def test_speech_without_a_pause_is_cut_at_its_quietest_place_and_none_of_it_is_lost(vad: bool) -> None:
    audio = speech((26.5, True), (0.21, False), (40, True))
    found, sounds = run(audio, [], vad=vad)
    assert [cause for _, _, cause in found] == ["limit", "limit", "end"]
    assert 26.5 * SAMPLE_RATE <= found[0][1] <= 26.71 * SAMPLE_RATE
    assert all(end - start <= LIMIT for start, end, _ in found)
    assert found[0][0] == 0
    assert all(a[1] == b[0] for a, b in itertools.pairwise(found))
    assert all(end - start >= LIMIT - SEARCH for start, end, cause in found if cause == "limit")
    np.testing.assert_array_equal(np.concatenate(sounds), audio)


@settings(max_examples=25)
@given(
    parts=st.lists(st.tuples(st.floats(0.05, 8), st.booleans()), min_size=1, max_size=8),
    shares=st.lists(st.floats(0, 1), max_size=12),
    vad=st.booleans(),
)
def test_segments_do_not_depend_on_how_the_audio_was_pushed(
    parts: list[tuple[float, bool]], shares: list[float], vad: bool
) -> None:
    audio = speech(*parts, (20, True), (1, False))
    whole, sounds = run(audio, [], vad)
    cut, cut_sounds = run(audio, sorted(int(s * len(audio)) for s in shares), vad)
    assert cut == whole
    for a, b in zip(sounds, cut_sounds, strict=True):
        np.testing.assert_array_equal(a, b)


def test_every_voiced_sample_lies_in_a_segment() -> None:
    audio = speech((0.5, False), (1, True), (1.5, False), (20, True), (0.4, False), (33, True), (0.9, False))
    found, _ = run(audio, [], vad=True)
    inside = np.zeros(len(audio), bool)
    for start, end, _ in found:
        assert not inside[start:end].any()
        inside[start:end] = True
    assert inside[np.abs(audio) > 0.05].all()


def test_trimming_moves_the_start_only_forward_and_frees_memory() -> None:
    stream = SpeechStream(None)
    audio = speech((10, True))
    stream.push(audio)
    stream.trim(6 * SAMPLE_RATE)
    assert (stream.start, stream.until) == (6 * SAMPLE_RATE, 10 * SAMPLE_RATE)
    stream.trim(2 * SAMPLE_RATE)
    assert stream.start == 6 * SAMPLE_RATE
    np.testing.assert_array_equal(stream.cut(stream.start, stream.until), audio[6 * SAMPLE_RATE :])
    assert len(stream._buffer) == 4 * SAMPLE_RATE
    stream.trim(99 * SAMPLE_RATE)
    assert stream.start == 10 * SAMPLE_RATE


def test_a_trimmed_rest_without_voice_counts_as_silent() -> None:
    stream = SpeechStream(Loud)
    stream.push(speech((2, True), (0.4, False)))
    assert stream.speaking
    stream.trim(int(2.1 * SAMPLE_RATE))
    assert not stream.speaking


def clip_frames() -> np.ndarray:
    """A reader, with a second of silence before and after."""
    pytest.importorskip("faster_whisper")
    pytest.importorskip("onnxruntime")
    import soundfile

    clip, rate = soundfile.read(CLIP, dtype="float32")
    assert rate == SAMPLE_RATE
    audio = np.concatenate([np.zeros(SAMPLE_RATE, np.float32), clip, np.zeros(SAMPLE_RATE, np.float32)])
    return audio[: len(audio) // FRAME * FRAME].reshape(-1, FRAME)


def test_silero_hears_a_reader_and_not_silence_however_the_frames_come() -> None:
    frames = clip_frames()
    whole = SileroActivity()(frames)
    one = SileroActivity()
    assert [one(frame[None])[0] for frame in frames] == whole
    assert not any(whole[: SAMPLE_RATE // FRAME - 2])
    assert not any(whole[-SAMPLE_RATE // FRAME + 8 :])
    assert np.mean(whole[SAMPLE_RATE // FRAME : -SAMPLE_RATE // FRAME]) > 0.7


@given(data=st.data())
def test_a_stream_goes_on_from_its_dump(data: st.DataObject) -> None:
    """Its dump is taken before the end or after it, and does not change with the stream."""
    audio = speech(
        (0.5, False), (1.2, True), (0.7, False), (0.4, True), (30, True), (0.8, False), (0.1, True)
    )
    cut = data.draw(st.integers(0, len(audio)))
    vad, ended = data.draw(st.booleans()), data.draw(st.booleans())
    one, other = (SpeechStream(Loud if vad else None) for _ in range(2))
    one.push(audio[:cut])
    if ended:
        one.end()
    elif one.closed:
        one.next()
        one.trim(one.start + 100)
    dumped = one.dump()
    other.load(dumped)
    before = other.dump()
    for stream in (one, other):
        if not ended:
            stream.push(audio[cut:])
        stream.end()
    np.testing.assert_equal(dumped, before)
    assert (one.received, one.voiced, one.final, one.finished) == (
        other.received,
        other.voiced,
        other.final,
        other.finished,
    )
    assert one.closed == other.closed
    while one.closed:
        np.testing.assert_array_equal(one.cut(one.start, one.until), other.cut(other.start, other.until))
        assert (one.voiced_end, one.closed_by) == (other.voiced_end, other.closed_by)
        one.next()
        other.next()


def test_silero_goes_on_from_its_dump() -> None:
    frames = clip_frames()
    whole, moving = SileroActivity(), SileroActivity()
    expected, voiced = [], []
    for begin in range(0, len(frames), 20):
        expected += whole(frames[begin : begin + 20])
        voiced += moving(frames[begin : begin + 20])
        dumped, left = moving.dump(), moving
        moving = SileroActivity()
        moving.load(dumped)
        left(frames[:20])
    assert voiced == expected


guard = GuardConfig()


@pytest.mark.parametrize(
    ("prefix", "ids", "kept"),
    [
        ([], [1, 2, 3, 4], 4),
        ([], [9, 1, 2, 1, 2, 1, 2, 1, 2], 3),
        ([], [9, 1, 2, 1, 2, 1, 2, 1, 2, 1], 3),
        ([1, 2, 1, 2], [1, 2, 1, 2], 0),
        ([], [5, 5, 5, 5, 5, 5], 6),
        ([], [7, *[5] * 8], 2),
        ([], [*range(10)] * 4, 10),
        ([], [1, 2, 1, 2, 1, 2, 7], 7),
    ],
)
def test_a_loop_is_cut_after_its_first_round(prefix: list[int], ids: list[int], kept: int) -> None:
    assert guard.without_loop(prefix, ids) == kept


def test_a_loop_begins_where_rounds_take_less_time_than_it_takes_to_say_them() -> None:
    said = [8000 * (i + 1) for i in range(6)]
    stuck = [said[-1] + 300 * (i + 1) for i in range(20)]
    loop = guard.loop([7] * 26)
    assert loop is not None
    assert (loop.begin, loop.length, loop.rounds) == (0, 1, 26)
    assert guard.spoken(loop, [*said, *stuck]) == 6
    assert guard.spoken(loop, [4000 * (i + 1) for i in range(26)]) is None
    pairs = guard.loop([9, *[1, 2] * 8, 1])
    assert pairs is not None
    assert (pairs.begin, pairs.length, pairs.rounds) == (1, 2, 8)
    ends = [1000, *(1000 + 5000 * (i + 1) for i in range(8)), *[41_200] * 9]
    assert guard.spoken(pairs, ends) == 9


@given(st.lists(st.integers(0, 50), unique=True, max_size=60))
def test_text_that_repeats_nothing_is_never_cut(ids: list[int]) -> None:
    assert guard.without_loop(ids[:7], ids[7:]) == len(ids[7:])


def test_the_budget_grows_with_the_audio_and_silence_needs_both_signs() -> None:
    assert guard.budget(0) == guard.slack
    assert guard.budget(2) == guard.slack + 30
    assert guard.is_silence(0.9, [-1.5, -1.2])
    assert not guard.is_silence(0.9, [-0.2])
    assert not guard.is_silence(0.3, [-3.0])
    assert not guard.is_silence(0.9, [])


def test_a_warping_path_becomes_spans_that_follow_each_other() -> None:
    pairs = [(0, 0), (0, 1), (1, 2), (2, 2), (2, 3), (2, 4), (3, 5), (3, 6)]
    assert token_spans(pairs, 3, 100_000).tolist() == [[0, 640], [640, 640], [640, 1600]]
    assert token_spans(pairs, 3, 1000).tolist() == [[0, 640], [640, 640], [640, 1000]]
    assert token_spans(pairs[:-2], 3, 100_000).tolist()[-1] == [640, 1600]


def test_words_are_cut_at_spaces_or_at_whole_characters() -> None:
    assert word_ranges((" he", "llo", ",", " you"), False) == [(0, 3), (3, 4)]
    first, second = "\udce4\udcbd", "\udca0"
    assert word_ranges((first, second, "好", "。"), True) == [(0, 2), (2, 4)]
    assert word_ranges((), False) == []
