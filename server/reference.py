"""docs/protocol.md, made from the dataclasses of the protocol."""

from __future__ import annotations

import inspect
import typing
from dataclasses import MISSING, fields, is_dataclass
from types import NoneType, UnionType
from typing import Any, Literal

from server import protocol as p
from server.codec import MAX_DEPTH, MAX_TEXT, CloseCode, hints

HEAD = f"""# The protocol {p.SUBPROTOCOL}

Version {p.VERSION}, at `/v1/session`. This page is made from `server/protocol.py` by `simul schema --format markdown`;
`simul schema` prints the JSON Schema, `simul schema --format asyncapi` the AsyncAPI document.

{{about}}

A message of a client is nested at most {MAX_DEPTH} values deep, a text in it has at most {MAX_TEXT} characters. Every
error that closes the socket is also sent as `error` first.
"""


def markdown() -> str:
    """The page."""
    about = inspect.cleandoc(inspect.getdoc(p) or "").partition("\n\n")[2]
    lines = [HEAD.format(about=about), *_order()]
    for title, kinds in (("client", p.CLIENT_MESSAGES), ("server", p.SERVER_MESSAGES)):
        lines += [f"## What a {title} sends", ""]
        for kind in kinds.values():
            numbered = " (numbered)" if getattr(kind, "numbered", False) else ""
            lines += [f"### `{kind.type}`{numbered}", "", *_about(kind)]
    lines += ["## Parts of messages", ""]
    for part in _parts():
        lines += [f"### {part.__name__}", "", *_about(part)]
    lines += ["## Close codes", "", "| code | why |", "| --- | --- |"]
    codes = {value: name for name, value in vars(CloseCode).items() if isinstance(value, int)}
    lines += [f"| {code} | {name.lower().replace('_', ' ')} |" for code, name in sorted(codes.items())]
    return "\n".join(lines) + "\n"


def _order() -> list[str]:
    return [
        "`session.start` (or `session.resume`) comes first, then audio and other messages; after `end` only `ack` and",
        "`ping`. The server answers `session.ready`, then says what it hears, and ends with `session.end`.",
        "",
    ]


def _about(kind: Any) -> list[str]:
    shown = [item for item in fields(kind) if item.name != "seq"]
    lines = [inspect.cleandoc(kind.__doc__ or ""), ""]
    if shown:
        lines += ["| field | type | unless given |", "| --- | --- | --- |"]
        for item in shown:
            given = item.default is not MISSING or item.default_factory is not MISSING
            default = "must be given" if not given else _default(item)
            lines.append(f"| `{item.name}` | {_type(hints(kind)[item.name])} | {default} |")
        lines.append("")
    return lines


def _default(item: Any) -> str:
    value = item.default
    if value is MISSING or value == () or is_dataclass(value):
        return "empty" if value in (MISSING, ()) else "as its fields say"
    return "left out" if value is None else f"`{value!r}`" if value != "" else "empty"


def _type(hint: Any) -> str:
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin is UnionType or origin is typing.Union:
        return _type(next(kind for kind in inner if kind is not NoneType))
    if origin is Literal:
        return " · ".join(f"`{value}`" for value in inner)
    if origin is tuple:
        return f"list of {_type(inner[0])}"
    if origin is dict:
        return f"object of {_type(inner[1])}"
    names = {str: "text", int: "whole number", float: "number", bool: "true or false"}
    return names.get(hint) or f"[{hint.__name__}](#{hint.__name__.lower()})"


def _parts() -> list[type]:
    """The dataclasses that messages are made of, each once."""
    found: dict[str, type] = {}

    def visit(hint: Any) -> None:
        inners: tuple[Any, ...] = (hint, *typing.get_args(hint))
        for inner in inners:
            if hasattr(inner, "__dataclass_fields__") and inner.__name__ not in found:
                found[inner.__name__] = inner
                for each in typing.get_type_hints(inner).values():
                    visit(each)

    kinds: tuple[Any, ...] = (*p.CLIENT_MESSAGES.values(), *p.SERVER_MESSAGES.values())
    for kind in kinds:
        visit(kind)
    for kind in kinds:
        del found[kind.__name__]
    return [found[name] for name in sorted(found)]
