"""Time stretch: exact length, pitch kept, no clicks; pauses trimmed to what was asked and nothing else."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tts import SynthesizedSpeech, TtsError, WordMark, stretch, stretch_speech, trim_pauses

RATE = 16000


def tone(frequency, seconds, rate=RATE):
    return (0.5 * np.sin(2 * np.pi * frequency * np.arange(round(seconds * rate)) / rate)).astype(np.float32)


def voice(frequency, seconds, rate=RATE):
    """A pulse-like voiced sound: twenty harmonics falling off, as a vowel has."""
    time = np.arange(round(seconds * rate)) / rate
    harmonics = range(1, 21)
    sound = sum(np.cos(2 * np.pi * frequency * k * time) / k for k in harmonics)
    return (0.1 * sound).astype(np.float32)


def pitch(samples, rate=RATE, low=60, high=400):
    """Fundamental frequency by the first high peak of the autocorrelation, between samples by a parabola."""
    x = samples - samples.mean()
    spectrum = np.fft.rfft(x, 2 * len(x))
    correlation = np.fft.irfft(np.abs(spectrum) ** 2)[: len(x)]
    correlation /= np.arange(len(x), 0, -1)
    first, last = int(rate / high), int(rate / low)
    high_enough = np.flatnonzero(correlation[first:last] > 0.8 * correlation[first:last].max())[0]
    k = first + int(high_enough)
    k += int(np.argmax(correlation[k : k + rate // 400]))
    a, b, c = correlation[k - 1 : k + 2]
    return rate / (k + 0.5 * (a - c) / (a - 2 * b + c))


@settings(max_examples=60)
@given(st.integers(0, 6000), st.floats(0.5, 2.0), st.sampled_from([8000, 16000, 22050]))
def test_the_length_is_exact(length, speed, rate):
    samples = np.random.default_rng(length).standard_normal(length).astype(np.float32)
    out = stretch(samples, rate, speed)
    assert len(out) == (length if speed == 1 else round(length / speed))
    assert out.dtype == np.float32
    assert np.isfinite(out).all()
    assert np.abs(out).max(initial=0) <= np.abs(samples).max(initial=0) + 1e-5


@pytest.mark.parametrize("speed", [0.8, 1.05, 1.1, 1.25, 1.6])
@pytest.mark.parametrize("frequency", [85.0, 120.0, 210.0, 330.0])
def test_pitch_is_kept(frequency, speed):
    sound = voice(frequency, 1.5)
    out = stretch(sound, RATE, speed)
    middle = out[2000:-2000]
    assert pitch(middle) == pytest.approx(frequency, rel=0.01)
    level = np.sqrt(np.mean(middle**2)) / np.sqrt(np.mean(sound**2))
    assert level == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize("speed", [0.8, 1.1, 1.25])
def test_no_clicks(speed):
    sound = voice(140.0, 1.5)
    out = stretch(sound, RATE, speed)
    steepest = np.abs(np.diff(sound)).max()
    assert np.abs(np.diff(out)).max() <= 1.05 * steepest
    # A pure tone stays one: nothing but the tone above -35 dB.
    pure = stretch(tone(440.0, 1.5), RATE, speed)[1000:-1000]
    spectrum = np.abs(np.fft.rfft(pure * np.hanning(len(pure)))) ** 2
    bins = np.fft.rfftfreq(len(pure), 1 / RATE)
    near = np.abs(bins - 440) < 25
    assert spectrum[~near].sum() < 10**-3.5 * spectrum[near].sum()


def test_events_stay_in_proportion():
    samples = np.zeros(RATE * 3, np.float32)
    at = [4000, 16000, 30000, 44000]
    for place in at:
        samples[place : place + 1600] = tone(300, 0.1)
    out = stretch(samples, RATE, 1.25)
    loud = np.flatnonzero(np.abs(out) > 0.02)
    firsts = [loud[0], *(b for a, b in pairwise(loud) if b - a > 1600)]
    np.testing.assert_allclose(firsts, [place / 1.25 for place in at], atol=0.02 * RATE)


def test_speed_one_returns_the_same_samples_and_words_move_with_the_sound():
    speech = SynthesizedSpeech(voice(100, 1.0), RATE, (WordMark(0, 3, 0), WordMark(4, 2, 8000)))
    assert stretch_speech(speech, 1.0) is speech
    faster = stretch_speech(speech, 1.25)
    assert len(faster.samples) == 12800
    assert [word.sample for word in faster.words] == [0, 6400]
    assert [word.start for word in faster.words] == [0, 4]


@pytest.mark.parametrize("speed", [0.0, 0.49, 2.01, float("nan")])
def test_speeds_out_of_range_are_refused(speed):
    with pytest.raises(TtsError, match=r"0\.5 to 2"):
        stretch(np.zeros(100, np.float32), RATE, speed)


def test_pauses_are_trimmed_to_the_limit_and_words_keep_their_sound():
    word, gap = tone(250, 0.3), np.zeros(RATE // 2, np.float32)
    samples = np.concatenate([word, gap, word, np.zeros(800, np.float32), word, gap])
    starts = [0, len(word) + len(gap), 2 * len(word) + len(gap) + 800]
    speech = SynthesizedSpeech(samples, RATE, tuple(WordMark(4 * i, 3, s) for i, s in enumerate(starts)))
    out = trim_pauses(speech, 0.15)
    assert len(samples) - len(out.samples) == pytest.approx(2 * 0.35 * RATE, abs=4)
    for mark, was in zip(out.words, starts, strict=True):
        np.testing.assert_allclose(
            out.samples[mark.sample : mark.sample + len(word)], samples[was : was + len(word)], atol=1e-6
        )
    again = trim_pauses(out, 0.15)
    assert len(again.samples) == pytest.approx(len(out.samples), abs=4)


def test_sound_without_pauses_is_left_alone_and_silence_shrinks_to_the_limit():
    speech = SynthesizedSpeech(voice(100, 1.0), RATE)
    assert trim_pauses(speech, 0.05) is speech
    assert len(trim_pauses(SynthesizedSpeech(np.zeros(RATE, np.float32), RATE), 0.1).samples) == RATE // 10
    empty = SynthesizedSpeech(np.zeros(0, np.float32), RATE)
    assert trim_pauses(empty, 0.1) is empty
    with pytest.raises(TtsError, match=r"0\.01"):
        trim_pauses(speech, 0.001)
