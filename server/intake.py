"""A client's audio as workers are given it: 16-bit samples at 16 kHz; what comes so is handed on as it is."""

from __future__ import annotations

from server import protocol as p
from simul.audio.intake import PcmIntake
from simul.audio.pcm import to_int16

ENCODINGS = {"pcm_s16le": "s16le", "pcm_f32le": "f32le", "mulaw": "mulaw", "alaw": "alaw"}
"""What encodings are called here, by their name in the protocol."""


class TrackIntake:
    """Frames in the agreed format to 16-bit samples; `frames` counts what was taken.

    Raises at construction what `PcmIntake` does.
    """

    def __init__(self, audio: p.AudioFormat) -> None:
        self.frames = 0
        plain = audio == p.AudioFormat()
        self._pcm = None if plain else PcmIntake(ENCODINGS[audio.encoding], audio.rate, audio.channels)

    def push(self, data: bytes) -> bytes:
        """Whole frames; what can be given to a worker of them and those before."""
        if self._pcm is None:
            self.frames += len(data) // 2
            return data[: len(data) // 2 * 2]
        samples = self._pcm.push(data)
        self.frames = self._pcm.frames
        return to_int16(samples).tobytes()

    def finish(self) -> bytes:
        """The last samples."""
        return b"" if self._pcm is None else to_int16(self._pcm.finish()).tobytes()
