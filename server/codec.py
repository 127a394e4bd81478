"""Messages of `server.protocol` from and to JSON, strictly: sizes, types and fields are checked, in sentences."""

from __future__ import annotations

import json
import typing
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from types import NoneType, UnionType
from typing import Any, Literal

from server.protocol import CLIENT_MESSAGES, SERVER_MESSAGES, ClientMessage, ServerMessage
from simul.errors import SimulError

MAX_DEPTH, MAX_TEXT = 8, 4096
"""Of a message from a client: how deep values are nested, how many characters a text has."""

_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False)
_SIMPLE = frozenset({str, int, float, bool, NoneType})


class CloseCode:
    """Why a socket was closed; those that say so can be resumed."""

    DONE = 1000
    GOING_AWAY = 1001
    NOT_UTF8 = 1007
    ORIGIN = 1008
    TOO_BIG = 1009
    INTERNAL = 1011
    RESTART = 1012
    OVERLOADED = 1013
    BAD_MESSAGE = 4400
    UNAUTHORIZED = 4401
    QUOTA = 4403
    UNKNOWN_SESSION = 4404
    IDLE = 4408
    TAKEN_OVER = 4409
    RESUME_EXPIRED = 4410
    TOO_LONG = 4413
    TOO_SLOW = 4421
    UNAVAILABLE = 4422
    RATE = 4429


class ProtocolError(SimulError):
    """A message that cannot be taken; `code` names the kind, `param` the field, `close` the close code.

    retry_after_ms: when it might be, where waiting helps.
    """

    def __init__(
        self,
        message: str,
        param: str = "",
        code: str = "bad_message",
        close: int = 4400,
        retry_after_ms: int | None = None,
    ) -> None:
        super().__init__(message)
        self.param, self.code, self.close, self.retry_after_ms = param, code, close, retry_after_ms


def encode(message: ClientMessage | ServerMessage) -> str:
    """One line of JSON; fields that are None are left out."""
    return _ENCODER.encode({"type": message.type, **_plain(message)})


def _plain(value: Any) -> Any:
    """The value as JSON takes it; nothing is copied that need not be."""
    kind: type = type(value)
    if kind in _SIMPLE:
        return value
    if kind is dict:
        return {name: _plain(item) for name, item in value.items() if item is not None}
    if kind is tuple or kind is list:
        return [_plain(item) for item in value]
    items = ((name, getattr(value, name)) for name in _names(kind))
    return {name: _plain(item) for name, item in items if item is not None}


@cache
def _names(kind: type) -> tuple[str, ...]:
    """The fields of a message or a part."""
    return tuple(item.name for item in fields(kind))


def decode_client(text: str) -> ClientMessage:
    """The message of a client's text frame.

    Raises:
        ProtocolError: it is no JSON object, not of a known type, or a field is missing or of the wrong type.
    """
    return _decode(text, CLIENT_MESSAGES)


def decode_server(text: str) -> ServerMessage:
    """The message of a server's text frame; raises as `decode_client`."""
    return _decode(text, SERVER_MESSAGES, limited=False)


def _decode(text: str, kinds: Mapping[str, Any], limited: bool = True) -> Any:
    data = read_json(text, limited)
    if not isinstance(data, dict):
        raise ProtocolError(f"A message is a JSON object with a type; this is a {_named(data)}.")
    kind = data.get("type")
    if not isinstance(kind, str) or kind not in kinds:
        raise ProtocolError(
            f"The message type {kind!r:.60} is not known; send one of: {', '.join(kinds)}.", "type"
        )
    return build(kinds[kind], data, "")


def read_json(text: str, limited: bool = True) -> Any:
    """The value of a JSON text, refused where it is too deep or holds what is no number or too long a text.

    Raises:
        ProtocolError: it cannot be read, or is over a limit.
    """
    try:
        data = json.loads(text, parse_constant=_no_number, object_pairs_hook=_no_double)
    except (ValueError, RecursionError) as error:
        raise ProtocolError(f"The message is not JSON: {error}.") from None
    if limited:
        _check_size(data, MAX_DEPTH)
    return data


def _no_number(name: str) -> float:
    raise ValueError(f"{name} is no number of JSON")


def _no_double(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a field is given twice")
    return found


def _check_size(value: Any, depth: int) -> None:
    if isinstance(value, str):
        if len(value) > MAX_TEXT:
            raise ProtocolError(f"A text of the message has {len(value)} characters; {MAX_TEXT} are allowed.")
        try:
            value.encode()
        except UnicodeEncodeError:
            raise ProtocolError("A text of the message holds half of a surrogate pair.") from None
    elif isinstance(value, (dict, list)):
        if not depth:
            raise ProtocolError(f"The message is nested deeper than {MAX_DEPTH} values.")
        for item in [*value, *value.values()] if isinstance(value, dict) else value:
            _check_size(item, depth - 1)


@cache
def hints(kind: type) -> dict[str, Any]:
    """The types of the fields of a message or a part."""
    return typing.get_type_hints(kind)


def build(kind: type, data: Mapping[str, Any], where: str) -> Any:
    """The dataclass that `data` describes; unknown fields are left aside.

    Raises:
        ProtocolError: a field is missing or of the wrong type.
    """
    values = {}
    for item in fields(kind):
        place = f"{where}{item.name}"
        if item.name in data:
            values[item.name] = _value(hints(kind)[item.name], data[item.name], place)
        elif item.default is MISSING and item.default_factory is MISSING:
            raise ProtocolError(f"The field {place} is missing.", place)
    return kind(**values)


def _value(hint: Any, value: Any, where: str) -> Any:
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin is UnionType or origin is typing.Union:
        if value is None and NoneType in inner:
            return None
        return _value(next(kind for kind in inner if kind is not NoneType), value, where)
    if origin is Literal:
        if value not in inner or isinstance(value, bool):
            raise ProtocolError(f"The field {where} is {value!r:.60}; give one of {', '.join(inner)}.", where)
        return value
    if origin is tuple and isinstance(value, list):
        return tuple(_value(inner[0], item, f"{where}[{n}]") for n, item in enumerate(value))
    if origin is dict and isinstance(value, dict):
        return {name: _value(inner[1], item, f"{where}.{name}") for name, item in value.items()}
    if is_dataclass(hint) and isinstance(value, dict):
        return build(typing.cast(type, hint), value, f"{where}.")
    if hint is float and isinstance(value, (int, float)) and not isinstance(value, bool):
        return _number(value, where)
    if isinstance(hint, type) and not is_dataclass(hint) and type(value) is hint:
        return _number(value, where) if hint is int else value
    raise ProtocolError(f"The field {where} is a {_named(value)}; it must be {_wanted(hint)}.", where)


def _number(value: Any, where: str) -> Any:
    if abs(value) >= 2**53:
        raise ProtocolError(f"The number in {where} is too large.", where)
    return value


def _named(value: Any) -> str:
    names = {dict: "object", list: "list", str: "text", bool: "truth value", NoneType: "null"}
    return names.get(type(value), "number")


def _wanted(hint: Any) -> str:
    names = {str: "a text", int: "a whole number", float: "a number", bool: "true or false"}
    return names.get(hint) or ("a list" if typing.get_origin(hint) is tuple else "an object")
