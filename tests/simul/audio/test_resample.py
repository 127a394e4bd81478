"""The resampler: same output for any cut, exact length, no shift, quality against theory and against soxr."""

import numpy as np
import pytest
import soxr
from hypothesis import given, settings
from hypothesis import strategies as st

from simul.audio import StreamResampler, resampled_length
from simul.errors import AudioError, UsageError

RATES = [8000, 11025, 12000, 22050, 24000, 32000, 44100, 48000]


def resample(samples: np.ndarray, in_rate: int, out_rate: int = 16000) -> np.ndarray:
    resampler = StreamResampler(in_rate, out_rate)
    return np.concatenate([resampler.push(samples), resampler.finish()])


def tone(frequency: float, rate: int, seconds: float = 1.0) -> np.ndarray:
    return np.sin(2 * np.pi * frequency * np.arange(round(rate * seconds)) / rate).astype(np.float32)


def decibels(ratio: float) -> float:
    return 10 * np.log10(ratio)


@settings(max_examples=100)
@given(
    st.sampled_from([*RATES, 16000, 12345]),
    st.sampled_from([16000, 24000]),
    st.lists(st.one_of(st.integers(0, 9), st.integers(0, 1500)), max_size=25),
    st.integers(0, 3000),
)
def test_output_is_bit_identical_for_any_cut(in_rate, out_rate, cuts, length):
    samples = np.random.default_rng(length).standard_normal(length).astype(np.float32)
    pieces = StreamResampler(in_rate, out_rate)
    made, at = [], 0
    for cut in cuts:
        made.append(pieces.push(samples[at : at + cut]))
        at += cut
    made += [pieces.push(samples[at:]), pieces.finish()]
    whole = resample(samples, in_rate, out_rate)
    assert np.concatenate(made).tobytes() == whole.tobytes()
    assert len(whole) == resampled_length(length, in_rate, out_rate)


def test_length_is_the_ceiling_of_the_exact_ratio():
    assert resampled_length(0, 44100) == 0
    assert resampled_length(1, 48000) == 1
    assert resampled_length(441, 44100) == 160
    assert resampled_length(442, 44100) == 161
    assert resampled_length(3600 * 44100 * 10, 44100) == 3600 * 16000 * 10


@pytest.mark.parametrize("rate", RATES)
def test_tones_of_the_passband_come_through_unshifted(rate):
    for fraction in (0.02, 0.3, 0.6, 0.84):
        frequency = fraction * min(rate, 16000) / 2
        made = resample(tone(frequency, rate), rate)
        expected = tone(frequency, 16000)
        middle = slice(400, -400)
        error = np.mean((made[middle] - expected[: len(made)][middle]) ** 2) / np.mean(expected[middle] ** 2)
        assert decibels(error) < -75, (rate, frequency)


@pytest.mark.parametrize("rate", [22050, 24000, 32000, 44100, 48000])
def test_what_would_alias_is_suppressed(rate):
    for frequency in (8050, 9000, 0.49 * rate):
        made = resample(tone(frequency, rate), rate)[400:-400]
        assert decibels(np.mean(made**2) / 0.5) < -75, (rate, frequency)


@pytest.mark.parametrize("rate", [8000, 22050, 44100, 48000])
def test_speech_band_noise_agrees_with_soxr(rate):
    spectrum = np.fft.rfft(np.random.default_rng(1).standard_normal(2 * rate))
    frequencies = np.fft.rfftfreq(2 * rate, 1 / rate)
    spectrum[frequencies > 0.84 * min(rate, 16000) / 2] = 0
    samples = (0.1 * np.fft.irfft(spectrum)).astype(np.float32)
    ours, theirs = resample(samples, rate), soxr.resample(samples, rate, 16000, quality="VHQ")
    assert len(ours) == len(theirs)
    middle = slice(800, -800)
    assert decibels(np.mean((ours - theirs)[middle] ** 2) / np.mean(theirs[middle] ** 2)) < -75


def test_constant_in_constant_out():
    for rate in RATES:
        np.testing.assert_allclose(
            resample(np.full(rate // 4, 0.5, np.float32), rate)[300:-300], 0.5, atol=1e-6
        )


@pytest.mark.parametrize("rate", [8000, 44100, 48000])
def test_output_is_never_later_than_promised(rate):
    resampler = StreamResampler(rate)
    heard = made = 0
    for size in [1, 7, 160, 33, 441, 1000] * 20:
        heard += size
        made += len(resampler.push(np.zeros(size, np.float32)))
        assert heard / rate - made / 16000 < 0.01


def test_equal_rates_pass_through_untouched():
    samples = np.random.default_rng(0).standard_normal(1000).astype(np.float32)
    assert resample(samples, 16000).tobytes() == samples.tobytes()


def test_misuse_is_refused():
    resampler = StreamResampler(48000)
    with pytest.raises(UsageError, match=r"of shape \(10, 2\)"):
        resampler.push(np.zeros((10, 2), np.float32))
    assert len(resampler.finish()) == 0
    assert len(resampler.finish()) == 0
    with pytest.raises(ValueError, match="after finish"):
        resampler.push(np.zeros(10, np.float32))
    for rate in (0, 3999, 192001, 16000.5, True):
        with pytest.raises(AudioError, match="cannot be used"):
            StreamResampler(rate)
