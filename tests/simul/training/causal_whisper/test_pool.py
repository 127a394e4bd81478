"""Sound: recordings one after the other, equal files from equal sound, windows from where they may come."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from simul.errors import AudioError, SimulError, UsageError
from simul.training.causal_whisper.pool import GAP, KEPT_OUT, LIST, SOUND, SoundPool, prepare
from tests.simul.training.causal_whisper.toy import LENGTHS, RATE, noise


def test_recordings_lie_one_after_the_other_with_silence_between(prepared: Path) -> None:
    pool, sound = SoundPool(prepared), np.fromfile(prepared / SOUND, "<i2") / 32767
    assert [each.name for each in pool.sets] == ["a", "b"]
    # Files come in the order of their paths.
    expected = [("a", 0), ("a", 1), ("a", 2), ("b", 0)]
    starts = [at for each in pool.sets for at in each.starts]
    assert len(starts) == len(expected)
    for at, (name, number) in zip(starts, expected, strict=True):
        samples = noise(number, int(LENGTHS[name][number] * RATE))
        np.testing.assert_allclose(sound[at : at + len(samples)], samples, atol=2 / 32767)
        assert not sound[at + len(samples) : at + len(samples) + GAP].any()
    assert pool.seconds["b"] == pytest.approx(3.0 + GAP / RATE)
    assert len(sound) == pool.sets[-1].end


def test_equal_sound_gives_equal_files(sound: Path, prepared: Path, tmp_path: Path) -> None:
    prepare([sound / "a", sound / "b"], tmp_path)
    for name in (SOUND, LIST):
        assert (tmp_path / name).read_bytes() == (prepared / name).read_bytes()


def test_windows_follow_from_the_random_numbers_and_keep_to_their_side(prepared: Path) -> None:
    pool, length = SoundPool(prepared), RATE // 16
    first, second = (pool.draw(np.random.default_rng(3), 40, length) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert first.shape == (40, length)
    sound = np.fromfile(prepared / SOUND, "<i2").astype(np.float32) / np.float32(32767)
    views = np.lib.stride_tricks.sliding_window_view(sound, 300)
    sides = {each: each.end - int(KEPT_OUT * each.samples) for each in pool.sets}
    for kept_out in (False, True):
        for window in pool.draw(np.random.default_rng(3), 40, 300, kept_out):
            if not window.any():
                continue
            # The few faint samples behind a silence may be found twice.
            (places,) = np.nonzero((views == window).all(1))
            ranges = [(side, s.end) if kept_out else (s.start, side) for s, side in sides.items()]
            assert any(low <= at and at + 300 <= high for at in places for low, high in ranges)


def test_a_window_longer_than_a_set_ends_in_silence(prepared: Path) -> None:
    window = SoundPool(prepared).draw(np.random.default_rng(0), 1, 20 * RATE)[0]
    assert len(window) == 20 * RATE
    assert not window[-RATE:].any()


def test_what_cannot_be_used_is_named(prepared: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(AudioError, match="There is no audio in"):
        prepare([tmp_path / "empty"], tmp_path / "run")
    with pytest.raises(SimulError, match="prepare --output"):
        SoundPool(tmp_path)
    with pytest.raises(UsageError, match=r"together last 11\.3 s"):
        SoundPool(prepared).check(60 * RATE)
    (tmp_path / LIST).write_bytes((prepared / LIST).read_bytes())
    (tmp_path / SOUND).write_bytes((prepared / SOUND).read_bytes()[:-100])
    with pytest.raises(SimulError, match="has been cut; prepare it again"):
        SoundPool(tmp_path)
    (tmp_path / LIST).write_text("[]")
    with pytest.raises(SimulError, match="damaged"):
        SoundPool(tmp_path)
