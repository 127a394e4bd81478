"""Dataclasses as options: of a command line, and of a table such as a YAML or TOML file holds."""

from __future__ import annotations

import argparse
import dataclasses
import typing
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

from simul.errors import UsageError, did_you_mean

T = TypeVar("T")

TRUE, FALSE = ("1", "true", "yes", "on"), ("0", "false", "no", "off", "")


def option(
    default: Any,
    help: str,
    metavar: str | None = None,
    choices: tuple[str, ...] | None = None,
    span: tuple[int, int] | None = None,
    name: str | None = None,
) -> Any:
    """Declare an option as a field of a dataclass.

    span: its least and its largest value. name: what the option is called where it is not as the field.
    """
    given = {"help": help, "metavar": metavar, "choices": choices, "span": span, "option": name}
    return dataclasses.field(default=default, metadata={k: v for k, v in given.items() if v is not None})


def check_options(options: Any) -> None:
    """Raise `UsageError` where a field holds none of its choices, or a number outside its span."""
    for item in dataclasses.fields(options):
        value, span = getattr(options, item.name), item.metadata.get("span")
        choices = item.metadata.get("choices", (value,))
        if value not in choices:
            raise UsageError(f"Unknown {item.name} {value!r}; choose one of: {', '.join(choices)}.")
        if span is not None and value is not None and not span[0] <= value <= span[1]:
            raise UsageError(f"The number {item.name} is {value}; give {span[0]} to {span[1]}.")


def option_name(item: Any, names: Mapping[str, str] | None = None) -> str:
    """What the option of a field is called, with underscores: by `names`, by its metadata, or as the field."""
    return str((names or {}).get(item.name) or item.metadata.get("option") or item.name)


def add_options(
    parser: argparse.ArgumentParser,
    cls: type,
    title: str,
    names: Mapping[str, str] | None = None,
    leave_out: Iterable[str] = (),
) -> None:
    """One option per field of a dataclass; `names` renames fields, metadata gives help, metavar, choices, option."""
    group = parser.add_argument_group(title)
    hints = typing.get_type_hints(cls)
    for item in dataclasses.fields(cls):
        if item.name not in leave_out:
            flag = "--" + option_name(item, names).replace("_", "-")
            group.add_argument(flag, **_settings(item, hints[item.name]))


def _settings(item: Any, hint: Any) -> dict[str, Any]:
    """Arguments of `add_argument` for a dataclass field."""
    named = {name: value for name, value in item.metadata.items() if name not in ("option", "span")}
    settings = {"default": item.default, **named}
    kind = _kind(hint)
    if kind is bool:
        settings["action"] = "store_true"
        settings.pop("metavar", None)
    elif kind is tuple:
        settings.update(action="append", default=[])
    elif kind is not str:
        settings["type"] = kind
    if "choices" in settings:
        settings.pop("metavar", None)
    return settings


def _kind(hint: Any) -> Any:
    """str, int, float, bool or tuple: the type of a field, without None."""
    kinds = [t for t in typing.get_args(hint) if t is not type(None)]
    origin = typing.get_origin(hint)
    return tuple if origin is tuple else kinds[0] if kinds else hint


def from_namespace(cls: type[T], given: argparse.Namespace, names: Mapping[str, str] | None = None) -> T:
    """The dataclass whose options `add_options` made."""
    values = {}
    for item in dataclasses.fields(cls):  # type: ignore[arg-type]
        dest = option_name(item, names)
        if hasattr(given, dest):
            value = getattr(given, dest)
            values[item.name] = tuple(value) if isinstance(value, list) else value
    return cls(**values)


def from_table(classes: Sequence[type], table: Mapping[str, Any], where: str) -> list[Any]:
    """The dataclasses whose fields `table` names as options, with hyphens or underscores.

    A mapping or a list stands for an option that can be repeated; `where` is the table, for messages.

    Raises:
        UsageError: an option is not known, or a value not of its type.
    """
    owners = {option_name(item): (cls, item.name) for cls in classes for item in dataclasses.fields(cls)}
    values: dict[type, dict[str, Any]] = {cls: {} for cls in classes}
    for key, value in table.items():
        name = key.replace("-", "_")
        if name not in owners:
            raise UsageError(
                f"{where} has no option {key!r}{did_you_mean(name, owners)}; it takes {', '.join(owners)}."
            )
        cls, field = owners[name]
        values[cls][field] = _value(typing.get_type_hints(cls)[field], value, f"{where}: {key}")
    return [cls(**values[cls]) for cls in classes]


def texts(value: Any) -> list[str]:
    """What an option that can be repeated is given: a mapping as NAME=VALUE, a list, or a single value."""
    if isinstance(value, Mapping):
        return [f"{name}={item}" for name, item in value.items()]
    return [str(item) for item in (value if isinstance(value, (list, tuple)) else [value])]


def truth(value: Any, where: str) -> bool:
    """`value` as true or false.

    Raises:
        UsageError: it is neither.
    """
    text = str(value).lower()
    if text not in TRUE + FALSE:
        raise UsageError(f"{where} is {value!r}; give true or false.")
    return text in TRUE


def _value(hint: Any, value: Any, where: str) -> Any:
    kind = _kind(hint)
    if kind is tuple:
        return tuple(texts(value))
    if kind is bool:
        return truth(value, where)
    if value is None and type(None) in typing.get_args(hint):
        return None
    try:
        if isinstance(value, bool) or not isinstance(value, (str, int, float)):
            raise ValueError
        if kind is int and isinstance(value, float):
            raise ValueError
        return kind(value)
    except ValueError:
        wanted = {str: "a text", int: "a whole number", float: "a number"}[kind]
        raise UsageError(f"{where} is {value!r}; give {wanted}.") from None
