"""The level meter on signals whose level is known."""

import numpy as np
import pytest

from simul.audio import LevelMeter


def test_levels_of_a_sine():
    sine = 0.5 * np.sin(2 * np.pi * 1000 * np.arange(16000) / 16000)
    level = LevelMeter().push(sine.astype(np.float32))
    assert level.peak_dbfs == pytest.approx(-6.02, abs=0.01)
    assert level.rms_dbfs == pytest.approx(-9.03, abs=0.01)
    assert not level.clipped
    assert not level.no_signal


def test_silence_reads_as_a_number_and_is_no_signal_after_two_seconds():
    meter = LevelMeter()
    readings = [meter.push(np.zeros(8000, np.float32)) for _ in range(5)]
    assert [level.no_signal for level in readings] == [False, False, False, True, True]
    assert readings[0].rms_dbfs == readings[0].peak_dbfs == -120
    assert not meter.push(np.full(10, 0.01, np.float32)).no_signal
    assert not meter.push(np.zeros(8000, np.float32)).no_signal


def test_clipping_is_seen_at_the_ends_of_16_bit_audio_and_counted():
    meter = LevelMeter()
    assert meter.push(np.float32([0.1, 32767 / 32768])).clipped
    assert meter.push(np.float32([-1.0, 1.3])).clipped
    assert not meter.push(np.float32([0.9])).clipped
    assert meter.clipped_samples == 3
    assert meter.peak_dbfs == pytest.approx(2.28, abs=0.01)


def test_an_empty_piece_changes_nothing():
    meter = LevelMeter()
    assert meter.push(np.zeros(0, np.float32)).peak_dbfs == -120
    assert meter.clipped_samples == 0
