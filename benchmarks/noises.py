"""Sound without words: silence, a fan, music, the babble of many voices played backwards; the same at every run."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from simul.units import SAMPLE_RATE, Samples

LEVEL = 0.05
"""Root mean square of everything but silence; speech at a desk microphone has about as much."""
CHORDS = ((57, 60, 64, 69), (53, 57, 60, 65), (48, 52, 55, 60), (55, 59, 62, 67))
"""A minor, F, C and G, as MIDI notes."""
BEAT = SAMPLE_RATE // 4


def silence(seconds: float) -> Samples:
    """Nothing at all."""
    return np.zeros(round(seconds * SAMPLE_RATE), np.float32)


def fan(seconds: float) -> Samples:
    """A ventilator: noise that falls off with frequency, the hum of a motor, and blades that pass."""
    count = round(seconds * SAMPLE_RATE)
    white = np.random.default_rng(1).standard_normal(count)
    spectrum = np.fft.rfft(white)
    spectrum /= np.maximum(np.fft.rfftfreq(count, 1 / SAMPLE_RATE), 60) ** 0.75
    noise = np.fft.irfft(spectrum, count)
    noise /= noise.std()
    time = np.arange(count) / SAMPLE_RATE
    hum = sum(np.sin(2 * np.pi * 50 * k * time) / k for k in (1, 2, 3, 5))
    return _level((noise + 0.3 * hum) * (1 + 0.2 * np.sin(2 * np.pi * 11 * time)))


def music(seconds: float) -> Samples:
    """Chords that are held, and an arpeggio of plucked strings over them."""
    count = round(seconds * SAMPLE_RATE)
    sound = np.zeros(count + 16 * BEAT)
    order = np.random.default_rng(2)
    for beat in range(count // BEAT):
        chord = CHORDS[beat // 8 % len(CHORDS)]
        at = beat * BEAT
        if beat % 8 == 0:
            for note in chord:
                _add(sound, at, 0.3 * _tone(note - 12, 8 * BEAT, 0.8))
        _add(sound, at, _tone(chord[order.integers(len(chord))] + 12, 4 * BEAT, 4.0))
    return _level(sound[:count])


def babble(voices: Sequence[Samples], seconds: float) -> Samples:
    """Voices at one level, each backwards and over and over, so that there is speech but no word."""
    count = round(seconds * SAMPLE_RATE)
    return _level(sum((np.resize(_level(voice[::-1]), count) for voice in voices), np.zeros(count)))


def _tone(note: int, count: int, decay: float) -> NDArray[np.float64]:
    """A note with seven overtones that fades by `decay` nepers a second; begins and ends without a click."""
    time = np.arange(count) / SAMPLE_RATE
    pitch = 440 * 2 ** ((note - 69) / 12)
    sound = sum(np.sin(2 * np.pi * pitch * k * time) * np.exp(-decay * k * time / 2) / k for k in range(1, 9))
    ramp = np.minimum(1, np.minimum(time, time[::-1]) / 0.005)
    return np.asarray(sound * ramp)


def _add(sound: NDArray[np.float64], at: int, tone: NDArray[np.float64]) -> None:
    sound[at : at + len(tone)] += tone


def _level(sound: NDArray[np.floating]) -> Samples:
    return (sound * (LEVEL / np.sqrt(np.mean(np.square(sound))))).astype(np.float32)
