"""Files that a run writes: folders made, text written line by line, file names that are safe and differ."""

from __future__ import annotations

import io
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from simul.errors import OutputError, SimulError

if TYPE_CHECKING:
    from typing_extensions import Buffer


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
    """`path` opened for writing text line by line; a write that fails raises `OutputError` with its name.

    Folders on the way to it that are missing are made.

    Raises:
        SimulError: it cannot be written.
    """
    make_folder(Path(path).parent)
    try:
        raw = NamedFile(os.fspath(path), "w")
    except OSError as error:
        raise SimulError(f"{path} cannot be written: {error.strerror}; choose another place.") from error
    return text_into(raw)


def text_into(raw: NamedFile) -> TextIO:
    """Text in UTF-8 into `raw`, line by line; half a character becomes the escape that JSON uses."""
    binary = io.BufferedWriter(raw)
    return io.TextIOWrapper(
        binary, encoding="utf-8", errors="backslashreplace", newline="\n", line_buffering=True
    )


class NamedFile(io.FileIO):
    """A file whose failed write tells its name, once; what is written after that is thrown away.

    label: what messages call it, its own name unless given.
    """

    def __init__(self, file: str | int, mode: str, label: str | None = None, closefd: bool = True) -> None:
        super().__init__(file, mode, closefd=closefd)
        self.label = label or str(file)
        self._failed = False

    def write(self, data: Buffer, /) -> int:
        """Write, as `io.FileIO` does.

        Raises:
            OutputError: the disk is full, or what else the system says.
            BrokenPipeError: nobody reads any more.
        """
        if self._failed:
            return memoryview(data).nbytes
        try:
            return super().write(data)
        except BrokenPipeError:
            self._failed = True
            raise
        except OSError as error:
            self._failed = True
            raise OutputError(f"{self.label} cannot be written: {error.strerror or error}.") from error


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
