"""A Whisper folder of random weights and recordings of noise, enough to run the recipe in a second."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np

from tests.simul.models.whisper.toy import random_weights, write_weights

RATE = 16_000
LENGTHS = {"a": (2.5, 1.0, 4.0), "b": (3.0,)}
"""Seconds of the recordings of each set."""


def noise(seed: int, length: int) -> np.ndarray:
    """Noise whose loudness changes by powers of ten."""
    rng = np.random.default_rng(seed)
    loud = np.repeat(10 ** rng.uniform(-4, -0.5, length // 2000 + 1), 2000)[:length]
    return (rng.normal(size=length) * loud).clip(-1, 1).astype(np.float32)


def write_model(folder: Path, seed: int = 0) -> Path:
    """A folder that says it is a Whisper model of CTranslate2 and holds an encoder."""
    write_weights(folder / "model.bin", random_weights(seed), {})
    return folder


def write_wav(path: Path, samples: np.ndarray) -> None:
    """16 bits, mono, 16 kHz."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes((samples * 32767).astype("<i2").tobytes())


def write_sound(folder: Path) -> Path:
    """Folders of recordings, one of them a folder deeper."""
    for name, lengths in LENGTHS.items():
        for number, seconds in enumerate(lengths):
            place = folder / name / ("deeper" if number else "")
            place.mkdir(parents=True, exist_ok=True)
            write_wav(place / f"{number}.wav", noise(number, int(seconds * RATE)))
    (folder / "a" / "notes.txt").write_text("no sound\n")
    return folder
