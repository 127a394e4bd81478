"""Values of dataclass fields from plain JSON values, by the types that the fields declare."""

from __future__ import annotations

import math
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from typing import Any

_LARGEST = 2**63
"""Whole numbers of an event fit into 64 bits; arithmetic on more could take for ever."""

Reader = Callable[[Any], Any]
"""The value of a field; raises ValueError, with what was wanted, for what is none."""


def read_fields(cls: type, data: Mapping[str, Any]) -> Any:
    """The object of `cls` whose fields `data` holds; unknown keys are ignored.

    Raises:
        ValueError: a field is missing, or is not of its type.
    """
    values = {}
    for name, (reader, needed) in _readers(cls).items():
        if name in data:
            try:
                values[name] = reader(data[name])
            except ValueError as error:
                raise ValueError(f"{name} is {_shown(data[name])}, not {error}") from None
        elif needed:
            raise ValueError(f"it has no {name}")
    return cls(**values)


@cache
def _readers(cls: Any) -> dict[str, tuple[Reader, bool]]:
    """For each field what reads it, and whether it must be there."""
    hints = typing.get_type_hints(cls)
    return {
        f.name: (_reader(hints[f.name]), f.default is MISSING and f.default_factory is MISSING)
        for f in fields(cls)
    }


def _reader(hint: Any) -> Reader:
    arguments = typing.get_args(hint)
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        inner = _reader(next(t for t in arguments if t is not type(None)))
        return lambda value: None if value is None else inner(value)
    if typing.get_origin(hint) is tuple:
        many = len(arguments) == 2 and arguments[1] is Ellipsis
        readers = [_reader(t) for t in arguments if t is not Ellipsis]
        return lambda value: _tuple(value, readers, many)
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


def _nested(cls: type, value: Any) -> Any:
    if not isinstance(value, Mapping):
        raise ValueError("an object")
    return read_fields(cls, value)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("a text")
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
    if isinstance(value, (list, dict)):
        return "a list" if isinstance(value, list) else "an object"
    text = repr(value) if not isinstance(value, int) or abs(value) < _LARGEST else "a huge number"
    return text if len(text) <= 40 else text[:37] + "..."
