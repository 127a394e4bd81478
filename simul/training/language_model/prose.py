"""Sentences of English novels for the language model, from text files or from the R package janeaustenr."""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

from simul.errors import SimulError
from simul.models.embedded.spoken import spoken_form

HELD_OUT = ("sense and sensibility",)
"""Books that recordings of the test sets are read from; they stay out of every language model."""

_CHARACTERS = re.compile(rb"\x00\x04\x00\x09(....)", re.DOTALL)
_TITLES = {"Mr.": "Mister", "Mrs.": "Missus", "Dr.": "Doctor", "St.": "Saint"}
_TITLE = re.compile(r"\b(?:Mr|Mrs|Dr|St)\.")
_SENTENCE_END = re.compile(r"(?<=[.!?])[\"')]*\s+|\n\n+")


class ProseError(SimulError):
    """A file or folder of prose holds nothing that can be read."""


def sentences(path: Path) -> list[list[str]]:
    """Sentences in spoken form, two words or more each, of every book in `path` that is not held out.

    `path` is a folder of UTF-8 `.txt` files, one book each, or the `Rdata.rdb` of an installed janeaustenr.

    Raises:
        ProseError: there is no book in it.
    """
    found = []
    for book in _books(path):
        if book.lstrip().lower().startswith(HELD_OUT):
            continue
        text = _TITLE.sub(lambda found: _TITLES[found.group()], book.replace("_", "").replace("--", " "))
        found += [spoken_form(part).split() for part in _SENTENCE_END.split(text)]
    long = [sentence for sentence in found if len(sentence) > 1]
    if not long:
        raise ProseError(f"{path} holds no prose; give a folder of .txt files or janeaustenr's Rdata.rdb")
    return long


def _books(path: Path) -> Iterator[str]:
    if path.is_dir():
        for file in sorted(path.glob("*.txt")):
            yield file.read_text(encoding="utf-8")
    elif path.suffix == ".rdb":
        yield from (_lines(item) for item in _objects(path.read_bytes()))


def _objects(data: bytes) -> Iterator[bytes]:
    """The serialised objects of an R lazy-load file: a length, big-endian, then a zlib stream, each."""
    at = 0
    while at < len(data):
        (length,) = struct.unpack_from(">I", data, at)
        stream = zlib.decompressobj()
        item = stream.decompress(data[at + 4 :])
        if len(item) != length:
            raise ProseError(f"the R data file is damaged at byte {at}")
        yield item
        at = len(data) - len(stream.unused_data)


def _lines(item: bytes) -> str:
    """The strings of a serialised character vector, one a line; each follows its type word and length."""
    lines = []
    for match in _CHARACTERS.finditer(item):
        (length,) = struct.unpack(">I", match.group(1))
        lines.append(item[match.end() : match.end() + length].decode("utf-8", "replace"))
    return "\n".join(lines)
