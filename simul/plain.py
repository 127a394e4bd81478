"""Dataclasses as plain values and arrays, and back by the types that their fields declare."""

from __future__ import annotations

import math
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from functools import cache
from typing import Any

import numpy as np

_LARGEST = 2**63
"""Whole numbers of an event fit into 64 bits; arithmetic on more could take for ever."""

NOT_STORED: Mapping[str, bool] = {"stored": False}
"""Metadata of a field that `fill_fields` leaves as it is and `write_fields` leaves out."""

Reader = Callable[[Any], Any]
"""The value of a field; raises ValueError, with what was wanted, for what is none."""


def read_fields(cls: type, data: Mapping[str, Any]) -> Any:
    """The object of `cls` whose fields `data` holds; unknown keys are ignored.

    Raises:
        ValueError: a field is missing, or is not of its type.
    """
    return cls(**_values(cls, data))


def fill_fields(state: Any, data: Mapping[str, Any]) -> None:
    """Set the fields of a dataclass object to what `data` holds, as `read_fields` reads it."""
    for name, value in _values(type(state), data).items():
        setattr(state, name, value)


def write_fields(state: Any) -> dict[str, Any]:
    """The fields of a dataclass object as plain values, and arrays, which are copied."""
    return {f.name: _plain(getattr(state, f.name)) for f in fields(state) if _stored(f)}


def _stored(one: Field[Any]) -> bool:
    return bool(one.metadata.get("stored", True))


def _plain(value: Any) -> Any:
    if is_dataclass(value):
        return write_fields(value)
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return [[_plain(key), _plain(item)] for key, item in value.items()]
    if isinstance(value, np.ndarray):
        return value.copy()
    return value.item() if isinstance(value, np.generic) else value


def _values(cls: type, data: Mapping[str, Any]) -> dict[str, Any]:
    values = {}
    for name, (reader, needed) in _readers(cls).items():
        if name in data:
            try:
                values[name] = reader(data[name])
            except ValueError as error:
                raise ValueError(f"{name} is {_shown(data[name])}, not {error}") from None
        elif needed:
            raise ValueError(f"it has no {name}")
    return values


@cache
def _readers(cls: Any) -> dict[str, tuple[Reader, bool]]:
    """For each field what reads it, and whether it must be there."""
    hints = typing.get_type_hints(cls)
    return {
        f.name: (_reader(hints[f.name]), f.default is MISSING and f.default_factory is MISSING)
        for f in fields(cls)
        if _stored(f)
    }


def _reader(hint: Any) -> Reader:
    arguments = typing.get_args(hint)
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        inner = _reader(next(t for t in arguments if t is not type(None)))
        return lambda value: None if value is None else inner(value)
    origin = typing.get_origin(hint)
    if origin is typing.Literal:
        return lambda value: _one_of(value, arguments)
    if origin is tuple:
        many = len(arguments) == 2 and arguments[1] is Ellipsis
        readers = [_reader(t) for t in arguments if t is not Ellipsis]
        return lambda value: _tuple(value, readers, many)
    if origin is list:
        items = _reader(arguments[0])
        return lambda value: list(_tuple(value, [items], many=True))
    if origin is dict:
        pairs = _reader(tuple[tuple[arguments], ...])  # type: ignore[valid-type]
        return lambda value: dict(pairs(value))
    if origin is np.ndarray:
        (kind,) = typing.get_args(arguments[1])
        return lambda value: _array(value, kind)
    if is_dataclass(hint):
        return lambda value: _nested(typing.cast(type, hint), value)
    return _PLAIN[hint]


def _tuple(value: Any, readers: list[Reader], many: bool) -> tuple[Any, ...]:
    if not isinstance(value, (list, tuple)):
        raise ValueError("a list")
    if many:
        return tuple(map(readers[0], value))
    if len(value) != len(readers):
        raise ValueError(f"a list of {len(readers)}")
    return tuple(reader(item) for reader, item in zip(readers, value, strict=True))


def _array(value: Any, kind: type[np.generic]) -> Any:
    if not isinstance(value, np.ndarray) or value.dtype != kind:
        raise ValueError(f"an array of {kind.__name__}")
    return value.copy()


def _nested(cls: type, value: Any) -> Any:
    if not isinstance(value, Mapping):
        raise ValueError("an object")
    return read_fields(cls, value)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("a text")
    return value


def _one_of(value: Any, known: tuple[Any, ...]) -> Any:
    if value not in known:
        raise ValueError(f"one of {', '.join(map(repr, known))}")
    return value


def _whole(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not -_LARGEST <= value < _LARGEST:
        raise ValueError("a whole number")
    return value


def _number(value: Any) -> float:
    if isinstance(value, float) and math.isfinite(value):
        return value
    return _whole(value)


def _truth(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("true or false")
    return value


_PLAIN: Mapping[Any, Reader] = {str: _text, int: _whole, float: _number, bool: _truth}


def _shown(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return f"an array of {value.dtype}"
    if isinstance(value, (list, dict)):
        return "a list" if isinstance(value, list) else "an object"
    text = repr(value) if not isinstance(value, int) or abs(value) < _LARGEST else "a huge number"
    return text if len(text) <= 40 else text[:37] + "..."
