"""Whisper's encoder over whole windows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simul.models.whisper.features import LogMel
from simul.models.whisper.onnxruntime.networks import encoder_graph, layer_count, session
from simul.units import Samples


class WindowEncoder:
    """Encodes windows of a kind (see `features.WINDOWS`), each as a whole."""

    def __init__(self, weights: Mapping[str, NDArray[Any]], compute: str, threads: int, window: str) -> None:
        self.features = LogMel(int(weights["encoder/conv1/weight"].shape[1]), window)
        self._layers = layer_count(weights, "encoder")
        self._positions = weights["encoder/position_encodings/encodings"].astype(np.float32)
        self._session = session(encoder_graph(weights, compute), threads)

    def __call__(self, windows: Sequence[Samples]) -> list[NDArray[np.float32]]:
        """States [frames, width] of each window of samples; windows of one length share a batch."""
        features = [self.features(samples) for samples in windows]
        results: list[NDArray[np.float32]] = [np.empty(0, np.float32)] * len(features)
        by_length: dict[int, list[int]] = {}
        for index, feature in enumerate(features):
            by_length.setdefault(feature.shape[1], []).append(index)
        for length, indices in by_length.items():
            mel = np.stack([np.pad(features[i].T, ((1, 1), (0, 0))) for i in indices])
            count, width = len(indices), self._positions.shape[1]
            none = np.zeros((count, 0, width), np.float32)
            feeds = {f"{n}_{i}": none for i in range(self._layers) for n in ("key", "value")}
            feeds |= {"mel": mel, "before": np.zeros((count, 1, width), np.float32)}
            feeds["positions"] = self._positions[None, : length // 2]
            for index, states in zip(indices, self._session.run(["states"], feeds)[0], strict=True):
                results[index] = states
        return results
