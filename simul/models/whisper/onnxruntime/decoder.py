"""The state of Whisper's decoder over several texts at once: caches, positions and cross-attention."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from simul.models.whisper.interface import MAX_POSITIONS
from simul.models.whisper.onnxruntime.layers import FAR

if TYPE_CHECKING:
    from simul.models.whisper.causal import CausalState


@dataclass
class OnnxWindow:
    """A window as the encoder left it, and what the decoder last saw in it.

    cross: keys and values [1, heads, frames, head width] of the encoder's frames for each decoder layer. content: how
    many of the frames are audio and not the silence after it. weights: float32 [frames], see `features.Thinning`; None:
    every frame stands for itself. ids: what was decoded last, from the start token on. attention: float32 [alignment
    heads, n, frames]; row i predicted the token after ids[i].
    """

    cross: Mapping[str, NDArray[np.float32]]
    content: int
    weights: NDArray[np.float32] | None = None
    ids: tuple[int, ...] = ()
    attention: NDArray[np.float32] | None = None

    @property
    def frames(self) -> int:
        """How many frames the window has."""
        return int(self.cross["cross_key_0"].shape[2])


@dataclass
class Growing:
    """A window that grows: the state of its encoder, and the decoder's keys and values of the blocks so far."""

    state: CausalState
    cross: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)


def lengthened(
    cross: Mapping[str, NDArray[np.float32]], more: Mapping[str, NDArray[np.float32]]
) -> dict[str, NDArray[np.float32]]:
    """Keys and values of more frames behind others."""
    return {n: np.concatenate([cross[n], m], axis=2) if cross else m for n, m in more.items()}


class Network:
    """The decoder of a model: `run` computes one step of a graph that `networks.decoder_graph` made.

    embeddings: [vocabulary, width], positions: [448, width]; of both only the rows that are asked for are read.
    """

    def __init__(
        self, session: Any, embeddings: NDArray[Any], positions: NDArray[Any], layers: int, heads: int
    ) -> None:
        self._session, self.layers, self.heads = session, layers, heads
        self._embeddings, self._positions = embeddings, positions
        self.width = embeddings.shape[1]
        self._names = [o.name for o in session.get_outputs()]

    def run(
        self, ids: NDArray[np.int64], positions: NDArray[np.int64], feeds: Mapping[str, Any]
    ) -> dict[str, NDArray[np.float32]]:
        """Outputs for tokens `ids` [texts, n] at positions [texts, n]."""
        x = self._embeddings[ids].astype(np.float32) + self._positions[positions].astype(np.float32)
        return dict(zip(self._names, self._session.run(self._names, {"x": x, **feeds}), strict=True))


class OnnxBatch:
    """Texts that go on together, `each` texts per window, next to each other.

    Texts of different lengths are padded on the left, and what is padding, or was rejected, is masked.
    """

    def __init__(self, network: Network, windows: Sequence[OnnxWindow], each: int = 1) -> None:
        self._network, self._each = network, each
        texts = len(windows) * each
        empty = np.zeros((texts, network.heads, 0, network.width // network.heads), np.float32)
        names = [f"{n}_{i}" for i in range(network.layers) for n in ("key", "value")]
        self._past = dict.fromkeys(names, empty)
        self._there = np.zeros((texts, 0), bool)
        self._frames = max(w.frames for w in windows)
        self._cross = {f"cross_{n}": _joined([w.cross[f"cross_{n}"] for w in windows]) for n in names}
        lengths = np.array([w.frames for w in windows])
        late = np.arange(self._frames) >= lengths[:, None]
        self._frame_mask = np.where(late, FAR, np.float32(0))[:, None, None]
        for row, window in zip(self._frame_mask, windows, strict=True):
            if window.weights is not None:
                row[..., : window.frames] = window.weights

    def feed(
        self, new: Sequence[Sequence[int]], wanted: Sequence[Sequence[int]]
    ) -> tuple[list[NDArray[np.float32]], list[NDArray[np.float32]]]:
        """Take the next tokens of each text. wanted: of which of them the outputs are asked, per text.

        Returns for each text the logits [wanted, vocabulary] of what follows those tokens, and the cross-attention
        [alignment heads, new tokens, frames] from which the token after each was predicted.
        """
        count, longest = len(new), max(map(len, new))
        ids = np.array([[0] * (longest - len(n)) + list(n) for n in new], np.int64)
        fresh = np.arange(longest) >= longest - np.array([len(n) for n in new])[:, None]
        done = self._there.sum(1)
        positions = np.clip(done[:, None] + fresh.cumsum(1) - 1, 0, MAX_POSITIONS - 1)
        before = self._there.shape[1]
        self._there = np.concatenate([self._there, fresh], axis=1)
        columns, queries = np.arange(before + longest), np.arange(before, before + longest)[:, None]
        # Padding attends to itself, since attention to nothing is not a number.
        seen = (self._there[:, None] & (columns <= queries)) | (columns == queries)
        at = [r * longest + longest - len(n) + w for r, n in enumerate(new) for w in wanted[r]]
        feeds = {
            "mask": np.where(seen, np.float32(0), FAR)[:, None],
            "frame_mask": self._frame_mask,
            "at": np.array(at, np.int64),
            **{f"past_{name}": value for name, value in self._past.items()},
            **self._cross,
        }
        found = self._network.run(ids, positions, feeds)
        self._past = {name: found[name] for name in self._past}
        logits = np.split(found["logits"], np.cumsum([len(w) for w in wanted])[:-1])
        shown = found["attention"].reshape(count // self._each, -1, self._each, longest, self._frames)
        attention = [shown[r // self._each, :, r % self._each, longest - len(n) :] for r, n in enumerate(new)]
        return logits, attention

    def reject(self, counts: Sequence[int]) -> None:
        """Forget the last `counts` tokens of each text."""
        for there, count in zip(self._there, counts, strict=True):
            if count:
                there[np.flatnonzero(there)[-count:]] = False
        # Columns that no text uses at the end cost nothing to drop.
        used = np.flatnonzero(self._there.any(0))
        keep = int(used[-1]) + 1 if len(used) else 0
        if keep < self._there.shape[1]:
            self._there = self._there[:, :keep]
            self._past = {n: np.ascontiguousarray(v[:, :, :keep]) for n, v in self._past.items()}

    def select(self, texts: Sequence[int]) -> None:
        """Go on with some texts of other ones' past, as many per window as before; windows stay."""
        chosen = np.array(texts, np.int64)
        self._there = self._there[chosen]
        self._past = {name: value[chosen] for name, value in self._past.items()}

    def keep(self, windows: Sequence[int]) -> None:
        """Go on with some windows and all their texts."""
        chosen = np.array(windows, np.int64)
        self._cross = {name: value[chosen] for name, value in self._cross.items()}
        self._frame_mask = self._frame_mask[chosen]
        self.select([w * self._each + t for w in windows for t in range(self._each)])

    def spread(self, each: int) -> None:
        """Let `each` texts go on from every text; there was one per window."""
        texts = np.repeat(np.arange(len(self._there)), each)
        self._each = each
        self.select(texts.tolist())


def _joined(parts: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    """Arrays [1, heads, frames, width] as one, padded with zeros on the right."""
    if len(parts) == 1:
        return parts[0]
    longest = max(p.shape[2] for p in parts)
    return np.concatenate([np.pad(p, ((0, 0), (0, 0), (0, longest - p.shape[2]), (0, 0))) for p in parts])
