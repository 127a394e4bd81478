"""Voice activity over a stream of 32 ms frames: the Silero network that comes inside faster-whisper."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from simul.errors import ModelMissingError
from simul.install import install_hint

FRAME = 512
"""Samples of a frame (32 ms at 16 kHz)."""
CONTEXT = 64
"""Samples of the frame before that the network sees again."""


class VoiceActivity(Protocol):
    """Decides for each frame of one stream whether it is voiced; `dump` gives what it carries along, for `load`."""

    def __call__(self, frames: NDArray[np.float32]) -> list[bool]:
        """Take in the stream's next frames, float32 [n, 512]."""
        ...

    def dump(self) -> dict[str, Any]: ...

    def load(self, dumped: Mapping[str, Any]) -> None: ...


class SileroActivity:
    """Silero voice activity detection, version 6, with its state carried along the stream.

    A frame is voiced from probability `threshold` on; once voiced, speech goes on down to `release`.

    Raises:
        ModelMissingError: faster-whisper or onnxruntime is not installed.
    """

    def __init__(self, threshold: float = 0.5, release: float = 0.35) -> None:
        try:
            from faster_whisper.vad import get_vad_model

            self._network: Any = get_vad_model().session
        except (ImportError, RuntimeError) as error:
            raise ModelMissingError(
                "Voice activity detection needs faster-whisper with onnxruntime, which is not installed; "
                f"run: {install_hint('whisper')}"
            ) from error
        self.threshold, self.release = threshold, release
        self._h = np.zeros((1, 1, 128), np.float32)
        self._c = np.zeros((1, 1, 128), np.float32)
        self._before = np.zeros(CONTEXT, np.float32)
        self._voiced = False

    def __call__(self, frames: NDArray[np.float32]) -> list[bool]:
        if not len(frames):
            return []
        before = np.concatenate([self._before[None], frames[:-1, -CONTEXT:]])
        inputs = {"input": np.concatenate([before, frames], axis=1), "h": self._h, "c": self._c}
        probabilities, self._h, self._c = self._network.run(None, inputs)
        self._before = frames[-1, -CONTEXT:].copy()
        voiced = []
        for probability in np.ravel(probabilities):
            self._voiced = bool(probability >= (self.release if self._voiced else self.threshold))
            voiced.append(self._voiced)
        return voiced

    def dump(self) -> dict[str, Any]:
        """All that changes, as plain values and arrays."""
        return {
            "h": self._h.copy(),
            "c": self._c.copy(),
            "before": self._before.copy(),
            "voiced": self._voiced,
        }

    def load(self, dumped: Mapping[str, Any]) -> None:
        """Go on from what `dump` gave."""
        self._h, self._c, self._before = dumped["h"].copy(), dumped["c"].copy(), dumped["before"].copy()
        self._voiced = dumped["voiced"]
