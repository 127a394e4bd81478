"""Parts of one's own by name: `module:Name` in a file of the user's, or what an installed package announces."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from inspect import Parameter, signature
from typing import Any

_OWN = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*")


class PluginError(ValueError):
    """A part of one's own that cannot be found, imported or made; like errors of policies it is wrong usage."""

    exit_code = 2


def is_own(name: str, group: str) -> bool:
    """Whether `name` means a part of one's own: `module:Name`, or a name that a package announces in `group`."""
    return _OWN.fullmatch(name) is not None or name in announced(group)


@cache
def announced(group: str) -> dict[str, EntryPoint]:
    """The entry points of installed packages, by name."""
    return {point.name: point for point in entry_points(group=group)}


def find(name: str, group: str) -> Any:
    """The object that `name` means; modules are looked for in the working folder too, after everything installed.

    Raises:
        PluginError: there is none, or its module fails.
    """
    point = announced(group).get(name)
    text = name if point is None else point.value
    module_name, _, path = text.partition(":")
    here = os.getcwd()
    if here not in sys.path:
        sys.path.append(here)
    try:
        found: Any = import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name != module_name.partition(".")[0] and error.name != module_name:
            raise PluginError(
                f"{name} cannot be used: its module needs {error.name}, which is missing."
            ) from error
        raise PluginError(
            f"{name} cannot be used: there is no module {module_name!r} in {here} nor among the installed ones."
        ) from None
    except (Exception, SystemExit) as error:
        raise PluginError(
            f"{name} cannot be used: importing {module_name} failed ({_said(error)})."
        ) from error
    for part in path.split("."):
        if not hasattr(found, part):
            raise PluginError(
                f"{name} cannot be used: {getattr(found, '__file__', module_name)} has no {part!r}."
            )
        found = getattr(found, part)
    return found


def make(name: str, group: str, **known: Any) -> Any:
    """What the object that `name` means gives when it is called, with those of `known` that it has parameters for.

    Raises:
        PluginError: there is none, it cannot be called, or it fails.
    """
    called: Callable[..., Any] = find(name, group)
    if not callable(called):
        return called
    try:
        parameters = signature(called).parameters.values()
    except (TypeError, ValueError):
        parameters = ()  # type: ignore[assignment]
    takes_all = any(p.kind is Parameter.VAR_KEYWORD for p in parameters)
    names = {p.name for p in parameters}
    given = {key: value for key, value in known.items() if takes_all or key in names}
    try:
        return called(**given)
    except (Exception, SystemExit) as error:
        if getattr(error, "exit_code", None) is not None:
            raise
        raise PluginError(f"{name} cannot be made: {_said(error)}.") from error


def _said(error: BaseException) -> str:
    return f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0].rstrip('.')}".rstrip(": ")
