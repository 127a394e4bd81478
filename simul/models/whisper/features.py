"""Whisper's log-mel features, and the silence that fills its window."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

HOP = 160
"""Samples per mel frame."""
STEP = 2 * HOP
"""Samples per encoder frame: the encoder halves the frame rate."""
WINDOW_FRAMES = 3000


class LogMel:
    """Makes features of `bands` mel bands. crop: of the audio and a second of silence, not of 30 s.

    Raises:
        ImportError: faster-whisper, whose front end is used, is not installed.
    """

    def __init__(self, bands: int, crop: bool = False) -> None:
        from faster_whisper.feature_extractor import FeatureExtractor

        self._extract: Any = FeatureExtractor(feature_size=bands)
        self.crop = crop

    def __call__(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """Features [bands, frames] of at most 30 s, followed by silence up to 30 s (or 1 s with crop)."""
        content = min(len(samples) // HOP, WINDOW_FRAMES)
        total = WINDOW_FRAMES
        if self.crop:
            # An encoder input as long as the model is wide would pass for encoder output in CTranslate2.
            total = min(WINDOW_FRAMES, 50 * (content // 50 + 3))
        mel = self._extract(samples[: content * HOP], padding=2 * HOP)[:, : min(content + 2, total)]
        silence = max(float(mel.max()) - 2.0, -1.5)
        padded = np.full((mel.shape[0], total), silence, np.float32)
        padded[:, : mel.shape[1]] = mel
        return padded
