"""Where another recording begins in containers whose reader stops at their end or stumbles: MP4, AIFF, CAF and more.

In a file the structure is walked, so that only headers are read; in a pipe the first bytes of a file of the same kind
are looked for in what passes.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mmap import mmap

_W64 = bytes.fromhex("726966662e91cf11a5d628db04c10000")
_BRANDS = rb"(?:isom|iso\d|mp4[12]|M4[ABV] |qt  |3g[p2].|avc1|dash|MSNV|f4v )"
_FIRST_BLOCK = bytes(byte for byte in range(256) if byte & 0x08)
_MARKS: dict[bytes, re.Pattern[bytes]] = {
    b"mp4": re.compile(rb"\x00\x00\x00[\x10-\xff]ftyp" + _BRANDS, re.DOTALL),
    b"aiff": re.compile(rb"FORM.{4}AIF[FC](?:COMM|FVER|NAME|MARK|COMT|INST)", re.DOTALL),
    b"caf": re.compile(rb"caff\x00\x01\x00.desc", re.DOTALL),
    b"w64": re.compile(re.escape(_W64)),
    b"wav": re.compile(rb"RIF[FX].{4}WAVE(?:fmt |JUNK|bext|LIST|fact)", re.DOTALL),
    b"flv": re.compile(rb"FLV\x01[\x01\x04\x05]\x00\x00\x00\x09\x00\x00\x00\x00"),
    b"amr": re.compile(rb"#!AMR(?:-WB)?\n"),
    b"tta": re.compile(rb"TTA1[\x01\x02]\x00.\x00.\x00", re.DOTALL),
    b"wv": re.compile(rb"wvpk.{12}\x00{4}.{5}[" + re.escape(_FIRST_BLOCK) + rb"]", re.DOTALL),
    b"voc": re.compile(rb"Creative Voice File\x1a\x1a\x00"),
    b"rm": re.compile(rb"\.RMF\x00\x00\x00.\x00[\x00\x01].{4,8}PROP", re.DOTALL),
    b"swf": re.compile(rb"FWS[\x03-\x32].{4}[\x58\x60\x68\x70\x78\x80\x88\x90\x98]\x00", re.DOTALL),
    b"nut": re.compile(rb"nut/multimedia container\x00N\x4d\x7a\x56"),
    b"au": re.compile(rb"\.snd\x00\x00.{2}.{4}\x00\x00\x00[\x01-\x1b]", re.DOTALL),
}
_LONGEST_MARK = 32
_FRAGMENTS = re.compile(rb"moof|mvex")
_HEAD_BYTES = 4096
INDEX_IS_MISSING = "the index of this MP4 file is missing: it was cut short"


def _kind_of(head: bytes) -> bytes | None:
    """Which of the kinds above these bytes begin; None where FFmpeg reads on over a joint, or nothing is known."""
    return next((kind for kind, mark in _MARKS.items() if mark.match(head)), None)


def in_fragments(data: bytes | mmap) -> bool:
    """Whether this is MP4 in fragments, of which several files, each with a header, may count time together."""
    return _MARKS[b"mp4"].match(data) is not None and any(name == b"moof" for _, name in _boxes(data))


def needs_a_file(head: bytes) -> bool:
    """Whether these are the first bytes of a file that cannot be read before its end has come.

    An MP4 file whose index stands behind its sound, or a WavPack file, whose tags stand there.
    """
    if head[:4] == b"wvpk":
        return True
    return next((name for _, name in _boxes(head) if name in (b"moov", b"mdat")), b"") == b"mdat"


def begins(data: bytes | mmap) -> list[int]:
    """Where in a file of one of these kinds a recording begins, the first at 0; empty for other files."""
    kind = _kind_of(bytes(data[:_HEAD_BYTES]))
    if kind is None:
        return []
    mark, walk = _MARKS[kind], _WALKS.get(kind)
    if walk is None:
        return [0, *(found.start() for found in mark.finditer(data, 1))]
    return [0, *(at for at in walk(data) if at and mark.match(data, at))]


class JointSearch:
    """Looks for the beginning of another recording in the bytes of a stream.

    Args:
        head: the first bytes of the stream.

    `fragments`: whether MP4 in fragments has passed, see `in_fragments`.
    """

    def __init__(self, head: bytes) -> None:
        kind = _kind_of(head)
        self._mark = None if kind is None else _MARKS[kind]
        self._held = b""
        self._first = True
        self.fragments = False

    def push(self, data: bytes, end: bool) -> tuple[bytes, bytes | None]:
        """What belongs to the recording, and what is the next one's, None as long as none was found.

        Bytes that may begin a mark are held back until more come, or the stream is at its `end`.
        """
        if self._mark is None:
            return data, None
        data = self._held + data
        if self._mark is _MARKS[b"mp4"] and not self.fragments:
            self.fragments = _FRAGMENTS.search(data) is not None
        found = self._mark.search(data, 1 if self._first and data else 0)
        if found:
            self._held = b""
            return data[: found.start()], data[found.start() :]
        keep = 0 if end else min(_LONGEST_MARK, len(data))
        given, self._held = data[: len(data) - keep], data[len(data) - keep :]
        self._first = self._first and not given
        return given, None


def _boxes(data: bytes | mmap) -> Iterator[tuple[int, bytes]]:
    """Place and name of each box of an MP4 file."""
    at = 0
    while at + 8 <= len(data):
        size, name = struct.unpack_from(">I4s", data, at)
        yield at, name
        if size == 1 and at + 16 <= len(data):
            (size,) = struct.unpack_from(">Q", data, at + 8)
        if size < 8:
            return
        at += size


def _after(length: Callable[[bytes], int]) -> Callable[[bytes | mmap], Iterator[int]]:
    """Walks over files whose header says how long they are."""

    def walk(data: bytes | mmap) -> Iterator[int]:
        at = 0
        while at < len(data):
            yield at
            head = bytes(data[at : at + 32])
            size = length(head) if len(head) == 32 else 0
            if size <= 0:
                return
            at += size
            while at < len(data) and data[at] == 0:  # What pads a file to an even length, or to eight bytes.
                at += 1

    return walk


def _caf(data: bytes | mmap) -> Iterator[int]:
    at = 0
    while at + 12 <= len(data):
        if data[at : at + 4] == b"caff":
            yield at
            at += 8
            continue
        (size,) = struct.unpack_from(">q", data, at + 4)
        if size < 0:
            return
        at += 12 + size


def _flv(data: bytes | mmap) -> Iterator[int]:
    at = 0
    while at + 15 <= len(data):
        if data[at : at + 3] == b"FLV":
            yield at
            at += 13
            continue
        at += 15 + int.from_bytes(data[at + 1 : at + 4], "big")


def _au_length(head: bytes) -> int:
    offset, size = struct.unpack_from(">II", head, 4)
    return 0 if size == 0xFFFFFFFF else int(offset + size)


def _riff_length(head: bytes) -> int:
    order = ">" if head[:4] == b"RIFX" else "<"
    return 8 + int(struct.unpack_from(order + "I", head, 4)[0])


_WALKS: dict[bytes, Callable[[bytes | mmap], Iterator[int]]] = {
    b"mp4": lambda data: (at for at, _ in _boxes(data)),
    b"aiff": _after(lambda head: 8 + int(struct.unpack_from(">I", head, 4)[0])),
    b"caf": _caf,
    b"w64": _after(lambda head: int(struct.unpack_from("<Q", head, 16)[0])),
    b"wav": _after(_riff_length),
    b"flv": _flv,
    b"au": _after(_au_length),
}
