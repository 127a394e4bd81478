"""Whether a recording ends in the middle of what it began, told from its first and last bytes and its length.

For containers of which FFmpeg says nothing when they are cut short; the others announce their length, which is compared
with what was heard.
"""

from __future__ import annotations

import re
import struct

HEAD_BYTES = 4096
TAIL_BYTES = (255 * 255 + 27 + 255) * 2
"""Within the last of these bytes an Ogg page begins, and its successor ends."""

_TS_PACKET = 188
_FLV_TAGS = (8, 9, 18)
_W64_RIFF = bytes.fromhex("726966662e91cf11a5d628db04c10000")


def cut_short(head: bytes, tail: bytes, length: int) -> bool:
    """Whether a recording of `length` bytes ends too early, where its kind lets that be seen.

    head: its first `HEAD_BYTES`, or fewer. tail: its last `TAIL_BYTES`, or all.
    """
    if head[:4] == b"OggS":
        return not _ogg_ended(tail)
    if re.match(rb"\x47.{187}\x47.{187}\x47", head, re.DOTALL):
        return length % _TS_PACKET != 0
    if head[:8] == b"caff\x00\x01\x00\x00":
        return _caf_end(head) > length
    if head[:16] == _W64_RIFF and len(head) >= 24:
        return int(struct.unpack_from("<Q", head, 16)[0]) > length
    if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
        return 8 + int(struct.unpack_from("<I", head, 4)[0]) > length
    if head[:4] == b"FLV\x01":
        return not _flv_ended(tail)
    return False


def _ogg_ended(tail: bytes) -> bool:
    """Whether the last page is whole, and marked as the last."""
    at, ended, whole = tail.find(b"OggS"), False, False
    while 0 <= at < len(tail):
        if tail[at : at + 4] != b"OggS":
            at = tail.find(b"OggS", at)
            continue
        if at + 27 > len(tail):
            return False
        ended, count = bool(tail[at + 5] & 0x04), tail[at + 26]
        at += 27 + count + sum(tail[at + 27 : at + 27 + count])
        whole = at <= len(tail)
    return ended and whole


def _caf_end(head: bytes) -> int:
    """Where the last chunk ends whose header is in `head`, 0 where its length is not known."""
    at = 8
    while at + 12 <= len(head):
        (size,) = struct.unpack_from(">q", head, at + 4)
        if size < 0:
            return 0
        at += 12 + int(size)
    return at


def _flv_ended(tail: bytes) -> bool:
    """Whether the last four bytes are the length of a tag that stands before them."""
    before = int.from_bytes(tail[-4:], "big")
    return before == 0 or (4 + before <= len(tail) and tail[-4 - before] & 0x1F in _FLV_TAGS)
