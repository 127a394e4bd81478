"""Whisper's encoder in blocks: every frame of a growing window is computed once, and its states never change.

Frames see their block and all blocks before it, and a little ahead of it (`blocks`). Streamed, the states are those of
the whole window under the mask of these blocks, however the audio was cut.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simul.models.whisper.blocks import Array, HeardWindow, silent
from simul.models.whisper.onnxruntime.layers import FAR
from simul.models.whisper.onnxruntime.networks import encoder_graph, layer_count, session
from simul.units import Samples


@dataclass(kw_only=True)
class CausalState(HeardWindow):
    """What is kept of one window: numbers and arrays, none of which is ever changed in place.

    before: [1, width], the first convolution's last output. keys, values: [frames, width] of each layer.
    """

    before: Array
    keys: tuple[Array, ...]
    values: tuple[Array, ...]


class CausalEncoder:
    """The encoder over any number of growing windows; their states are the caller's.

    weights: of a model whose encoder was trained for blocks. block: encoder frames (20 ms each) of a block.
    """

    def __init__(self, weights: Mapping[str, NDArray[Any]], compute: str, threads: int, block: int) -> None:
        self.block = block
        self._layers = layer_count(weights, "encoder")
        self._width, self._bands = (int(n) for n in weights["encoder/conv1/weight"].shape[:2])
        self._positions = weights["encoder/position_encodings/encodings"].astype(np.float32)
        self._session = session(encoder_graph(weights, compute, masked=True), threads)

    @property
    def longest(self) -> int:
        """How many frames a window may have."""
        return len(self._positions)

    def start(self) -> CausalState:
        """A window of which nothing was heard."""
        none = np.zeros((0, self._width), np.float32)
        return CausalState(
            **vars(silent(self._bands)),
            before=np.zeros((1, self._width), np.float32),
            keys=(none,) * self._layers,
            values=(none,) * self._layers,
        )

    def push(self, state: CausalState, samples: Samples) -> None:
        """Take in the window's next samples; nothing is encoded."""
        state.push(samples)

    def advance(self, states: Sequence[CausalState]) -> list[Array]:
        """Encode the whole blocks of each window; their states [frames, width], none for windows without one."""
        found: list[list[Array]] = [[np.zeros((0, self._width), np.float32)] for _ in states]
        while ready := [i for i, state in enumerate(states) if len(state.energies) > 2 * self.block]:
            for i, fresh in zip(ready, self._encode([states[i] for i in ready], self.block), strict=True):
                found[i].append(fresh)
        return [np.concatenate(pieces) for pieces in found]

    def finish(self, state: CausalState) -> Array:
        """Encode all that is left of a window and half a second of silence; the window takes no more."""
        state.close(self.longest)
        pieces = [np.zeros((0, self._width), np.float32)]
        while len(state.energies) >= 2:
            pieces += self._encode([state], min(self.block, len(state.energies) // 2))
        return np.concatenate(pieces)

    def peek(self, state: CausalState) -> Array:
        """What `finish` would give; the window goes on."""
        return self.finish(replace(state))

    def _encode(self, states: Sequence[CausalState], count: int) -> list[Array]:
        """Encode the next `count` frames of each window."""
        mel = np.stack([state.features(2 * count) for state in states])
        longest = max(state.frames for state in states)
        lacks = [longest - state.frames for state in states]
        column = np.arange(longest + count)
        late = column < np.array(lacks)[:, None]
        feeds = {
            "mel": mel,
            "before": np.stack([state.before for state in states]),
            "positions": np.stack([self._positions[s.frames : s.frames + count] for s in states]),
            "mask": np.where(late, FAR, np.float32(0))[:, None, None].repeat(count, axis=2),
        }
        for layer in range(self._layers):
            for name, kept in (("key", "keys"), ("value", "values")):
                feeds[f"{name}_{layer}"] = _stacked([getattr(s, kept)[layer] for s in states], lacks)
        names = [output.name for output in self._session.get_outputs()]
        found = dict(zip(names, self._session.run(names, feeds), strict=True))
        for row, (state, lack) in enumerate(zip(states, lacks, strict=True)):
            state.before = found["after"][row].copy()
            state.keys, state.values = (
                tuple(_apart(found[f"{kind}_{layer}"], row, lack) for layer in range(self._layers))
                for kind in ("keys", "values")
            )
            state.frames += count
        return list(found["states"])


def _stacked(arrays: Sequence[Array], lacks: Sequence[int]) -> Array:
    """Arrays [n, width] with `lacks` rows of zeros before each as one [arrays, n, width]; one array is not copied."""
    if len(arrays) == 1:
        return arrays[0][None]
    return np.stack([np.pad(each, ((lack, 0), (0, 0))) for each, lack in zip(arrays, lacks, strict=True)])


def _apart(stacked: Array, row: int, lack: int) -> Array:
    """The inverse for one row, which keeps no memory of the others."""
    return stacked[0] if len(stacked) == 1 else stacked[row, lack:].copy()
