"""A decoder on torch over several texts at once: caches, positions, and exact reuse of a former pass."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from transformers.cache_utils import Cache, DynamicCache, DynamicLayer, EncoderDecoderCache

from policies.base import common_prefix
from simul.decoding.attention import Capture


@dataclass
class KeyValues:
    """What a decoder keeps of one text from pass to pass; it belongs to the caller.

    cross: keys and values of the encoder's frames, [layers, 2, heads, frames, width]. content: how many of the
    frames are audio and not the silence after it. own: keys and values [layers, 2, heads, n, width] of the decoder's
    first n tokens `ids`, with which another pass may begin.
    """

    cross: torch.Tensor
    content: int
    ids: tuple[int, ...] = ()
    own: torch.Tensor | None = None

    def remember(self, ids: tuple[int, ...], own: torch.Tensor) -> None:
        """Keep a copy of `own`, keys and values of the first tokens `ids`."""
        self.ids, self.own = ids, own.clone()


class StepModel(Protocol):
    """A decoder's network.

    positions: how many tokens it can number. frame: samples of an encoder frame. heads: those whose
    cross-attention is read, per layer; none in a decoder without encoder.
    """

    @property
    def device(self) -> torch.device: ...

    @property
    def positions(self) -> int: ...

    @property
    def frame(self) -> int: ...

    @property
    def heads(self) -> Mapping[int, torch.Tensor]: ...

    def empty_cache(self) -> DynamicCache:
        """A cache of self-attention."""
        ...

    def forward(
        self, ids: torch.Tensor, positions: torch.Tensor, mask: torch.Tensor, cache: Cache, capture: Capture
    ) -> torch.Tensor:
        """Logits [rows, vocabulary] of the tokens after the newest `ids`, int [rows, n].

        positions: their numbers in the text, int [rows, n]. mask: bool [rows, 1, n, cached and new tokens]; its last
        query attends to all that is not padding. capture: goes to every cross-attention.
        """
        ...


class Batch:
    """A decoder's state over several texts, one row each: caches, positions, the next token's logits.

    What is kept of a text is not computed again: a pass that goes on after rejected tokens costs only what is new.
    Every row is fed as many tokens as the one with most that is new, so that padding stands only before a text.

    kept: what the caller keeps of each text; None: nothing, in a decoder without encoder. contents: frames of audio of
    each text.
    logits: [rows, vocabulary]. attention: float32 [rows, frames], the cross-attention that predicts the next token,
    mean of the heads read; without an encoder there are no frames.
    """

    def __init__(
        self, model: StepModel, texts: Sequence[tuple[int, ...]], kept: Sequence[KeyValues] | None = None
    ) -> None:
        self.model, self.kept = model, kept
        self.contents = [0] * len(texts) if kept is None else [k.content for k in kept]
        known = [0] * len(texts)
        if kept is not None:
            known = [min(common_prefix([k.ids, t]), len(t) - 1) for k, t in zip(kept, texts, strict=True)]
        fed = max(len(t) - k for t, k in zip(texts, known, strict=True))
        cached = [max(0, len(t) - fed) for t in texts]
        self._columns = max(cached)
        self._own = model.empty_cache()
        self._cache: Cache = self._own
        self._cross: DynamicCache | None = None
        self._mask: torch.Tensor | None = None
        if kept is not None:
            self._load(kept, cached)
        longest = self._columns + fed
        self._lack = torch.tensor([longest - len(t) for t in texts], device=model.device)
        ids = [(0,) * (fed - len(t)) + t[max(0, len(t) - fed) :] for t in texts]
        self._run(torch.tensor(ids, device=model.device))

    def _load(self, kept: Sequence[KeyValues], cached: Sequence[int]) -> None:
        """Fill the caches with the encoder's frames and the first `cached` tokens, padded on the left."""
        if self._columns:
            pieces = [
                k.cross[:, :, :, :0] if k.own is None else k.own[:, :, :, :n]
                for k, n in zip(kept, cached, strict=True)
            ]
            self._own.layers = _layers(_stack(pieces, self._columns, right=False))
        self._cross, self._mask = cross_cache(kept)
        self._cache = EncoderDecoderCache(self._own, self._cross)

    def feed(self, written: torch.Tensor) -> None:
        """Take the next token of each row, int [rows]."""
        self._run(written[:, None])

    def _run(self, ids: torch.Tensor) -> None:
        column = torch.arange(self._columns + ids.shape[1], device=ids.device)
        query = column[self._columns :]
        self._columns = len(column)
        # Padding attends to itself, since attention to nothing is not a number.
        mask = (column >= self._lack[:, None, None]) & (column <= query[:, None]) | (column == query[:, None])
        # Rows that are over go on in the batch, and must not run out of positions.
        positions = (query - self._lack[:, None]).clamp(0, self.model.positions - 1)
        capture = Capture(self.model.heads, self._mask, newest=True)
        self.logits = self.model.forward(ids, positions, mask[:, None], self._cache, capture)
        self.attention = capture.mean() if self.model.heads else torch.zeros((len(ids), 0), device=ids.device)

    def select(self, rows: torch.Tensor) -> None:
        """Go on with some rows, or with several of one."""
        if self._cross is not None:
            self._cross.batch_select_indices(rows)
        if self._mask is not None:
            self._mask = self._mask[rows]
        self.reorder(rows)

    def reorder(self, rows: torch.Tensor) -> None:
        """Let each row go on from the text of another one with the same encoder frames."""
        self._own.batch_select_indices(rows)
        self._lack = self._lack[rows]
        self.logits, self.attention = self.logits[rows], self.attention[rows]

    def remember(self, row: int, index: int, ids: tuple[int, ...]) -> None:
        """Keep with text `index` what was computed in `row` for its first tokens `ids`."""
        if self.kept is not None:
            begin = int(self._lack[row])
            layers: list[Any] = self._own.layers
            pairs = [torch.stack([layer.keys[row], layer.values[row]]) for layer in layers]
            own = torch.stack([pair[:, :, begin : begin + len(ids)] for pair in pairs])
            self.kept[index].remember(ids, own)


