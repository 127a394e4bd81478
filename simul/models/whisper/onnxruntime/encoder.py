"""Whisper's encoder over whole windows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simul.models.whisper.features import THINNED, LogMel, audio_frames, thinned
from simul.models.whisper.onnxruntime.networks import encoder_graph, layer_count, session
from simul.units import Samples


class WindowEncoder:
    """Encodes windows of a kind (see `features.WINDOWS`), each as a whole."""

    def __init__(self, weights: Mapping[str, NDArray[Any]], compute: str, threads: int, window: str) -> None:
        self.features = LogMel(int(weights["encoder/conv1/weight"].shape[1]), window)
        self._layers = layer_count(weights, "encoder")
        self._positions = weights["encoder/position_encodings/encodings"].astype(np.float32)
        self._thins = window == THINNED
        self._session = session(encoder_graph(weights, compute, masked=self._thins), threads)

    def __call__(self, windows: Sequence[Samples]) -> list[NDArray[np.float32]]:
        """States [frames, width] of each window of samples; windows of one length share a batch."""
        features = [self.features(samples) for samples in windows]
        results: list[NDArray[np.float32]] = [np.empty(0, np.float32)] * len(features)
        alike: dict[tuple[int, int], list[int]] = {}
        for index, (feature, samples) in enumerate(zip(features, windows, strict=True)):
            content = audio_frames(len(samples)) if self._thins else 0
            alike.setdefault((feature.shape[1], content), []).append(index)
        for (length, content), indices in alike.items():
            mel = np.stack([np.pad(features[i].T, ((1, 1), (0, 0))) for i in indices])
            count, width = len(indices), self._positions.shape[1]
            none = np.zeros((count, 0, width), np.float32)
            feeds = {f"{n}_{i}": none for i in range(self._layers) for n in ("key", "value")}
            feeds |= {"mel": mel, "before": np.zeros((count, 1, width), np.float32)}
            feeds |= self._placed(count, length // 2, content)
            for index, states in zip(indices, self._session.run(["states"], feeds)[0], strict=True):
                results[index] = states
        return results

    def weights(self, samples: int) -> NDArray[np.float32] | None:
        """What the frames of a window of so many samples count for; None: each for itself."""
        return thinned(audio_frames(samples)).weights if self._thins else None

    def _placed(self, windows: int, frames: int, content: int) -> dict[str, NDArray[np.float32]]:
        """Where the frames of windows lie and, if they are thinned, what each counts for."""
        if not self._thins:
            return {"positions": self._positions[None, :frames]}
        thinning = thinned(content)
        mask = np.broadcast_to(thinning.weights, (windows, 1, frames, frames))
        return {"positions": self._positions[None, thinning.places], "mask": np.ascontiguousarray(mask)}
