"""The network of a Firefox student: post-norm Transformer encoder, SSRU decoder with attention on the encoded source.

Kim, Junczys-Dowmunt, Hassan et al. 2019, "From Research to Production and Back: Ludicrously Fast Neural Machine
Translation", WNGT (the SSRU); Vaswani et al. 2017 (the encoder). Widths, depths and vocabularies come from the shapes
of the weights.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simul.errors import ModelMissingError
from simul.models.marian import kernels
from simul.models.marian.arrays import Arrays, Matrix, Vector, stacked

Rows = NDArray[np.float32]
ENCODED = 64
"""Encoded sources that an encoder keeps, for the decoders of other languages and for the next call."""
WANTED = {
    "transformer-decoder-autoreg": ("rnn",),
    "dec-cell": ("ssru",),
    "transformer-preprocess": ("",),
    "transformer-postprocess": ("dan",),
    "transformer-ffn-activation": ("relu",),
    "transformer-train-position-embeddings": (False,),
    "transformer-pool": (False,),
    "transformer-no-projection": (False,),
    "transformer-ffn-depth": (2,),
    "transformer-tied-layers": ([],),
}
"""Options that this network can have; one that a model leaves out has the first value."""


@dataclass(frozen=True)
class Affine:
    """x W + b; `negative`: what is below zero stays."""

    matrix: Matrix
    bias: Vector
    negative: bool = True

    def __call__(self, x: Rows) -> Rows:
        out = np.empty((len(x), len(self.bias)), np.float32)
        kernels.affine(x, self.matrix.values, self.matrix.scale, self.bias, not self.negative, out)
        return out


@dataclass(frozen=True)
class Norm:
    """Layer norm of a sum."""

    scale: Vector
    bias: Vector

    def __call__(self, x: Rows, more: Rows) -> None:
        kernels.add_normalise(x, more, self.scale, self.bias)


@dataclass(frozen=True)
class _FeedForward:
    up: Affine
    down: Affine
    norm: Norm

    def __call__(self, x: Rows) -> None:
        self.norm(x, self.down(self.up(x)))


@dataclass(frozen=True)
class _EncoderLayer:
    mixed: Affine
    """Queries, keys and values side by side."""
    output: Affine
    norm: Norm
    feed: _FeedForward


@dataclass(frozen=True)
class _DecoderLayer:
    gates: Affine
    """What comes in and what is kept, side by side."""
    recurrent_norm: Norm
    query: Affine
    memory: Affine
    """Keys and values side by side."""
    output: Affine
    norm: Norm
    feed: _FeedForward


def check_options(config: Mapping[str, Any], name: str) -> None:
    """Refuse a model of another architecture.

    Raises:
        ModelMissingError: an option of `config` has a value that this network does not know.
    """
    for option, allowed in WANTED.items():
        value = config.get(option, allowed[0])
        if value not in allowed:
            raise ModelMissingError(
                f"The model {name} has {option}: {value!r}, which is not read here; take a student of "
                f"Mozilla's Firefox translations ({option}: {allowed[0]!r})."
            )


@lru_cache(maxsize=8)
def positions(count: int, width: int) -> Rows:
    """Sinusoidal positions [count, width]: sines, then cosines."""
    half = width // 2
    rate = np.exp(-np.arange(half) * np.log(10000.0) / (half - 1))
    angles = np.arange(count)[:, None] * rate
    return np.concatenate([np.sin(angles), np.cos(angles)], axis=1).astype(np.float32)


def _places(at: NDArray[np.int64], width: int) -> Rows:
    room = 256 * (1 + int(at.max(initial=0)) // 256)
    return positions(room, width)[at]


class Encoder:
    """Encodes source pieces; what it encoded last it still knows, so that several decoders share one encoding.

    Raises:
        ModelMissingError: a weight is missing.
    """

    def __init__(self, arrays: Arrays, config: Mapping[str, Any], name: str) -> None:
        get = _Named(arrays, name)
        self.table = get.table("encoder_Wemb")
        self.heads = int(config.get("transformer-heads", 8))
        self.layers = [_encoder_layer(get, layer) for layer in _layers(arrays, "encoder")]
        self.width = self.table.values.shape[1]
        self._encode = lru_cache(maxsize=ENCODED)(self._encoded)

    def __call__(self, ids: Sequence[int]) -> Rows:
        """Memory [pieces, width] of one source; must not be written to."""
        return self._encode(tuple(ids))

    @property
    def encoded(self) -> int:
        """How many sources have been encoded; one that was still known does not count again."""
        return self._encode.cache_info().misses

    def _encoded(self, ids: tuple[int, ...]) -> Rows:
        chosen = np.array(ids, np.int64)
        count, width = len(chosen), self.width
        x = self.table.rows(chosen) * np.float32(np.sqrt(width)) + _places(np.arange(count), width)
        first, last = np.zeros(count, np.int64), np.full(count, count, np.int64)
        mixed, nothing = np.empty_like(x), np.empty((count, 0), np.float32)
        for layer in self.layers:
            together = layer.mixed(x)
            parts = [np.ascontiguousarray(together[:, i * width : (i + 1) * width]) for i in range(3)]
            kernels.attend(*parts, first, last, self.heads, mixed, nothing)
            layer.norm(x, layer.output(mixed))
            layer.feed(x)
        x.flags.writeable = False
        return x


class Memory:
    """Encoded sources of a batch as a decoder attends to them: keys and values [pieces of all, width] by layer."""

    def __init__(self, decoder: Decoder, sources: Sequence[Rows]) -> None:
        lengths = np.array([len(source) for source in sources], np.int64)
        self.last = np.cumsum(lengths)
        self.first = self.last - lengths
        self.widest = int(lengths.max(initial=0))
        together = np.concatenate(list(sources))
        self.keys, self.values = [], []
        for layer in decoder.layers:
            both = layer.memory(together)
            self.keys.append(np.ascontiguousarray(both[:, : decoder.width]))
            self.values.append(np.ascontiguousarray(both[:, decoder.width :]))


class Decoder:
    """One step for rows of a batch: the state of a target text is one vector for each layer.

    Raises:
        ModelMissingError: a weight is missing, or the alignment layer is none of the layers.
    """

    def __init__(self, arrays: Arrays, config: Mapping[str, Any], name: str) -> None:
        get = _Named(arrays, name)
        self.table = get.table("decoder_Wemb")
        self.bias = get.vector("decoder_ff_logit_out_b")
        if any(key.startswith("decoder_ff_logit_out_W") for key in arrays):
            raise ModelMissingError(
                f"The output layer of {name} is not its target table; that is not read here."
            )
        self.heads = int(config.get("transformer-heads", 8))
        self.layers = [_decoder_layer(get, layer) for layer in _layers(arrays, "decoder")]
        self.width = self.table.values.shape[1]
        guided = config.get("transformer-guided-alignment-layer", "last")
        depth = len(self.layers)
        self.aligned = depth - 1 if guided in ("last", "none", None) else int(guided) - 1
        if not 0 <= self.aligned < depth:
            raise ModelMissingError(f"The model {name} has no layer {guided}, which should align.")

    def start(self) -> Rows:
        """The state before the first piece, [layers, width]."""
        return np.zeros((len(self.layers), self.width), np.float32)

    def step(
        self,
        previous: NDArray[np.int64],
        at: NDArray[np.int64],
        states: NDArray[np.float32],
        memory: Memory,
        sources: NDArray[np.int64],
    ) -> tuple[Rows, NDArray[np.float32], Rows]:
        """Hidden rows [n, width], states [n, layers, width], attention [n, widest source].

        previous: int [n], the last piece of each text, -1 before the first. at: int [n], how many pieces there are.
        states: [n, layers, width], unchanged. sources: int [n], which source of `memory` each text translates.
        """
        return self._step(previous, at, states, memory, sources, False)

    def follow(
        self, previous: NDArray[np.int64], begin: int, state: Rows, memory: Memory, source: int
    ) -> tuple[Rows, NDArray[np.float32], Rows]:
        """The steps of one text whose pieces are known, all at once and to the bit what single steps give.

        previous: int [n], the piece before each step, -1 before the first of a text. begin: pieces before the first
        step. state: [layers, width] before it. source: which of `memory` is translated.
        """
        count = len(previous)
        states = np.empty((count, *state.shape), np.float32)
        states[0] = state
        at, sources = np.arange(begin, begin + count), np.full(count, source, np.int64)
        return self._step(previous, at, states, memory, sources, True)

    def _step(
        self,
        previous: NDArray[np.int64],
        at: NDArray[np.int64],
        states: NDArray[np.float32],
        memory: Memory,
        sources: NDArray[np.int64],
        chained: bool,
    ) -> tuple[Rows, NDArray[np.float32], Rows]:
        count, width = len(previous), self.width
        x = self.table.rows(np.maximum(previous, 0)) * np.float32(np.sqrt(width))
        x[previous < 0] = 0
        x += _places(at, width)
        first, last = memory.first[sources], memory.last[sources]
        new = np.empty_like(states)
        mixed, shown = np.empty_like(x), np.empty_like(x)
        shares, nothing = np.zeros((count, memory.widest), np.float32), np.empty((count, 0), np.float32)
        for depth, layer in enumerate(self.layers):
            state = states[:, depth].copy()
            kernels.recur(layer.gates(x), state, chained, shown)
            new[:, depth] = state
            layer.recurrent_norm(x, shown)
            keys, values = memory.keys[depth], memory.values[depth]
            wanted = shares if depth == self.aligned else nothing
            kernels.attend(layer.query(x), keys, values, first, last, self.heads, mixed, wanted)
            layer.norm(x, layer.output(mixed))
            layer.feed(x)
        return x, new, shares

    def logits(self, hidden: Rows, pieces: NDArray[np.int64] | None) -> Rows:
        """Scores of the target pieces before the softmax, [n, pieces]; None: of all of them."""
        values, scale = self.table
        count = len(self.bias) if pieces is None else len(pieces)
        out = np.empty((len(hidden), count), np.float32)
        if pieces is None:
            kernels.affine(hidden, values, scale, self.bias, False, out)
        else:
            kernels.chosen(hidden, values, scale, self.bias, pieces, out)
        return out


class _Named:
    """Weights by name, of the right kind."""

    def __init__(self, arrays: Arrays, name: str) -> None:
        self._arrays, self._name = arrays, name

    def _get(self, key: str) -> Any:
        try:
            return self._arrays[key]
        except KeyError:
            raise ModelMissingError(
                f"The model {self._name} lacks the weights {key}; it is no Firefox student, or damaged."
            ) from None

    def matrix(self, *keys: str) -> Matrix:
        found = [self._get(key) for key in keys]
        if not all(isinstance(matrix, Matrix) for matrix in found):
            raise ModelMissingError(f"In the model {self._name}, {' or '.join(keys)} is no matrix.")
        return found[0] if len(found) == 1 else stacked(*found)

    def vector(self, *keys: str) -> Vector:
        return np.concatenate([np.asarray(self._get(key), np.float32).reshape(-1) for key in keys])

    def table(self, key: str) -> Matrix:
        """The table of one side, which may be the table of both."""
        return self.matrix(key if key in self._arrays else "Wemb")

    def affine(self, key: str, *letters: str) -> Affine:
        return Affine(
            self.matrix(*(f"{key}_W{x}" for x in letters)), self.vector(*(f"{key}_b{x}" for x in letters))
        )

    def norm(self, key: str) -> Norm:
        return Norm(self.vector(key + "_ln_scale"), self.vector(key + "_ln_bias"))

    def feed(self, key: str) -> _FeedForward:
        up = self.affine(key, "1")
        return _FeedForward(Affine(up.matrix, up.bias, False), self.affine(key, "2"), self.norm(key + "_ffn"))


def _layers(arrays: Arrays, side: str) -> list[int]:
    found = {int(name.split("_")[1][1:]) for name in arrays if name.startswith(f"{side}_l")}
    return sorted(found)


def _encoder_layer(get: _Named, layer: int) -> _EncoderLayer:
    key = f"encoder_l{layer}_self"
    norm = get.norm(key + "_Wo")
    return _EncoderLayer(
        get.affine(key, *"qkv"), get.affine(key, "o"), norm, get.feed(f"encoder_l{layer}_ffn")
    )


def _decoder_layer(get: _Named, layer: int) -> _DecoderLayer:
    rnn, key = f"decoder_l{layer}_rnn", f"decoder_l{layer}_context"
    kept = get.vector(rnn + "_bf")
    gates = Affine(get.matrix(rnn + "_W", rnn + "_Wf"), np.concatenate([np.zeros_like(kept), kept]))
    return _DecoderLayer(
        gates,
        get.norm(rnn + "_ffn"),
        get.affine(key, "q"),
        get.affine(key, *"kv"),
        get.affine(key, "o"),
        get.norm(key + "_Wo"),
        get.feed(f"decoder_l{layer}_ffn"),
    )
