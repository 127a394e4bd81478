"""Random weights of a tiny Whisper encoder, and files of weights as CTranslate2 writes them."""

from __future__ import annotations

import math
import struct
from pathlib import Path

import numpy as np

WIDTH, HEADS, BANDS, LAYERS, POSITIONS = 16, 2, 8, 2, 400


def random_weights(seed: int = 0) -> dict[str, np.ndarray]:
    """Variables of an encoder under CTranslate2's names."""
    rng = np.random.default_rng(seed)

    def matrix(*shape: int) -> np.ndarray:
        return rng.normal(0, 1.5 / math.sqrt(math.prod(shape[1:])), shape).astype(np.float32)

    weights = {
        "encoder/num_heads": np.array(HEADS, np.int16),
        "encoder/conv1/weight": matrix(WIDTH, BANDS, 3),
        "encoder/conv2/weight": matrix(WIDTH, WIDTH, 3),
        "encoder/position_encodings/encodings": matrix(POSITIONS, WIDTH),
    }
    for layer in range(LAYERS):
        name = f"encoder/layer_{layer}/"
        weights[name + "self_attention/linear_0/weight"] = matrix(3 * WIDTH, WIDTH)
        weights[name + "self_attention/linear_1/weight"] = matrix(WIDTH, WIDTH)
        weights[name + "ffn/linear_0/weight"] = matrix(4 * WIDTH, WIDTH)
        weights[name + "ffn/linear_1/weight"] = matrix(WIDTH, 4 * WIDTH)
    for name in [n for n in weights if n.endswith("/weight")]:
        weights[name.removesuffix("weight") + "bias"] = matrix(len(weights[name]), 1)[:, 0]
    norms = [f"encoder/layer_{i}/{n}/layer_norm" for i in range(LAYERS) for n in ("self_attention", "ffn")]
    for name in [*norms, "encoder/layer_norm"]:
        weights[name + "/gamma"], weights[name + "/beta"] = 1 + matrix(WIDTH, 1)[:, 0], matrix(WIDTH, 1)[:, 0]
    return weights


def write_weights(
    path: Path, variables: dict[str, np.ndarray], aliases: dict[str, str], spec: str = "WhisperSpec"
) -> None:
    """CTranslate2's format 6."""
    kinds = {"float32": 0, "int8": 1, "int16": 2, "int32": 3, "float16": 4}

    def text(value: str) -> bytes:
        return struct.pack("<H", len(value) + 1) + value.encode() + b"\0"

    parts = [struct.pack("<I", 6), text(spec), struct.pack("<II", 3, len(variables))]
    for name, value in variables.items():
        parts += [text(name), struct.pack(f"<B{value.ndim}I", value.ndim, *value.shape)]
        parts += [struct.pack("<BI", kinds[value.dtype.name], value.nbytes), value.tobytes()]
    parts.append(struct.pack("<I", len(aliases)))
    parts += [text(alias) + text(name) for alias, name in aliases.items()]
    path.write_bytes(b"".join(parts))
