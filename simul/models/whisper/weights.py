"""Reads the weights of a Whisper model: CTranslate2's model.bin, and replacements of some of its variables.

Variables keep CTranslate2's names, such as encoder/layer_0/ffn/linear_1/weight; linear weights are [outputs, inputs].
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from simul.errors import ModelMissingError

Weights = Mapping[str, NDArray[Any]]

_TYPES = {0: np.float32, 1: np.int8, 2: np.int16, 3: np.int32, 4: np.float16}
_SPEC = "WhisperSpec"
_VERSIONS = range(5, 7)


@dataclass(frozen=True)
class _Place:
    """Where a variable lies in a file."""

    offset: int
    kind: Any
    shape: tuple[int, ...]


class FileWeights(Mapping[str, NDArray[Any]]):
    """All variables of a CTranslate2 file, each read when it is asked for and not kept.

    Raises:
        ModelMissingError: the file is none of a Whisper model, or ends too early.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            with path.open("rb") as file:
                self._places = _places(file, path)
        except (OSError, struct.error, KeyError, ValueError, UnicodeDecodeError) as error:
            raise ModelMissingError(f"The weights {path} are damaged or cut short: {error}") from error

    def __getitem__(self, name: str) -> NDArray[Any]:
        place = self._places[name]
        count = math.prod(place.shape)
        return np.fromfile(self.path, place.kind, count, offset=place.offset).reshape(place.shape)

    def mapped(self, name: str) -> NDArray[Any]:
        """A variable of which only the rows that are looked at take memory."""
        place = self._places[name]
        return np.memmap(self.path, place.kind, "r", place.offset, place.shape)

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)


def _places(file: BinaryIO, path: Path) -> dict[str, _Place]:
    """The places of all variables of a file."""
    version, spec, _ = _integer(file, "I"), _string(file), _integer(file, "I")
    if version not in _VERSIONS or spec != _SPEC:
        raise ModelMissingError(
            f"{path} is no Whisper model of CTranslate2's format {_VERSIONS[0]} or {_VERSIONS[-1]} (it is "
            f"{spec!r}, format {version}); convert the model anew."
        )
    places, size = {}, path.stat().st_size
    for _ in range(_integer(file, "I")):
        name, shape = _string(file), tuple(_integer(file, "I") for _ in range(_integer(file, "B")))
        kind, length = _TYPES[_integer(file, "B")], _integer(file, "I")
        places[name] = _Place(file.tell(), kind, shape)
        if file.seek(length, 1) > size or length != math.prod(shape) * np.dtype(kind).itemsize:
            raise ValueError(f"{name} does not have the length that its shape says")
    for _ in range(_integer(file, "I")):
        alias, name = _string(file), _string(file)
        places[alias] = places[name]
    return places


def read_variables(path: Path) -> dict[str, NDArray[Any]]:
    """Variables kept in an .npz file, in whose names | stands for /.

    Raises:
        ModelMissingError: the file is missing or damaged.
    """
    try:
        with np.load(path) as kept:
            return {name.replace("|", "/"): kept[name] for name in kept.files}
    except (OSError, ValueError) as error:
        raise ModelMissingError(f"The weights {path} are missing or damaged: {error}") from error


def save_variables(path: Path, weights: Weights) -> None:
    """Keep variables in an .npz file: matrices and convolutions in int8 with a scale per output, others in float16.

    What a model in int8 computes from them is the same as from the whole numbers; as float32 they differ by their
    rounding.
    """
    kept: dict[str, NDArray[Any]] = {}
    for name, value in weights.items():
        if value.ndim < 2:
            kept[name] = value.astype(np.float16)
            continue
        rows, scales = as_rows(weights, name)
        kept[name], kept[f"{name}_scale"] = rows.reshape(value.shape), 1 / scales
    np.savez(path, **{name.replace("/", "|"): value for name, value in kept.items()})  # type: ignore[arg-type]


def as_float(weights: Weights, name: str) -> NDArray[np.float32]:
    """A variable as float32; one stored in int8 is multiplied out."""
    value = weights[name]
    if value.dtype == np.int8 and value.ndim:
        scale = weights[f"{name}_scale"].astype(np.float32)
        return value.astype(np.float32) / scale.reshape(-1, *[1] * (value.ndim - 1))
    return value.astype(np.float32)


def as_rows(weights: Weights, name: str) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """A linear weight [outputs, inputs] as int8 and the float32 [outputs] by which its rows are multiplied."""
    value = weights[name]
    if value.dtype == np.int8:
        scale = weights[f"{name}_scale"].astype(np.float32)
        return value.reshape(len(value), -1), (1 / scale).astype(np.float32)
    whole = value.reshape(len(value), -1)
    quantized, scales = np.empty(whole.shape, np.int8), np.empty(len(whole), np.float32)
    # A piece at a time stays in the processor's cache, which halves the time.
    step = max(1, (1 << 16) // whole.shape[1])
    for begin in range(0, len(whole), step):
        piece = whole[begin : begin + step].astype(np.float32)
        peak = np.maximum(np.maximum(piece.max(1), -piece.min(1)), 1e-8)
        piece *= (127 / peak)[:, None]
        quantized[begin : begin + step] = np.rint(piece, out=piece)
        scales[begin : begin + step] = peak / 127
    return quantized, scales


def _integer(file: BinaryIO, kind: str) -> int:
    return int(struct.unpack("<" + kind, file.read(struct.calcsize("<" + kind)))[0])


def _string(file: BinaryIO) -> str:
    return file.read(_integer(file, "H")).rstrip(b"\0").decode()
