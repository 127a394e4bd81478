"""A cascade for the experiment: tones where its script has words, silence where it pauses."""

from __future__ import annotations

import numpy as np

from simul.backends.cascade import CascadeBackend
from tests.simul.backends.test_cascade import ScriptedRecognizer, UpperCase

RATE = 16_000
SCRIPT = ["one", "two", "|", "|", "three", "four", "|", "|", "|", "five", "six", "seven"]
TEXT = "ONE TWO THREE FOUR FIVE SIX SEVEN"


def cascade() -> CascadeBackend:
    """Hears the script, and translates into capitals."""
    return CascadeBackend(lambda: ScriptedRecognizer(SCRIPT), UpperCase())


def audio() -> np.ndarray:
    """Tones where the script has words, silence where it pauses; a word lasts 0.1 s."""
    rng = np.random.default_rng(0)
    pieces = [
        0.0005 * rng.standard_normal(1600) if w == "|" else 0.3 * np.sin(np.arange(1600) * 0.2)
        for w in SCRIPT
    ]
    return np.concatenate(pieces).astype(np.float32)
