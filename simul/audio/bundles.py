"""Packets of a few samples each are decoded together.

FFmpeg gives PCM in MOV and MP4 sample by sample where these do not all last equally long, as beside a gap; to decode
and resample every sample by itself takes several times as long as it sounds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

_SMALL_BYTES = 64
_FULL_BYTES = 4096


def bundled(packets: Iterable[Any], codec: str) -> Iterator[Any]:
    """The packets of a stream, those of PCM that are small and follow each other without a gap made into one.

    Args:
        packets: of PyAV.
        codec: FFmpeg's name of the stream's codec.
    """
    if not codec.startswith("pcm_"):
        yield from packets
        return
    bundle = _Bundle()
    for packet in packets:
        if not bundle.takes(packet):
            yield from bundle.given()
        if packet.pts is None or packet.size > _SMALL_BYTES or packet.is_discard or not packet.size:
            yield packet
        else:
            bundle.add(packet)
    yield from bundle.given()


class _Bundle:
    """Small packets that belong together."""

    def __init__(self) -> None:
        self._data = bytearray()
        self._first: Any = None
        self._next = 0

    def takes(self, packet: Any) -> bool:
        """Whether `packet` goes on where those before it end."""
        return packet.pts == self._next and packet.size <= _SMALL_BYTES and len(self._data) < _FULL_BYTES

    def add(self, packet: Any) -> None:
        """Keep a packet."""
        self._first = self._first or packet
        self._data += bytes(packet)
        self._next = packet.pts + (packet.duration or 0)

    def given(self) -> Iterator[Any]:
        """What was kept as one packet, if anything was."""
        if self._first is not None:
            import av

            packet = av.Packet(bytes(self._data))
            packet.stream, packet.time_base = self._first.stream, self._first.time_base
            packet.pts, packet.dts = self._first.pts, self._first.dts
            yield packet
        self._data, self._first = bytearray(), None
