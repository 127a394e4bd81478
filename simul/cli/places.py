"""Where results go: `-` is standard output, and no two outputs, nor an output and an input, share one place."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from typing import TYPE_CHECKING, BinaryIO

from simul.errors import UsageError

if TYPE_CHECKING:
    from simul.cli.context import Context

STANDARD = "-"
"""Standard output, or standard input."""

_STANDARD_OUTPUT = "standard output"


def check_name(option: str, place: str) -> None:
    """Refuse a place without a name.

    Raises:
        UsageError: it is empty.
    """
    if not place.strip():
        raise UsageError(f"The name that {option} gives is empty; name a file.")


def check_folder(option: str, place: str) -> None:
    """Refuse what cannot be a folder of results.

    Raises:
        UsageError: it is empty, or standard output.
    """
    check_name(option, place)
    if place == STANDARD:
        raise UsageError(f"{option} names a folder, and - is standard output; give the name of a folder.")


def check_apart(outputs: Iterable[tuple[str, str]], inputs: Iterable[str], context: Context) -> None:
    """Refuse outputs that would overwrite each other or an input.

    Args:
        outputs: the option and the place of each; `-` is standard output, whose option is empty where it is taken
            because no other was named.
        inputs: names of files that are read.
        context: whose standard output `-` is.

    Raises:
        UsageError: a place is empty, or is named twice.
    """
    taken = {key: f"{name} is an input and" for name in inputs for key in _keys(name, None)}
    for option, place in outputs:
        check_name(option, place)
        shown = _STANDARD_OUTPUT if place == STANDARD else place
        for key in _keys(place, context):
            if key in taken:
                raise UsageError(_refusal(option, shown, taken[key]))
        taken.update(dict.fromkeys(_keys(place, context), option or f"the text on {_STANDARD_OUTPUT}"))


def announce_replaced(places: Iterable[str], context: Context) -> None:
    """Say which files of an earlier run are about to be written anew."""
    found = [place for place in places if os.path.isfile(place) and os.path.getsize(place)]
    if found:
        more = f" and {len(found) - 1} more" if len(found) > 1 else ""
        context.note(f"Replacing {found[0]}{more}, which an earlier run wrote.")


def _refusal(option: str, shown: str, other: str) -> str:
    if other.endswith("is an input and"):
        return f"{other} would be overwritten by {option}; choose another output."
    if shown == _STANDARD_OUTPUT and other.startswith("the text"):
        return f"{option} - would mix with {other}; write the text to a file with -o, or listen with --play."
    return f"{option} and {other} would both write to {shown}; give each a place of its own."


def _keys(place: str, context: Context | None) -> list[tuple[object, ...]]:
    """What a place is known by: its file where there is one, else its path. Devices such as /dev/null take anything."""
    try:
        if place == STANDARD:
            found = None if context is None else os.fstat(context.stdout.fileno())
        else:
            found = os.stat(place)
    except (OSError, ValueError):
        return [(STANDARD,) if place == STANDARD else (os.path.realpath(place),)]
    keys: list[tuple[object, ...]] = [(STANDARD,)] if place == STANDARD and context else []
    if found is not None and (stat.S_ISREG(found.st_mode) or stat.S_ISFIFO(found.st_mode)):
        keys.append((found.st_dev, found.st_ino))
    return keys


def sound_output(option: str, context: Context) -> BinaryIO:
    """Standard output for sound.

    Raises:
        UsageError: it is a terminal, or takes text only.
    """
    if context.stdout.isatty():
        raise UsageError(
            f"{option} - would write sound to the terminal; send it on with a pipe, or use --play."
        )
    try:
        return context.stdout.buffer
    except AttributeError:
        raise UsageError(f"{option} - needs a standard output that takes bytes; name a file.") from None
