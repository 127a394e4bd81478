"""Whisper's encoder and decoder as graphs for onnxruntime, and the session that computes one."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Sequence
from typing import Any

import numpy as np

from simul.models.onnx_graph import Graph
from simul.models.whisper.onnxruntime.layers import MICROSOFT, Layers
from simul.models.whisper.weights import Weights

FAR = 1 << 40
"""An index behind every axis."""


def layer_count(weights: Weights, part: str) -> int:
    """How many layers a model's encoder or decoder has."""
    return sum(
        name.startswith(f"{part}/layer_") and name.endswith("/ffn/layer_norm/gamma") for name in weights
    )


def encoder_graph(weights: Weights, compute: str, masked: bool = False) -> bytes:
    """The encoder over n new frames after any number of frames before them.

    Inputs: mel [windows, 2 n + 2, bands], the log-mel frames from one before the new ones to one behind them; before
    [windows, 1, width], the first convolution's output before the new frames; positions [windows or 1, n, width];
    key_i and value_i [windows, past, width] of each layer; if `masked`, mask [windows, 1, n, past + n], added to the
    scores.
    Outputs: states [windows, n, width]; after, the next `before`; keys_i and values_i over past and new frames.
    """
    graph = Graph()
    layers = Layers(graph, _by_frames(weights), compute, int(weights["encoder/num_heads"]))
    width, bands = layers.width, weights["encoder/conv1/weight"].shape[1]
    mel = graph.input("mel", "float32", ["windows", "mel_frames", bands])
    before = graph.input("before", "float32", ["windows", 1, width])
    positions = graph.input("positions", "float32", ["placed", "frames", width])
    mask = graph.input("mask", "float32", ["windows", 1, "frames", "all"]) if masked else ""
    windows = graph.node("Shape", mel, start=0, end=1)
    apart = layers.concat([windows, layers.constant([-1, width])], 0)
    x = _convolution(layers, mel, "encoder/conv1", 1, apart)
    after = graph.node("Slice", x, *map(layers.constant, ([-1], [FAR], [1])))
    x = layers.add(_convolution(layers, layers.concat([before, x], 1), "encoder/conv2", 2, apart), positions)
    x = layers.reshape(x, [-1, width])
    for i in range(layer_count(weights, "encoder")):
        name = f"encoder/layer_{i}/"
        past = [graph.input(f"{n}_{i}", "float32", ["windows", "past", width]) for n in ("key", "value")]
        h = layers.linear(
            layers.norm(x, name + "self_attention/layer_norm"), name + "self_attention/linear_0"
        )
        query, *new = (layers.reshape(part, apart) for part in layers.split(h, 3))
        key, value = (layers.concat([p, n], 1) for p, n in zip(past, new, strict=True))
        graph.output(key, f"keys_{i}", "float32", ["windows", "all", width])
        graph.output(value, f"values_{i}", "float32", ["windows", "all", width])
        inputs = (query, key, value, "", "", mask) if masked else (query, key, value)
        h = graph.node("MultiHeadAttention", *inputs, domain=MICROSOFT, num_heads=layers.heads)
        h = layers.linear(layers.reshape(h, [-1, width]), name + "self_attention/linear_1")
        x = layers.feed_forward(layers.add(x, h), name + "ffn")
    states = layers.reshape(layers.norm(x, "encoder/layer_norm"), apart)
    graph.output(states, "states", "float32", ["windows", "frames", width])
    graph.output(after, "after", "float32", ["windows", 1, width])
    return graph.serialize()


def _convolution(layers: Layers, x: str, name: str, stride: int, apart: str) -> str:
    """A convolution of three taps over x [windows, n, channels] without padding, then the activation.

    One product over windows of three frames; `apart` is the result's shape.
    """
    taps = [
        layers.graph.node("Slice", x, *map(layers.constant, ([k], [end], [1], [stride])))
        for k, end in enumerate((-2, -1, FAR))
    ]
    flat = layers.reshape(layers.concat(taps, 2), [-1, layers.inputs(name)])
    return layers.reshape(layers.gelu(layers.linear(flat, name)), apart)


def _by_frames(weights: Weights) -> Weights:
    """Weights whose convolutions [outputs, channels, size] are laid out [outputs, size, channels]."""
    names = ("encoder/conv1/weight", "encoder/conv2/weight")
    turned = {name: np.ascontiguousarray(weights[name].transpose(0, 2, 1)) for name in names}
    return ChainMap(turned, weights)  # type: ignore[arg-type]


