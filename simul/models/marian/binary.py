"""Reader of Marian's binary model files (version 1): float32 models, and int8 models in intgemm's portable layout.

Layout, little-endian: u64 version, u64 count; for each array four u64: length of its name, type, rank, length of its
data; the names, ended by zero; the shapes as int32; a u64 number of padding bytes and the padding; the data.
An int8 matrix is stored transposed to its shape, except embedding tables, and is followed by a float32 by which
the floats were multiplied. Activations of models with alphas have multipliers of their own (`NAME_QuantMultA`), which
float arithmetic does not need.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from simul.errors import ModelMissingError
from simul.models.marian.arrays import Arrays, Matrix, Vector, whole

FLOAT32, INTGEMM8, TEXT = 0x404, 0x4101, 0x101
CONFIG = "special:model.yml"


def read_binary(path: Path) -> tuple[Arrays, dict[str, Any]]:
    """The weights of a model file and the options that it carries.

    Raises:
        ModelMissingError: the file is none of Marian's binary models, is cut short or has arrays of another type.
    """
    raw = path.read_bytes()
    arrays: Arrays = {}
    config: dict[str, Any] = {}
    try:
        for name, kind, shape, data in _items(raw, path):
            if name == CONFIG:
                config = yaml.safe_load(data.rstrip(b"\0").decode("utf-8"))
            elif not name.endswith("_QuantMultA"):
                arrays[name] = _array(path, name, kind, shape, data)
    except (struct.error, UnicodeDecodeError, yaml.YAMLError, ValueError) as error:
        raise _broken(path, "is cut short or damaged") from error
    if not isinstance(config, dict) or not config:
        raise _broken(path, f"does not carry its options ({CONFIG})")
    return arrays, config


def _items(raw: bytes, path: Path) -> list[tuple[str, int, tuple[int, ...], bytes]]:
    version, count = struct.unpack_from("<QQ", raw)
    if version != 1 or count > len(raw) // 32:
        raise _broken(path, "is not a binary model of Marian (version 1)")
    heads = [struct.unpack_from("<QQQQ", raw, 16 + 32 * i) for i in range(count)]
    at = 16 + 32 * count
    names, shapes, found = [], [], []
    for length, *_ in heads:
        names.append(raw[at : at + length].rstrip(b"\0").decode("utf-8"))
        at += length
    for _, _, rank, _ in heads:
        shapes.append(struct.unpack_from(f"<{rank}i", raw, at))
        at += 4 * rank
    at += 8 + struct.unpack_from("<Q", raw, at)[0]
    for (_, kind, _, length), name, shape in zip(heads, names, shapes, strict=True):
        found.append((name, kind, shape, raw[at : at + length]))
        at += length
    if at > len(raw):
        raise _broken(path, "is cut short")
    return found


def _array(path: Path, name: str, kind: int, shape: tuple[int, ...], data: bytes) -> Matrix | Vector:
    count = int(np.prod(shape))
    matrix = len(shape) == 2 and shape[0] > 1
    table = name.endswith("Wemb")
    if kind == FLOAT32:
        values = np.frombuffer(data, "<f4", count).astype(np.float32)
        if not matrix:
            return values
        values = values.reshape(shape)
        return whole(values if table else values.T)
    if kind == INTGEMM8 and matrix:
        (multiplier,) = struct.unpack_from("<f", data, count)
        integers = np.frombuffer(data, np.int8, count).reshape(shape if table else shape[::-1])
        return whole(integers.copy(), 1 / multiplier)
    raise _broken(
        path,
        f"holds {name} in a type that is not read here ({kind:#x}); take the file with intgemm8 or float32",
    )


def _broken(path: Path, what: str) -> ModelMissingError:
    return ModelMissingError(f"The model file {path} {what}; fetch it anew, or check its name.")
