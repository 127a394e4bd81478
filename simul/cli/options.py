"""The parser of a command: argparse with defaults from SIMUL_* variables and a TOML file."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib import import_module
from itertools import chain
from pathlib import Path
from typing import Any, NoReturn, TextIO

from simul.cli.commands import COMMANDS, RECIPES, SCORES, modules
from simul.cli.context import Context
from simul.errors import UsageError, did_you_mean
from simul.options import texts, truth

ENVIRONMENT_PREFIX = "SIMUL_"

MOST_JOBS = 256
MOST_ROWS = 1_000_000_000
LARGEST_SEED = 2**32 - 1


class Parser(argparse.ArgumentParser):
    """argparse, with one line for a mistake, and defaults from the environment and a configuration file."""

    def __init__(self, command: str, description: str, **options: Any) -> None:
        options.setdefault("formatter_class", _Formatter)
        super().__init__(prog=f"simul {command}", description=description, allow_abbrev=False, **options)
        self.command = command
        self._stdout: TextIO | None = None
        common = self.add_argument_group("common options")
        common.add_argument("-q", "--quiet", action="store_true", help="say only what went wrong")
        common.add_argument(
            "-v", "--verbose", action="store_true", help="say more; show where an error arose"
        )
        common.add_argument("--config", metavar="FILE", help="TOML file with defaults of these options")

    def _print_message(self, message: str, file: Any = None) -> None:
        """Write the help; argparse would keep quiet where it cannot be written."""
        out = self._stdout or file
        out.write(message)
        out.flush()

    def error(self, message: str) -> NoReturn:
        """Raise a UsageError in place of printing the usage and exiting."""
        text = message[:1].upper() + message[1:]
        stray = message.removeprefix("unrecognized arguments: ")
        if os.path.isfile(stray):
            text = f"{stray} is taken for an option; put `--` before names that begin with a dash: -- {stray}"
        raise UsageError(f"{text.rstrip('.')}; see `{self.prog} --help`.")

    def parse(self, arguments: Sequence[str], context: Context) -> argparse.Namespace:
        """Parse, with defaults: option, then SIMUL_* variable, then configuration file, then built in.

        Sets the verbosity of `context`.

        Raises:
            UsageError: something is not known or not of its type.
        """
        self._stdout = context.stdout
        defaults = self._from_config(_config_path(_split(arguments)[0], context)) + self._from_environment(
            context.environ
        )
        options, names = _split(arguments)
        for argument in (*defaults, *options):
            if argument.startswith("-") and argument.endswith("=--"):
                # argparse would leave it away.
                raise UsageError(f"{argument[:-3]} is given --, which is no value; see `{self.prog} --help`.")
        # argparse does not take `--` among intermixed arguments: what follows it is put in afterwards.
        stand_ins = [_STAND_IN.format(number) for number in range(len(names))]
        given = self.parse_intermixed_args([*defaults, *options, *stand_ins])
        _put_in(given, dict(zip(stand_ins, names, strict=True)))
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
        """Defaults in a file: of every command at its top, of one command in a table of that name."""
        if path is None:
            return []
        return self._from_table(_read_toml(path), path, self.command.split())

    def _from_table(
        self, table: Mapping[str, Any], where: str, names: Sequence[str], commands: Iterable[str] = COMMANDS
    ) -> list[str]:
        """The options of `table` and of the tables in it that `names` lead to, as on the command line.

        Raises:
            UsageError: something is no option of this command, or, outside its table, of none.
        """
        options = self._options()
        found: list[str] = []
        for key, value in table.items():
            dest = key.replace("-", "_")
            if dest in options:
                found += _as_arguments(options[dest], value, f"{where}: {key}")
            elif not names or key not in commands:
                known = _of_all_commands() if names else set(options)
                if dest not in known:
                    near = did_you_mean(dest, {*known, *(commands if names else ())})
                    raise UsageError(f"{where} has no option {key!r}{near}; see `{self.prog} --help`.")
        if names and isinstance(table.get(names[0]), dict):
            below = (*SCORES, *RECIPES, *chain(*RECIPES.values()))
            found += self._from_table(table[names[0]], f"{where}: [{names[0]}]", names[1:], below)
        return found


def whole(low: int, high: int) -> Callable[[str], int]:
    """The type of an option that is a whole number from `low` to `high`."""

    def number(text: str) -> int:
        if not low <= (value := int(text)) <= high:
            raise argparse.ArgumentTypeError(f"it is {value}; give {low} to {high}")
        return value

    return number


def decimal(low: float, high: float) -> Callable[[str], float]:
    """The type of an option that is a number from `low` to `high`."""

    def number(text: str) -> float:
        if not low <= (value := float(text)) <= high:
            raise argparse.ArgumentTypeError(f"it is {value:g}; give {low:g} to {high:g}")
        return value

    return number


_STAND_IN = "\0{}\0"
"""Stands for an argument behind `--`; no argument of a process holds this character."""


def _split(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """Arguments before and behind `--`, which ends the options."""
    given = list(arguments)
    if "--" not in given:
        return given, []
    place = given.index("--")
    return given[:place], given[place + 1 :]


def _put_in(given: argparse.Namespace, names: Mapping[str, str]) -> None:
    """Replace what stood for names."""
    for key, value in vars(given).items() if names else ():
        if isinstance(value, list):
            setattr(given, key, [names.get(item, item) for item in value])
        elif isinstance(value, str):
            setattr(given, key, names.get(value, value))


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


def _as_arguments(action: argparse.Action, value: Any, where: str) -> list[str]:
    """`value` of a variable or a file as it would stand on the command line."""
    flag = action.option_strings[-1]
    if action.nargs == 0:
        return [flag] if truth(value, where) else []
    return [f"{flag}={text}" for text in texts(value)]


def _of_all_commands() -> set[str]:
    """The names of the options of every command, which takes importing them all."""
    return {name for module in modules() for name in import_module(module).parser()._options()}


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
    except (ValueError, RecursionError) as error:
        raise UsageError(f"The configuration {path} is not TOML: {error}.") from error
