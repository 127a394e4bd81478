"""Files that a run writes: folders made, text written line by line, file names that are safe and differ."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO

from simul.errors import SimulError


def make_folder(path: str | os.PathLike[str]) -> Path:
    """The folder `path`, made when it is missing.

    Raises:
        SimulError: it cannot be made or is a file.
    """
    folder = Path(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise SimulError(f"{folder} is a file; give the name of a folder.") from None
    except OSError as error:
        raise SimulError(
            f"The folder {folder} cannot be made: {error.strerror}; choose another place."
        ) from error
    return folder


def create(path: str | os.PathLike[str]) -> TextIO:
    """`path` opened for writing text line by line.

    Raises:
        SimulError: it cannot be written.
    """
    try:
        return open(path, "w", encoding="utf-8", errors="backslashreplace", newline="\n", buffering=1)
    except OSError as error:
        raise SimulError(f"{path} cannot be written: {error.strerror}; choose another place.") from error


def safe_name(name: str) -> str:
    """`name` as a file name: letters, digits, dot, dash and underscore."""
    return re.sub(r"[^\w.-]+", "_", name).strip("._") or "stream"


def unique_name(name: str, taken: set[str]) -> str:
    """`name`, or `name-2`, `name-3` and so on where it is among `taken`, which it joins."""
    unique, count = name, 1
    while unique in taken:
        count += 1
        unique = f"{name}-{count}"
    taken.add(unique)
    return unique


def json_line(record: Mapping[str, Any]) -> str:
    """One line of JSON with its line feed."""
    return json.dumps(record, ensure_ascii=False) + "\n"
