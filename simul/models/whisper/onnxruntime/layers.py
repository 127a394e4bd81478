"""The parts of which Whisper's encoder and decoder consist, as operators of a graph.

Values are matrices [rows, width], one row for each frame or token of each text, unless said otherwise.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simul.models.onnx_graph import Graph
from simul.models.whisper.weights import as_float, as_rows

INT8, FLOAT32 = "int8", "float32"
MICROSOFT = "com.microsoft"
EPSILON = 1e-5
FAR = np.float32(-1e9)
"""Added to the scores of what is not attended to."""
ZERO = np.uint8(128)
"""What stands for 0 in activations of eight bits."""


class Layers:
    """Appends layers to a graph; a `name` is the beginning of the names of variables.

    compute: "int8" or "float32". In int8, weights have one scale per output and activations one per row, so that a
    row's result does not depend on the rows beside it.
    """

    def __init__(self, graph: Graph, weights: Mapping[str, NDArray[Any]], compute: str, heads: int) -> None:
        self.graph, self.heads = graph, heads
        self.width = int(weights["encoder/conv2/bias"].shape[0])
        self.head_width = self.width // heads
        self._weights, self._compute = weights, compute

    def constant(self, array: Any) -> str:
        """A constant; Python's integers count as int64, its floats as float32."""
        return self.graph.constant(np.float32(array) if isinstance(array, float) else np.asarray(array))

    def tensor(self, name: str) -> str:
        """A variable as a float32 constant."""
        return self.graph.constant(as_float(self._weights, name))

    def norm(self, x: str, name: str) -> str:
        """Layer normalisation over the last axis."""
        gamma, beta = self.tensor(name + "/gamma"), self.tensor(name + "/beta")
        return self.graph.node("LayerNormalization", x, gamma, beta, axis=-1, epsilon=EPSILON)

    def gelu(self, x: str) -> str:
        """The exact Gaussian error unit."""
        return self.graph.node("Gelu", x, domain=MICROSOFT)

    def add(self, x: str, y: str) -> str:
        """The sum."""
        return self.graph.node("Add", x, y)

    def concat(self, values: Sequence[str], axis: int) -> str:
        """Values joined along an axis."""
        return self.graph.node("Concat", *values, axis=axis)

    def split(self, x: str, count: int) -> tuple[str, ...]:
        """Equal parts of the last axis."""
        return self.graph.nodes("Split", count, x, axis=-1, num_outputs=count)

    def reshape(self, x: str, shape: str | Sequence[int]) -> str:
        """The same numbers in another shape, a value or numbers: 0 keeps an axis, -1 takes what is left."""
        return self.graph.node("Reshape", x, shape if isinstance(shape, str) else self.constant(shape))

    def inputs(self, name: str) -> int:
        """How many numbers a linear layer takes."""
        return math.prod(self._weights[name + "/weight"].shape[1:])

    def linear(self, x: str, name: str, bias: bool = True) -> str:
        """x [rows, inputs] times a variable [outputs, ...], whose other axes are taken as one."""
        if self._compute == FLOAT32:
            weight = as_float(self._weights, name + "/weight")
            y = self.graph.node("MatMul", x, self.graph.constant(weight.reshape(len(weight), -1).T))
        else:
            y = self._product(x, name)
        return self.add(y, self.tensor(name + "/bias")) if bias else y

    def _product(self, x: str, name: str) -> str:
        """The product in whole numbers of eight bits."""
        node, constant = self.graph.node, self.constant
        weight, scales = as_rows(self._weights, name + "/weight")
        peak = node("ReduceMax", node("Abs", x), constant([-1]), keepdims=0)
        scale = node("Mul", node("Max", peak, constant(1e-6)), constant(1 / 127))
        zeros = node("Expand", constant(ZERO), node("Shape", x, start=0, end=1))
        whole = node("QuantizeLinear", x, scale, zeros, axis=0)
        right = self.graph.constant(weight.T)
        y = node(
            "MatMulIntegerToFloat",
            whole,
            right,
            constant(1.0),
            constant(scales),
            constant(ZERO),
            domain=MICROSOFT,
        )
        return node("Mul", y, node("Unsqueeze", scale, constant([1])))

    def split_heads(self, x: str, texts: str) -> str:
        """x as [texts, heads, rows of a text, head width]; `texts`: how many there are, as a value [1]."""
        shape = self.concat([texts, self.constant([-1, self.heads, self.head_width])], 0)
        return self.graph.node("Transpose", self.reshape(x, shape), perm=[0, 2, 1, 3])

    def join_heads(self, x: str) -> str:
        """The inverse of `split_heads`."""
        return self.reshape(self.graph.node("Transpose", x, perm=[0, 2, 1, 3]), [-1, self.width])

    def attention(self, query: str, key: str, value: str, mask: str) -> tuple[str, str]:
        """What queries find among keys [texts, heads, n, width], and the weights [texts, heads, queries, keys].

        mask: added to the scores before the softmax.
        """
        scale = 1 / math.sqrt(self.head_width)
        scores = self.graph.node("FusedMatMul", query, key, domain=MICROSOFT, transB=1, alpha=scale)
        weights = self.graph.node("Softmax", self.add(scores, mask), axis=-1)
        return self.graph.node("MatMul", weights, value), weights

    def feed_forward(self, x: str, name: str) -> str:
        """The feed-forward block with its residual."""
        h = self.gelu(self.linear(self.norm(x, name + "/layer_norm"), name + "/linear_0"))
        return self.add(x, self.linear(h, name + "/linear_1"))
