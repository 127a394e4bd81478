"""MOV and MP4 files with boxes rewritten, for times that FFmpeg's own writer does not make."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Sequence

_STBL = (b"moov", b"trak", b"mdia", b"minf", b"stbl")


def box(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(body), name) + body


def with_edits(data: bytes, edits: Sequence[tuple[int, int]]) -> bytes:
    """With an edit list instead of the one that is there: (milliseconds, first sample or -1 for nothing) each."""
    entries = b"".join(struct.pack(">IiI", length, first, 1 << 16) for length, first in edits)
    made = box(b"edts", box(b"elst", struct.pack(">II", 0, len(edits)) + entries))
    return rewritten(
        rewritten(data, (b"moov", b"trak", b"edts"), lambda _: b""), (b"moov", b"trak"), _put(made)
    )


def _put(made: bytes) -> Callable[[bytes], bytes]:
    return lambda track: box(b"trak", track[8:] + made)


def with_sample_lengths(data: bytes, lengths: Sequence[tuple[int, int]]) -> bytes:
    """With the lengths of samples in units of the track's time, as (samples, length) pairs, and no edit list."""
    entries = b"".join(struct.pack(">II", count, length) for count, length in lengths)
    total = sum(count * length for count, length in lengths)
    data = rewritten(data, (b"moov", b"trak", b"edts"), lambda _: b"")
    data = rewritten(
        data,
        (b"moov", b"trak", b"mdia", b"mdhd"),
        lambda old: old[:24] + struct.pack(">I", total) + old[28:],
    )
    return rewritten(
        data, (*_STBL, b"stts"), lambda _: box(b"stts", struct.pack(">II", 0, len(lengths)) + entries)
    )


def rewritten(data: bytes, path: tuple[bytes, ...], change: Callable[[bytes], bytes]) -> bytes:
    """With the box that `path` leads to changed; its boxes must stand behind the sound, which keeps its place."""
    made = b""
    for name, whole in _boxes(data):
        if name != path[0]:
            made += whole
        elif len(path) == 1:
            made += change(whole)
        else:
            made += box(name, rewritten(whole[8:], path[1:], change))
    return made


def _boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 0
    while at + 8 <= len(data):
        size, name = struct.unpack_from(">I4s", data, at)
        yield name, data[at : at + size]
        at += size
