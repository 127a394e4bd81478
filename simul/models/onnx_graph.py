"""Writes small networks in the ONNX format, for onnxruntime.

The package onnx does this too, but brings 30 MB of packages for what is a hundred lines here, and is needed by
nothing else at run time. Field numbers are those of onnx.proto3 (ONNX 1.16, IR version 9).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

IR_VERSION = 9
OPSETS = {"": 18, "com.microsoft": 1}
TYPES = {"float32": 1, "uint8": 2, "int8": 3, "int32": 6, "int64": 7, "bool": 9}
"""Numbers of the element types by their numpy names."""

SMALL = 64
"""Bytes of a constant that is looked for among those before it."""

Attribute = int | float | str | Sequence[int]
Parts = list[bytes | memoryview]
"""A message in pieces, which are joined once."""


class Graph:
    """A network under construction; values are named by strings.

    Nodes are appended in the order in which they compute. Constants are not copied before the graph is serialized.
    """

    def __init__(self) -> None:
        self._nodes: Parts = []
        self._constants: Parts = []
        self._known: dict[tuple[str, tuple[int, ...], bytes], str] = {}
        self._inputs: Parts = []
        self._outputs: Parts = []
        self._count = 0

    def input(self, name: str, kind: str, shape: Sequence[int | str]) -> str:
        """Declare an input; a dimension is a number, or a name where it is free."""
        self._inputs += _message(11, _value(name, kind, shape))
        return name

    def output(self, value: str, name: str, kind: str, shape: Sequence[int | str]) -> None:
        """Give `value` out under `name`."""
        self._nodes += _message(1, _node("Identity", [value], [name], "", {}))
        self._outputs += _message(12, _value(name, kind, shape))

    def constant(self, array: Any) -> str:
        """The name of a constant; small equal ones are shared."""
        array = np.asarray(array, order="C")
        key = (array.dtype.name, array.shape, array.tobytes()) if array.nbytes <= SMALL else None
        if key is not None and key in self._known:
            return self._known[key]
        name = self._name()
        self._constants += _message(5, _tensor(name, array))
        if key is not None:
            self._known[key] = name
        return name

    def node(self, kind: str, *inputs: str, domain: str = "", **attributes: Attribute) -> str:
        """Append an operator with one result and return the result's name."""
        return self.nodes(kind, 1, *inputs, domain=domain, **attributes)[0]

    def nodes(
        self, kind: str, count: int, *inputs: str, domain: str = "", **attributes: Attribute
    ) -> tuple[str, ...]:
        """Append an operator and return the names of its `count` results."""
        results = tuple(self._name() for _ in range(count))
        self._nodes += _message(1, _node(kind, inputs, results, domain, attributes))
        return results

    def serialize(self) -> bytes:
        """The network as a ModelProto."""
        graph = [*self._nodes, *_text(2, "simul"), *self._constants, *self._inputs, *self._outputs]
        model = [_number(1, IR_VERSION), *_text(2, "simul")]
        for domain, version in OPSETS.items():
            model += _message(8, [*_text(1, domain), _number(2, version)])
        return b"".join([*model, *_message(7, graph)])

    def _name(self) -> str:
        self._count += 1
        return f"v{self._count}"


def _varint(value: int) -> bytes:
    value &= (1 << 64) - 1
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _message(field: int, parts: Parts) -> Parts:
    size = sum(map(len, parts))
    return [_varint(field << 3 | 2) + _varint(size), *parts]


def _text(field: int, value: str) -> Parts:
    return _message(field, [value.encode()])


def _tensor(name: str, array: NDArray[Any]) -> Parts:
    parts = [_number(1, n) for n in array.shape]
    data = memoryview(array.reshape(-1)).cast("B")  # type: ignore[arg-type]
    return [*parts, _number(2, TYPES[array.dtype.name]), *_text(8, name), *_message(9, [data])]


def _value(name: str, kind: str, shape: Sequence[int | str]) -> Parts:
    dims = []
    for n in shape:
        dims += _message(1, _text(2, n) if isinstance(n, str) else [_number(1, n)])
    tensor = [_number(1, TYPES[kind]), *_message(2, dims)]
    return [*_text(1, name), *_message(2, _message(1, tensor))]


def _node(
    kind: str,
    inputs: Sequence[str],
    outputs: Sequence[str],
    domain: str,
    attributes: Mapping[str, Attribute],
) -> Parts:
    parts: Parts = []
    for field, names in ((1, inputs), (2, outputs), (4, [kind])):
        for name in names:
            parts += _text(field, name)
    for name, value in attributes.items():
        parts += _message(5, [*_text(1, name), *_attribute(value)])
    return [*parts, *_text(7, domain)] if domain else parts


def _attribute(value: Attribute) -> Parts:
    if isinstance(value, float):
        return [_varint(2 << 3 | 5) + np.float32(value).tobytes(), _number(20, 1)]
    if isinstance(value, int):
        return [_number(3, value), _number(20, 2)]
    if isinstance(value, str):
        return [*_text(4, value), _number(20, 3)]
    return [*(_number(8, n) for n in value), _number(20, 7)]
