"""Options: parsers whose flags come from dataclasses, and defaults from SIMUL_* variables and a TOML file."""

from __future__ import annotations

import argparse
import dataclasses
import types
import typing
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from simul.cli.context import Context
from simul.errors import UsageError

T = TypeVar("T")

ENVIRONMENT_PREFIX = "SIMUL_"
_TRUE, _FALSE = ("1", "true", "yes", "on"), ("0", "false", "no", "off", "")


class Parser(argparse.ArgumentParser):
    """argparse, with one line for a mistake, and defaults from the environment and a configuration file."""

    def __init__(self, command: str, description: str, **options: Any) -> None:
        options.setdefault("formatter_class", _Formatter)
        super().__init__(prog=f"simul {command}", description=description, allow_abbrev=False, **options)
        self.command = command
        common = self.add_argument_group("common options")
        common.add_argument("-q", "--quiet", action="store_true", help="say only what went wrong")
        common.add_argument(
            "-v", "--verbose", action="store_true", help="say more; show where an error arose"
        )
        common.add_argument("--config", metavar="FILE", help="TOML file with defaults of these options")

    def error(self, message: str) -> NoReturn:
        """Raise a UsageError in place of printing the usage and exiting."""
        text = message[:1].upper() + message[1:]
        raise UsageError(f"{text.rstrip('.')}; see `{self.prog} --help`.")

    def add_dataclass(
        self, cls: type, title: str, names: Mapping[str, str] | None = None, leave_out: Iterable[str] = ()
    ) -> None:
        """`add_dataclass` for this parser."""
        add_dataclass(self, cls, title, names, leave_out)

    def parse(self, arguments: Sequence[str], context: Context) -> argparse.Namespace:
        """Parse, with defaults: option, then SIMUL_* variable, then configuration file, then built in.

        Sets the verbosity of `context`.

        Raises:
            UsageError: something is not known or not of its type.
        """
        defaults = self._from_config(_config_path(arguments, context)) + self._from_environment(
            context.environ
        )
        given = self.parse_intermixed_args([*defaults, *arguments])
        context.verbosity = -1 if given.quiet else int(given.verbose)
        return given

    def _options(self) -> dict[str, argparse.Action]:
        skipped = ("help", "config")
        return {
            action.dest: action
            for action in self._actions
            if action.option_strings and action.dest not in skipped
        }

    def _from_environment(self, environ: Mapping[str, str]) -> list[str]:
        found: list[str] = []
        for name, action in self._options().items():
            value = environ.get(ENVIRONMENT_PREFIX + name.upper())
            if value is not None:
                found += _as_arguments(action, value, f"The variable {ENVIRONMENT_PREFIX}{name.upper()}")
        return found

    def _from_config(self, path: str | None) -> list[str]:
        if path is None:
            return []
        table = _read_toml(path)
        own = table.get(self.command)
        options = self._options()
        found: list[str] = []
        for name, value in table.items():
            dest = name.replace("-", "_")
            if not isinstance(value, dict) and dest in options:
                found += _as_arguments(options[dest], value, f"{path}: {name}")
        hint = f"see `{self.prog} --help`"
        return found + self.arguments(own if isinstance(own, dict) else {}, f"{path}: [{self.command}]", hint)

    def arguments(self, table: Mapping[str, Any], where: str, hint: str) -> list[str]:
        """The options that `table` names (hyphens or underscores) as they would stand on the command line.

        Raises:
            UsageError: an option is not known; `where` and `hint` say where it stands and what is.
        """
        options = self._options()
        found: list[str] = []
        for name, value in table.items():
            dest = name.replace("-", "_")
            if dest not in options:
                raise UsageError(f"{where} has no option {name!r}; {hint}.")
            found += _as_arguments(options[dest], value, f"{where}: {name}")
        return found


def add_dataclass(
    parser: argparse.ArgumentParser,
    cls: type,
    title: str,
    names: Mapping[str, str] | None = None,
    leave_out: Iterable[str] = (),
) -> None:
    """One option per field of a dataclass; `names` renames fields, metadata gives help, metavar, choices."""
    group = parser.add_argument_group(title)
    hints = typing.get_type_hints(cls)
    for item in dataclasses.fields(cls):
        if item.name in leave_out:
            continue
        flag = "--" + (names or {}).get(item.name, item.name).replace("_", "-")
        group.add_argument(flag, **_settings(item, hints[item.name]))


class _Formatter(argparse.HelpFormatter):
    """Help with the default of every option that has one worth showing."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=30, width=100)

    def _get_help_string(self, action: argparse.Action) -> str | None:
        text = action.help
        plain = isinstance(action.default, (str, int, float)) and not isinstance(action.default, bool)
        if text and plain and action.default != argparse.SUPPRESS and action.option_strings:
            text += " (default: %(default)s)"
        return text


def _settings(item: Any, hint: Any) -> dict[str, Any]:
    """Arguments of `add_argument` for a dataclass field."""
    settings = {"default": item.default, **item.metadata}
    kinds = [t for t in typing.get_args(hint) if t is not type(None)] if _is_union(hint) else [hint]
    kind = kinds[0]
    if kind is bool:
        settings["action"] = "store_true"
        settings.pop("metavar", None)
    elif typing.get_origin(kind) is tuple:
        settings.update(action="append", default=[])
    elif kind is not str:
        settings["type"] = kind
    if "choices" in settings:
        settings.pop("metavar", None)
    return settings


def _is_union(hint: Any) -> bool:
    return typing.get_origin(hint) in (typing.Union, types.UnionType)


def from_namespace(cls: type[T], given: argparse.Namespace, names: Mapping[str, str] | None = None) -> T:
    """The dataclass whose options `Parser.add_dataclass` made."""
    values = {}
    for item in dataclasses.fields(cls):  # type: ignore[arg-type]
        dest = (names or {}).get(item.name, item.name)
        if hasattr(given, dest):
            value = getattr(given, dest)
            values[item.name] = tuple(value) if isinstance(value, list) else value
    return cls(**values)


def _as_arguments(action: argparse.Action, value: Any, where: str) -> list[str]:
    """`value` of a variable or a file as it would stand on the command line."""
    flag = action.option_strings[-1]
    if action.nargs == 0:
        text = str(value).lower()
        if text not in _TRUE + _FALSE:
            raise UsageError(f"{where} is {value!r}; give true or false.")
        return [flag] if text in _TRUE else []
    if isinstance(value, dict):
        value = [f"{key}={item}" for key, item in value.items()]
    values = value if isinstance(value, list) else [value]
    return [f"{flag}={item}" for item in values]


def _config_path(arguments: Sequence[str], context: Context) -> str | None:
    for index, text in enumerate(arguments):
        if text == "--config" and index + 1 < len(arguments):
            return arguments[index + 1]
        if text.startswith("--config="):
            return text.partition("=")[2]
    return context.environ.get(ENVIRONMENT_PREFIX + "CONFIG")


def _read_toml(path: str) -> dict[str, Any]:
    try:
        import tomllib
    except ImportError:
        raise UsageError("A configuration file needs Python 3.11 or later; use SIMUL_* variables.") from None
    try:
        return tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"The configuration {path} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise UsageError(f"The configuration {path} is not TOML: {error}.") from error
