"""Channels to mono: weights, opposite polarity, and the same result for every way to cut the input."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simul.audio import ChannelMixer
from tests.simul.audio.recordings import noise

RATE = 16_000
VOICE = noise(3.0, RATE)


def mixed(frames: np.ndarray, cuts: tuple[int, ...] = (), **options) -> tuple[np.ndarray, ChannelMixer]:
    mixer = ChannelMixer(RATE, frames.shape[1], **options)
    found = [mixer.push(piece) for piece in np.split(frames, cuts)]
    return np.concatenate([*found, mixer.finish()]), mixer


def energy(samples: np.ndarray) -> float:
    return float(np.mean(np.square(samples[1600:], dtype=np.float64)))


def hiss(seed: int, level: float) -> np.ndarray:
    return (level * np.random.default_rng(seed).standard_normal(len(VOICE))).astype(np.float32)


@pytest.mark.parametrize("level", [0.0, 1e-4, 1e-2])
@pytest.mark.parametrize("offset", [0.0, 0.2])
@pytest.mark.parametrize("gain", [1.0, 0.6])
def test_opposite_polarity_is_turned(level, offset, gain):
    frames = np.stack([VOICE + hiss(1, level), offset - gain * VOICE + hiss(2, level)], 1)
    mono, mixer = mixed(frames)
    assert energy(mono - mono.mean()) > 0.6 * energy(VOICE)
    assert mixer.opposed_seconds > 2.5


@pytest.mark.parametrize("pause", [0.0, 0.7])
def test_it_is_turned_within_a_tenth_of_a_second_of_the_first_word(pause):
    quiet = np.zeros(round(pause * RATE), np.float32)
    voice = np.concatenate([quiet, VOICE])
    room = (0.001 * np.random.default_rng(5).standard_normal((len(voice), 2))).astype(np.float32)
    mono, _ = mixed(np.stack([voice, -voice], 1) + room)
    heard = mono[len(quiet) + 1600 :]
    assert np.mean((heard - VOICE[1600:]) ** 2) < 0.01 * energy(VOICE)


@pytest.mark.parametrize(
    "frames",
    [
        np.stack([VOICE, VOICE], 1),
        np.stack([VOICE, 0 * VOICE], 1),
        np.stack([VOICE, noise(3.0, RATE, 9)], 1),
        np.stack([hiss(1, 0.1), hiss(2, 0.1)], 1),
        np.stack([VOICE, np.roll(VOICE, 8)], 1),
        np.zeros((48_000, 2), np.float32),
        np.tile(np.float32([[0.3, -0.3]]), (48_000, 1)),
    ],
    ids=["equal", "one dead", "two voices", "noise", "late", "silence", "constant"],
)
def test_what_does_not_cancel_is_their_mean(frames):
    mono, mixer = mixed(frames.astype(np.float32))
    np.testing.assert_allclose(mono, frames.mean(1), atol=1e-6)
    assert mixer.opposed_seconds == 0


def test_polarity_that_is_put_right_in_the_middle():
    frames = np.concatenate([np.stack([VOICE, -VOICE], 1), np.stack([VOICE, VOICE], 1)])
    mono, _ = mixed(frames)
    assert energy(mono[: len(VOICE)]) > 0.9 * energy(VOICE)
    assert energy(mono[len(VOICE) + 1600 :]) > 0.9 * energy(VOICE)


def test_pairs_of_surround_sound_are_turned_each_for_itself():
    quiet = np.zeros_like(VOICE)
    frames = np.stack([quiet, quiet, quiet, quiet, VOICE, -VOICE], 1)
    mono, mixer = mixed(frames)
    assert energy(mono) == pytest.approx(energy(VOICE / 3.4), rel=0.01)
    assert mixer.opposed_seconds > 2.5


@settings(max_examples=30)
@given(st.lists(st.integers(0, 9_000), max_size=12), st.sampled_from([2, 3, 4, 6, 8, 11]))
def test_every_cut_of_the_input_gives_the_same(places, channels):
    frames = np.random.default_rng(3).uniform(-1, 1, (9_000, channels)).astype(np.float32)
    frames[2_000:5_000, 1] = -frames[2_000:5_000, 0]
    whole, _ = mixed(frames)
    assert len(whole) == len(frames)
    assert mixed(frames, tuple(sorted(places)))[0].tobytes() == whole.tobytes()
