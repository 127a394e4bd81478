"""The inputs of `simul translate`: names with patterns become sources, and outputs get their places."""

from __future__ import annotations

import argparse
import glob
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from simul.cli.places import STANDARD
from simul.errors import AudioError, SimulError, UsageError
from simul.files import unique_name

if TYPE_CHECKING:
    from simul.audio.sources import AudioSource
    from simul.cli.context import Context
    from simul.cli.options import Parser


class Input(NamedTuple):
    """A file name, an address or `-`, and what its outputs are called, different for every input."""

    name: str
    stem: str


def expand(names: Sequence[str]) -> list[Input]:
    """The inputs, with patterns that the shell left alone replaced by the files they match.

    Raises:
        AudioError: a pattern matches nothing.
        UsageError: standard input is named twice.
    """
    from simul.audio.addresses import address_stem, is_address

    found: list[str] = []
    for name in names:
        if not name.strip():
            raise UsageError("The name of an input is empty; name a file, or give - for standard input.")
        plain = name == STANDARD or is_address(name) or os.path.exists(name)
        if not plain and glob.has_magic(name):
            matches = sorted(path for path in glob.glob(name, recursive=True) if os.path.isfile(path))
            if not matches:
                raise AudioError(f"No file matches {name!r}; check the pattern.")
            found += matches
        else:
            found.append(name)
    if found.count(STANDARD) > 1:
        raise UsageError("Standard input can be read only once; give `-` a single time.")
    inputs: list[Input] = []
    taken: set[str] = set()
    for name in found:
        stem = address_stem(name) if is_address(name) else Path(name).stem
        stem = "stdin" if name == STANDARD else stem
        inputs.append(Input(name, unique_name(stem, taken)))
    return inputs


def add_sound_options(p: Parser) -> None:
    """Which sound of an input is heard."""
    group = p.add_argument_group("which sound")
    group.add_argument(
        "--track",
        metavar="TRACK",
        help="audio track, by number from 1 or language (unless given: the one in --source, else the default one)",
    )
    group.add_argument(
        "--channel",
        metavar="CHANNEL",
        help="only this channel: number from 1, left or right (unless given: a mix)",
    )


def open_input(
    name: str, given: argparse.Namespace, context: Context, stopped: Callable[[], bool]
) -> AudioSource:
    """The source of one input, in pieces of a chunk."""
    from simul.audio.addresses import AddressSource, is_address
    from simul.audio.container import Listening
    from simul.audio.files import FileSource
    from simul.audio.sources import StdinSource
    from simul.cli.interrupts import StoppableInput

    listening = Listening(given.track, given.channel, given.source)
    if is_address(name):
        return AddressSource(name, given.chunk_ms, listening=listening)
    if name != STANDARD:
        return FileSource(name, given.chunk_ms, listening=listening)
    if context.stdin.isatty():
        raise UsageError("Standard input is a terminal; pipe audio into it, or name a file.")
    stream = StoppableInput(context.stdin, stopped)
    return StdinSource(
        stream,  # type: ignore[arg-type]
        given.chunk_ms,
        encoding=given.encoding,
        rate=given.rate,
        channels=given.channels or 1,
        raw=given.raw,
        listening=listening,
    )


def check(name: str) -> SimulError | None:
    """What is wrong with an input, as far as its first bytes tell; standard input and addresses are not touched."""
    from simul.audio.addresses import is_address
    from simul.audio.files import FileSource

    if name == STANDARD or is_address(name):
        return None
    try:
        FileSource(name).close()
    except SimulError as error:
        return error
    return None


def is_folder(place: str) -> bool:
    """Whether an output option names a folder: one that exists, or a name that ends as folders do."""
    if place == STANDARD:
        return False
    return os.path.isdir(place) or place.endswith(("/", os.sep))


def place(option: str, stem: str, suffix: str) -> Path:
    """The output file of an input: `option` itself, or a file inside it if it is a folder."""
    if not is_folder(option):
        return Path(option)
    from simul.files import make_folder

    return make_folder(option) / f"{stem}.{suffix}"


def places(option: str, items: Sequence[Input], suffix: str) -> list[str]:
    """The outputs of all inputs, without making a folder: `option` itself, or a file for each in the folder."""
    if not is_folder(option):
        return [option]
    return [os.path.join(option, f"{item.stem}.{suffix}") for item in items]
