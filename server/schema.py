"""The documents of the protocol, made from its dataclasses: JSON Schema 2020-12, AsyncAPI 3."""

from __future__ import annotations

import inspect
import typing
from dataclasses import MISSING, fields, is_dataclass
from types import NoneType, UnionType
from typing import Any, Literal

from server.codec import hints
from server.protocol import CLIENT_MESSAGES, SERVER_MESSAGES, SUBPROTOCOL, VERSION
from server.stage.messages import WATCH_MESSAGES

DIALECT = "https://json-schema.org/draft/2020-12/schema"
ROOM = "urn:simul:v1"


def json_schema() -> dict[str, Any]:
    """Every message and part under `$defs`; "client", "server" and "watch" are what may be sent where."""
    parts: dict[str, Any] = {}
    for kind in (*CLIENT_MESSAGES.values(), *SERVER_MESSAGES.values(), *WATCH_MESSAGES.values()):
        _define(kind, parts)
    sides: dict[str, Any] = {"client": CLIENT_MESSAGES, "server": SERVER_MESSAGES, "watch": WATCH_MESSAGES}
    for side, kinds in sides.items():
        parts[side] = {"oneOf": [_reference(kind) for kind in kinds.values()]}
    return {
        "$schema": DIALECT,
        "$id": ROOM,
        "title": f"Messages of {SUBPROTOCOL}, version {VERSION}",
        "oneOf": [{"$ref": f"#/$defs/{side}"} for side in sides],
        "$defs": dict(sorted(parts.items())),
    }


def _reference(kind: type) -> dict[str, str]:
    return {"$ref": f"#/$defs/{kind.__name__}"}


def _define(kind: type, parts: dict[str, Any]) -> dict[str, str]:
    """The reference to a dataclass, which is put into `parts` with those it is made of."""
    if kind.__name__ not in parts:
        parts[kind.__name__] = {}
        parts[kind.__name__] = _object(kind, parts)
    return _reference(kind)


def _object(kind: Any, parts: dict[str, Any]) -> dict[str, Any]:
    properties: dict[str, Any] = {}
    required = []
    if type_name := getattr(kind, "type", ""):
        properties["type"] = {"const": type_name}
        required.append("type")
    for item in fields(kind):
        properties[item.name] = _schema(hints(kind)[item.name], parts)
        if item.default is MISSING and item.default_factory is MISSING:
            required.append(item.name)
    about = inspect.cleandoc(kind.__doc__ or "")
    return {"type": "object", "description": about, "properties": properties, "required": required}


def _schema(hint: Any, parts: dict[str, Any]) -> dict[str, Any]:
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin is UnionType or origin is typing.Union:
        return {"anyOf": [_schema(kind, parts) for kind in inner]}
    if origin is Literal:
        return {"enum": list(inner)}
    if origin is tuple:
        return {"type": "array", "items": _schema(inner[0], parts)}
    if origin is dict:
        return {"type": "object", "additionalProperties": _schema(inner[1], parts)}
    if is_dataclass(hint):
        return _define(typing.cast(type, hint), parts)
    plain = {str: "string", int: "integer", float: "number", bool: "boolean", NoneType: "null"}
    return {"type": plain[hint]}


def asyncapi() -> dict[str, Any]:
    """AsyncAPI 3: one channel, what the client sends on it and what the server does."""
    messages: dict[str, Any] = {}
    kinds: tuple[Any, ...] = (*CLIENT_MESSAGES.values(), *SERVER_MESSAGES.values())
    for kind in kinds:
        about = inspect.cleandoc(kind.__doc__ or "").partition("\n")[0]
        payload = {"$ref": f"{ROOM}#/$defs/{kind.__name__}"}
        messages[kind.__name__] = {"name": kind.type, "summary": about, "payload": payload}
    audio = {
        "name": "audio",
        "contentType": "application/octet-stream",
        "summary": "Whole samples, no header.",
    }
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "simul live translation", "version": VERSION},
        "defaultContentType": "application/json",
        "channels": {
            "session": {
                "address": "/v1/session",
                "description": f"A WebSocket of the subprotocol {SUBPROTOCOL}.",
                "messages": {
                    name: {"$ref": f"#/components/messages/{name}"} for name in (*messages, "Audio")
                },
            }
        },
        "operations": {
            "send": _operation("receive", [*(kind.__name__ for kind in CLIENT_MESSAGES.values()), "Audio"]),
            "hear": _operation("send", [*(kind.__name__ for kind in SERVER_MESSAGES.values()), "Audio"]),
        },
        "components": {"messages": {**messages, "Audio": audio}},
    }


def _operation(action: str, names: list[str]) -> dict[str, Any]:
    """What the server receives or sends."""
    messages = [{"$ref": f"#/channels/session/messages/{name}"} for name in names]
    return {"action": action, "channel": {"$ref": "#/channels/session"}, "messages": messages}
