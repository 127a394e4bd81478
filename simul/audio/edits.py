"""Edit lists of MOV and MP4 with nothing between two edits, which FFmpeg fills with sound from the file's start.

(ISO/IEC 14496-12, 8.6.6: an edit with the media time -1 is empty, wherever it stands.)
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mmap import mmap

_PARENTS = frozenset({b"moov", b"trak", b"edts", b"mdia"})
_FIRST_BOXES = frozenset({b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip"})
_EMPTY = -1
_ROUNDING = 0.002
"""Lengths are in units of the movie, often milliseconds, and media times in samples."""


@dataclass(frozen=True)
class Edit:
    """Sound from `media` to `media` + `length` seconds of a track stands at `at` seconds of the recording."""

    media: float
    at: float
    length: float


@dataclass(frozen=True)
class EditList:
    """The edits of a track, in order, and how long it is with its gaps."""

    edits: tuple[Edit, ...]
    seconds: float

    @property
    def has_gap(self) -> bool:
        """Whether there is nothing between two edits."""
        return any(b.at - a.at - a.length > _ROUNDING for a, b in pairwise(self.edits))

    @property
    def in_order(self) -> bool:
        """Whether no edit plays what stands before the end of another that comes earlier."""
        return all(a.media + a.length <= b.media + _ROUNDING for a, b in pairwise(self.edits))

    def cut(self, media: float, length: float) -> Iterator[tuple[float, float, float]]:
        """Where `length` seconds of sound from `media` on stand: (from, to) within them, and the recording's second."""
        for edit in self.edits:
            begin, end = max(media, edit.media), min(media + length, edit.media + edit.length)
            if end > begin:
                yield begin - media, end - media, edit.at + begin - edit.media


def lists_with_gaps(data: bytes | mmap, start: int = 0, end: int | None = None) -> dict[int, EditList]:
    """By the numbers of their tracks, the edit lists of an MP4 file that has a gap between two edits.

    Empty for files without such a gap, and where a list plays sound in another order than the file has it: FFmpeg
    reads these. start, end: where the file stands in `data`.
    """
    if data[start + 4 : start + 8] not in _FIRST_BOXES:
        return {}
    numbers: dict[tuple[bytes, int], int] = {}
    entries: dict[int, list[tuple[int, int]]] = {}
    track = 0
    for name, body in _leaves(data, start, len(data) if end is None else end):
        if name == b"elst":
            entries[track] = _entries(body)
            continue
        track = _header_field(body) if name == b"tkhd" else track
        numbers[name, track] = _header_field(body)
    movie_scale = numbers.get((b"mvhd", 0), 0)
    found = {
        number: _list(listed, movie_scale, scale)
        for number, listed in entries.items()
        if listed and movie_scale and (scale := numbers.get((b"mdhd", number), 0))
    }
    usable = all(listed.in_order for listed in found.values())
    return found if usable and any(listed.has_gap for listed in found.values()) else {}


def _list(entries: Sequence[tuple[int, int]], movie_scale: int, scale: int) -> EditList:
    edits, at = [], 0.0
    for length, media in entries:
        seconds = length / movie_scale
        if media != _EMPTY:
            edits.append(Edit(media / scale, at, seconds))
        at += seconds
    return EditList(tuple(edits), at)


def _header_field(body: bytes) -> int:
    """What stands behind the times in the header of a movie or media (units a second) or of a track (its number)."""
    at = 20 if body[:1] == b"\1" else 12
    return int.from_bytes(body[at : at + 4], "big")


def _entries(body: bytes) -> list[tuple[int, int]]:
    """Length and media time of each edit."""
    form = ">Qq4x" if body[:1] == b"\1" else ">Ii4x"
    whole = len(body) - (len(body) - 8) % struct.calcsize(form)
    return [(length, media) for length, media in struct.iter_unpack(form, body[8:whole])] if whole > 8 else []


def _leaves(data: bytes | mmap, at: int, end: int) -> Iterator[tuple[bytes, bytes]]:
    """The boxes named above that hold numbers, in the file's order; sound and tables are skipped."""
    while at + 8 <= end:
        size, name = struct.unpack_from(">I4s", data, at)
        head = 8
        if size == 1 and at + 16 <= end:
            head, (size,) = 16, struct.unpack_from(">Q", data, at + 8)
        if size < head:
            return
        if name in _PARENTS:
            yield from _leaves(data, at + head, min(end, at + size))
        elif name in (b"mvhd", b"tkhd", b"elst", b"mdhd"):
            yield name, bytes(data[at + head : min(end, at + size)])
        at += size
