"""Files joined end to end: where in a file of Ogg, FLAC, MP3, ADTS or Matroska a further one begins.

FFmpeg reads on over such a joint where codec and rate stay the same, but begins anew to count time and does not trim
what the encoder of the second file put before its sound. So every part is opened by itself. Containers that FFmpeg
reads to their own end only are in `joints`.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from simul.audio.edits import EditList, lists_with_gaps
from simul.audio.endings import HEAD_BYTES, TAIL_BYTES, cut_short
from simul.audio.joints import begins, in_fragments

if TYPE_CHECKING:
    from mmap import mmap

_OGG_BEGIN = 0x02
_FLAC = re.compile(rb"fLaC[\x00\x80]\x00\x00\x22")
_MATROSKA = re.compile(rb"\x1aE\xdf\xa3(?=.{0,60}(?:webm|matroska))", re.DOTALL)
_TAG = re.compile(rb"ID3[\x02-\x04].[\x00-\xff]([\x00-\x7f]{4})", re.DOTALL)
_MPEG_AUDIO = re.compile(rb"\xff[\xe2-\xff]")
_NEVER_LARGER = 1 << 24
_XING = re.compile(rb"Xing|Info")
_XING_WITHIN = 200


@dataclass(frozen=True)
class FilePart:
    """Bytes `start` to `end` of a file: one recording.

    cut_short: it ends in the middle of what it began. seconds: its length, where a header that FFmpeg ignores says so.
    continues: its time stamps may go on from those of the part before it. edits: lists with gaps that its tracks have.
    """

    start: int
    end: int
    cut_short: bool = False
    seconds: float | None = None
    continues: bool = False
    edits: Mapping[int, EditList] = field(default_factory=dict)


def parts(data: bytes | mmap) -> list[FilePart]:
    """The recordings that a file holds one after the other; a single one where nothing else is known."""
    *found, last = _parts(data)
    head = bytes(data[last.start : min(last.start + HEAD_BYTES, last.end)])
    tail = bytes(data[max(last.start, last.end - TAIL_BYTES) : last.end])
    return [*found, replace(last, cut_short=cut_short(head, tail, last.end - last.start))]


def _parts(data: bytes | mmap) -> list[FilePart]:
    head = bytes(data[:12])
    if head[:4] == b"OggS":
        return list(_ogg(data))
    if head[:4] == b"fLaC":
        return _between([found.start() for found in _FLAC.finditer(data)], len(data))
    if head[:4] == b"\x1aE\xdf\xa3":
        return _between([found.start() for found in _MATROSKA.finditer(data)], len(data))
    if head[:3] == b"ID3" or _MPEG_AUDIO.match(head):
        found = _between([0, *_tags(data)], len(data))
        return [replace(part, seconds=mpeg_seconds(data, part)) for part in found]
    continues = in_fragments(data)
    return [
        replace(
            part,
            continues=continues and part.start > 0,
            edits=lists_with_gaps(data, part.start, part.end),
        )
        for part in _between(begins(data), len(data))
    ]


def _between(starts: list[int], end: int) -> list[FilePart]:
    starts = [0, *starts[1:]] if starts else [0]
    return [FilePart(a, b) for a, b in zip(starts, [*starts[1:], end], strict=True)]


def _tags(data: bytes | mmap) -> Iterator[int]:
    """ID3 tags inside the file that sound follows."""
    for found in _TAG.finditer(data, 1):
        size = _tag_size(found)
        behind = found.end() + size
        if size < _NEVER_LARGER and _MPEG_AUDIO.match(bytes(data[behind : behind + 2].lstrip(b"\0"))):
            yield found.start()


def mpeg_seconds(data: bytes | mmap, part: FilePart) -> float | None:
    """What the first frame of an MP3 file says of its length, if it is one of Xing's or LAME's."""
    at = part.start
    while tag := _TAG.match(data, at):
        at = tag.end() + _tag_size(tag)
    head = bytes(data[at : min(at + _XING_WITHIN, part.end)])
    found = _XING.search(head)
    if found is None or len(head) < found.end() + 8 or head[:1] != b"\xff":
        return None
    flags, frames = struct.unpack_from(">II", head, found.end())
    version, rate_index = head[1] >> 3 & 3, head[2] >> 2 & 3
    if not flags & 1 or version == 1 or rate_index == 3:
        return None
    rate = (44_100, 48_000, 32_000)[rate_index] >> {3: 0, 2: 1, 0: 2}[version]
    return frames * (1152 if version == 3 else 576) / rate


def _tag_size(tag: re.Match[bytes]) -> int:
    size = 0
    for byte in tag.group(1):
        size = size << 7 | byte
    return size


def _ogg(data: bytes | mmap) -> Iterator[FilePart]:
    """Chained streams: pages that begin a stream, after pages that do not."""
    start, at, total = 0, 0, len(data)
    beginning = True
    while at < total:
        if data[at : at + 4] != b"OggS":
            at = data.find(b"OggS", at)
            if at < 0:
                break
        kind = data[at + 5] if at + 27 <= total else 0
        if kind & _OGG_BEGIN and not beginning:
            yield FilePart(start, at)
            start = at
        beginning = bool(kind & _OGG_BEGIN)
        count = data[at + 26] if at + 27 <= total else 0
        at += 27 + count + sum(data[at + 27 : at + 27 + count])
    yield FilePart(start, total)