def cross_cache(kept: Sequence[KeyValues]) -> tuple[DynamicCache, torch.Tensor | None]:
    """The encoder's frames as a cache, and bool [rows, 1, 1, frames] where some rows have fewer of them."""
    frames = [k.cross.shape[3] for k in kept]
    cache, mask = DynamicCache(), None
    cache.layers = _layers(_stack([k.cross for k in kept], max(frames), right=True))
    if min(frames) < max(frames):
        device = kept[0].cross.device
        there = torch.arange(max(frames), device=device) < torch.tensor(frames, device=device)[:, None]
        mask = there[:, None, None]
    return cache, mask


def cross_keys(attentions: Iterable[Any], hidden: torch.Tensor) -> torch.Tensor:
    """Keys and values [layers, 2, heads, frames, width] of encoder output [frames, width] for each layer."""
    projected = []
    for attention in attentions:
        pair = torch.stack([attention.k_proj(hidden), attention.v_proj(hidden)])
        projected.append(pair.view(2, len(hidden), attention.num_heads, -1).transpose(1, 2))
    return torch.stack(projected)


def run_layers(
    decoder: Any, hidden: torch.Tensor, mask: torch.Tensor, cache: Cache, capture: Capture
) -> torch.Tensor:
    """The output [rows, n, width] of a decoder of transformers for embedded tokens with their positions."""
    # Only says that there is cross-attention; its keys and values are in the cache.
    encoded = hidden[:0]
    for layer in decoder.layers:
        hidden = layer(hidden, mask, encoded, None, cache, capture=capture)
    normed: torch.Tensor = decoder.layer_norm(hidden)
    return normed


def _stack(pieces: Sequence[torch.Tensor], length: int, right: bool) -> torch.Tensor:
    """Tensors [layers, 2, heads, n, width] as one [layers, 2, rows, heads, length, width], padded with zeros."""
    padded = []
    for piece in pieces:
        lack = length - piece.shape[3]
        sides = (0, 0, 0, lack) if right else (0, 0, lack, 0)
        padded.append(torch.nn.functional.pad(piece, sides) if lack else piece)
    return padded[0].unsqueeze(2) if len(padded) == 1 else torch.stack(padded, dim=2)


def _layers(both: torch.Tensor) -> list[Any]:
    """Cache layers that hold keys and values [layers, 2, rows, heads, length, width] as they are."""
    layers: list[Any] = []
    for keys, values in both:
        layer = DynamicLayer()
        layer.keys, layer.values, layer.is_initialized = keys, values, True
        layers.append(layer)
    return layers
