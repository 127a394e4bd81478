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


def gains(names: tuple[str, ...] | None, count: int) -> list[float]:
    """How loud what sounds in one channel alone is in the mix, for each channel; the bass one with bass."""
    found = []
    for place in range(count):
        frames = np.zeros((8_000, count), np.float32)
        frames[:, place] = np.sin(2 * np.pi * (60 if place == 3 else 400) * np.arange(8_000) / RATE)
        found.append(round(float(np.abs(mixed(frames, names=names)[0]).max()), 3))
    return found


def weighted(*weights: float) -> list[float]:
    return [round(weight / sum(weights), 3) for weight in weights]


@pytest.mark.parametrize(
    ("names", "weights"),
    [
        ("FL FR LFE", (0.7, 0.7, 0)),
        ("FL FR FC", (0.7, 0.7, 1)),
        ("FL FR BL BR", (0.7, 0.7, 0.5, 0.5)),
        ("FL FR FC LFE SL SR", (0.7, 0.7, 1, 0, 0.5, 0.5)),
        ("FL FR FC LFE BC SL SR", (0.7, 0.7, 1, 0, 0.5, 0.5, 0.5)),
        ("FL FR FC LFE BL BR SL SR", (0.7, 0.7, 1, 0, 0.5, 0.5, 0.5, 0.5)),
        ("FL FR FC LFE BL BR TFL TFR TBL TBR", (0.7, 0.7, 1, 0, *[0.5] * 6)),
        ("AMBI0 AMBI1 AMBI2 AMBI3", (1, 0, 0, 0)),
    ],
)
def test_every_layout_is_weighted_as_broadcasters_do(names, weights):
    assert gains(tuple(names.split()), len(weights)) == pytest.approx(weighted(*weights), abs=0.002)


@pytest.mark.parametrize(
    ("count", "weights"),
    [
        (3, (0.7, 0.7, 1)),
        (4, (0.7, 0.7, 0.5, 0.5)),
        (5, (0.7, 0.7, 1, 0.5, 0.5)),
        (6, (0.7, 0.7, 1, 0, 0.5, 0.5)),
        (7, (0.7, 0.7, 1, 0, 0.5, 0.5, 0.5)),
        (8, (0.7, 0.7, 1, 0, 0.5, 0.5, 0.5, 0.5)),
        (9, (1,) * 9),
    ],
)
def test_channels_of_which_only_the_number_is_known(count, weights):
    assert gains(None, count) == pytest.approx(weighted(*weights), abs=0.002)


@pytest.mark.parametrize("count", [6, 7, 8])
def test_a_voice_where_the_bass_would_be_makes_all_channels_equal(count):
    frames = np.zeros((len(VOICE), count), np.float32)
    frames[:, 3] = VOICE
    mono, mixer = mixed(frames)
    np.testing.assert_allclose(mono[6_400:], VOICE[6_400:] / count, atol=1e-6)
    assert mixer.surrounding == 0
    named, trusted = mixed(frames, names=("FL", "FR", "FC", "LFE", "BL", "BR", "SL", "SR")[:count])
    assert not named.any()
    assert trusted.surrounding == count - 1


def test_bass_stays_out_whatever_it_is():
    at = np.arange(5 * RATE)
    clicks = np.where(at % 8_000 == 0, 0.5, 0) + 0.3 * np.sin(2 * np.pi * 40 * at / RATE)
    offset = 0.5 + 1e-5 * np.random.default_rng(1).standard_normal(len(at))
    for bass in (np.sin(2 * np.pi * 110 * at / RATE), clicks, offset):
        frames = np.zeros((len(at), 6), np.float32)
        frames[:, 3] = bass
        mono, mixer = mixed(frames)
        assert not mono.any()
        assert mixer.surrounding == 5


@pytest.mark.parametrize(
    "names",
    ["SL SR FC", "FLC FRC FC", "TFL TFR FC", "FC WL WR", None],
    ids=["side", "wide", "high", "last", "9"],
)
def test_each_pair_of_sides_is_turned(names):
    listed = tuple(names.split()) if names else None
    left = next(place for place, name in enumerate(listed) if "L" in name) if listed else 2
    frames = np.zeros((len(VOICE), len(listed) if listed else 9), np.float32)
    frames[:, left], frames[:, left + 1] = VOICE, -VOICE
    mono, mixer = mixed(frames, names=listed)
    assert energy(mono) > 0.03 * energy(VOICE)
    assert mixer.opposed_seconds > 2.5


def test_no_mix_is_louder_than_its_channels():
    for count in range(2, 17):
        mono, _ = mixed(np.ones((800, count), np.float32))
        assert np.abs(mono).max() <= 1 + 1e-6
