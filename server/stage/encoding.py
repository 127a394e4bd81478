"""Sound of a talk as bytes of a stream that can be joined at any time: Ogg Opus, or WAV, which is heard at once."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from server.workers.messages import SPEECH_RATE

BITS_A_SECOND = 64_000
"""Of Opus, in silence too: players keep some 30 kB in store before they begin, which are 4 s of it."""
PAGE_MICROSECONDS = 200_000
"""Of sound in a page of Ogg; the stream is behind by as much."""
ENDLESS = 0xFFFF_FFFF
"""The length of a WAV file that has no end."""


class SoundEncoder(Protocol):
    """Turns 16-bit mono samples at SPEECH_RATE into bytes. head: what every listener gets first."""

    head: bytes

    def push(self, samples: NDArray[np.int16]) -> bytes:
        """The next samples; bytes that are complete, which begin where a listener can join."""


class WavEncoder:
    """Samples as they are."""

    def __init__(self) -> None:
        form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, SPEECH_RATE, 2 * SPEECH_RATE, 2, 16)
        self.head = (
            struct.pack("<4sI4s", b"RIFF", ENDLESS, b"WAVE") + form + struct.pack("<4sI", b"data", ENDLESS)
        )

    def push(self, samples: NDArray[np.int16]) -> bytes:
        """The samples."""
        return samples.astype("<i2").tobytes()


class OpusEncoder:
    """Opus in Ogg, 64 kbit/s. A listener who joins gets the head, then whole pages."""

    def __init__(self) -> None:
        import av

        self._out = _Bytes()
        self._container: Any = av.open(
            self._out, "w", "ogg", options={"page_duration": str(PAGE_MICROSECONDS)}
        )
        self._stream = self._container.add_stream("libopus", rate=SPEECH_RATE, layout="mono")
        self._stream.bit_rate = BITS_A_SECOND
        self._stream.options = {"vbr": "off"}
        self._container.start_encoding()
        self._at = 0
        self.head = self._out.taken()

    def push(self, samples: NDArray[np.int16]) -> bytes:
        """The pages that are complete."""
        import av

        frame = av.AudioFrame.from_ndarray(samples[None], format="s16", layout="mono")
        frame.sample_rate, frame.pts = SPEECH_RATE, self._at
        self._at += len(samples)
        for packet in self._stream.encode(frame):
            self._container.mux(packet)
        return self._out.taken()


class _Bytes:
    """A file that is written to and taken from."""

    def __init__(self) -> None:
        self._held = bytearray()

    def write(self, data: bytes) -> int:
        self._held += data
        return len(data)

    def taken(self) -> bytes:
        found, self._held = bytes(self._held), bytearray()
        return found


@dataclass(frozen=True)
class SoundFormat:
    """How listeners ask for it: the type of its media, what makes its encoder."""

    media: str
    make: Callable[[], SoundEncoder]


FORMATS = {"ogg": SoundFormat("audio/ogg", OpusEncoder), "wav": SoundFormat("audio/wav", WavEncoder)}
"""By name; the first is given unless another is asked for."""