def cross_graph(weights: Weights, compute: str) -> bytes:
    """The decoder's keys and values of encoder states.

    Input: states [windows, frames, width]. Outputs: key_i and value_i [windows, heads, frames, head width].
    """
    graph = Graph()
    layers = Layers(graph, weights, compute, int(weights["decoder/num_heads"]))
    states = graph.input("states", "float32", ["windows", "frames", layers.width])
    windows = graph.node("Shape", states, start=0, end=1)
    flat = layers.reshape(states, [-1, layers.width])
    for i in range(layer_count(weights, "decoder")):
        both = layers.split(layers.linear(flat, f"decoder/layer_{i}/attention/linear_1"), 2)
        for kind, part in zip(("key", "value"), both, strict=True):
            shape: list[int | str] = ["windows", layers.heads, "frames", layers.head_width]
            graph.output(layers.split_heads(part, windows), f"{kind}_{i}", "float32", shape)
    return graph.serialize()


def decoder_graph(weights: Weights, compute: str, alignment: Sequence[tuple[int, int]]) -> bytes:
    """The decoder over n new tokens of each text after any number of tokens before them.

    Several texts, next to each other and as many for each window, may belong to one window. `alignment`: (layer, head)
    whose cross-attention is shown.
    Inputs: x [texts, n, width], embedded tokens with their positions; mask [texts, 1, n, past + n] and frame_mask
    [windows, 1, 1, frames], added to the scores; at [m], which of the texts * n outputs are wanted; past_key_i and
    past_value_i [texts, heads, past, head width]; cross_key_i and cross_value_i [windows, heads, frames, head width].
    Outputs: logits [m, vocabulary]; attention [windows, alignment heads, texts of a window * n, frames], the
    cross-attention of every new token; key_i and value_i over past and new tokens.
    """
    graph = Graph()
    layers = Layers(graph, weights, compute, int(weights["decoder/num_heads"]))
    heads, size = layers.heads, layers.head_width
    x = graph.input("x", "float32", ["texts", "tokens", layers.width])
    mask = graph.input("mask", "float32", ["texts", 1, "tokens", "all"])
    frame_mask = graph.input("frame_mask", "float32", ["windows", 1, 1, "frames"])
    at = graph.input("at", "int64", ["wanted"])
    texts, windows = (graph.node("Shape", v, start=0, end=1) for v in (x, frame_mask))
    x = layers.reshape(x, [-1, layers.width])
    shown = []
    for i in range(layer_count(weights, "decoder")):
        name = f"decoder/layer_{i}/"
        past = [
            graph.input(f"past_{n}_{i}", "float32", ["texts", heads, "past", size]) for n in ("key", "value")
        ]
        cross = [
            graph.input(f"cross_{n}_{i}", "float32", ["windows", heads, "frames", size])
            for n in ("key", "value")
        ]
        h = layers.linear(
            layers.norm(x, name + "self_attention/layer_norm"), name + "self_attention/linear_0"
        )
        query, *new = (layers.split_heads(part, texts) for part in layers.split(h, 3))
        key, value = (layers.concat([p, n], 2) for p, n in zip(past, new, strict=True))
        graph.output(key, f"key_{i}", "float32", ["texts", heads, "all", size])
        graph.output(value, f"value_{i}", "float32", ["texts", heads, "all", size])
        h = layers.join_heads(layers.attention(query, key, value, mask)[0])
        x = layers.add(x, layers.linear(h, name + "self_attention/linear_1"))
        h = layers.linear(layers.norm(x, name + "attention/layer_norm"), name + "attention/linear_0")
        h, weight = layers.attention(layers.split_heads(h, windows), cross[0], cross[1], frame_mask)
        x = layers.add(x, layers.linear(layers.join_heads(h), name + "attention/linear_2"))
        x = layers.feed_forward(x, name + "ffn")
        chosen = [head for layer, head in alignment if layer == i]
        if chosen:
            shown.append(graph.node("Gather", weight, layers.constant(chosen), axis=1))
    wanted = layers.norm(graph.node("Gather", x, at, axis=0), "decoder/layer_norm")
    graph.output(
        layers.linear(wanted, "decoder/projection", bias=False), "logits", "float32", ["wanted", "vocabulary"]
    )
    graph.output(layers.concat(shown, 1), "attention", "float32", ["windows", "shown", "queries", "frames"])
    return graph.serialize()


def session(model: bytes, threads: int) -> Any:
    """A session on the CPU.

    Waiting threads sleep: spinning ones would take the processor from others. Without an arena of its own it takes as
    long and leaves memory to the C library, which takes back what a long window needed.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.enable_cpu_mem_arena = False
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
