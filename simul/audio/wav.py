"""WAV: a header reader for streams that cannot seek, and a writer that places sound on a timeline.

soundfile reads 0 of 0.1 s from a pipe whose writer did not know the length (`python -m benchmarks.own_code headers`),
and its writer leaves a header that says 0 samples until it is closed: a killed program leaves a file without sound.
"""

from __future__ import annotations

import contextlib
import os
import struct
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from simul.audio.mixing import channels_of_mask
from simul.audio.pcm import BYTES_PER_SAMPLE, to_int16
from simul.audio.resample import check_rate
from simul.closing import Closing
from simul.errors import AudioError, OutputError
from simul.files import make_folder
from simul.units import as_samples

_PCM, _FLOAT, _ALAW, _MULAW, _EXTENSIBLE = 1, 3, 6, 7, 0xFFFE
_ENCODINGS = {
    (_PCM, 8): "u8",
    (_PCM, 16): "s16le",
    (_PCM, 24): "s24le",
    (_PCM, 32): "s32le",
    (_FLOAT, 32): "f32le",
    (_FLOAT, 64): "f64le",
    (_ALAW, 8): "alaw",
    (_MULAW, 8): "mulaw",
}
_UNKNOWN_LENGTH = 0xFFFFFFFF
_PLACEHOLDER = 0x7FFF0000
_PIECE = 1 << 16
_SILENCE_SAMPLES = 1 << 16
_LARGEST_DATA = _UNKNOWN_LENGTH - 44
_FORMS = (b"RIFF", b"RF64", b"BW64")

Read = Callable[[int], bytes]
"""Returns up to n bytes of a stream, fewer only at its end."""


@dataclass(frozen=True)
class WavFormat:
    """What a WAV header says: encoding (key of `pcm.BYTES_PER_SAMPLE`), rate in Hz, channels, bytes of data.

    `data_bytes` is None when the writer did not know it (0 or 0xFFFFFFFF, as programs write into a pipe). `names`: what
    the channels are, where the header says so.
    """

    encoding: str
    rate: int
    channels: int
    data_bytes: int | None
    names: tuple[str, ...] | None = None

    @property
    def frames(self) -> int | None:
        """Frames (one sample of every channel) that the header announces."""
        return None if self.data_bytes is None else self.data_bytes // self.frame_bytes

    @property
    def frame_bytes(self) -> int:
        """Bytes of a frame."""
        return BYTES_PER_SAMPLE[self.encoding] * self.channels

    @property
    def promised(self) -> bool:
        """Whether the announced length was meant: programs also write huge ones where they know none."""
        return self.data_bytes is not None and self.data_bytes < _PLACEHOLDER


class OtherEncoding(AudioError):
    """A WAV stream holds sound of an encoding that is not read here."""


def is_wav(first_bytes: bytes) -> bool:
    """True if these first 12 bytes open a RIFF, RF64 or BW64 WAV stream."""
    return first_bytes[:4] in _FORMS and first_bytes[8:12] == b"WAVE"


class WavBlocks:
    """The sound blocks of a WAV stream, one after the other, also of WAV files joined end to end.

    After `next` the stream stands at the first byte of a block's sound, and whoever asked is to read (or pass over)
    its `data_bytes` before asking again.
    """

    def __init__(self, read: Read, name: str, skip: Callable[[int], int] | None = None) -> None:
        self._read, self._name = read, name
        self._skip = skip or self._read_over
        self._format: WavFormat | None = None
        self._long_data: int | None = None
        self._odd = False
        # Whether a header was begun whose sound has not come yet.
        self._within = False

    def next(self) -> WavFormat | None:
        """The format of the next block of sound; None at the end of the stream, and where no block follows.

        Raises:
            AudioError: a header is damaged, ends early, or tells of an encoding that is not PCM, float or G.711.
        """
        while True:
            head = self._block_head()
            if len(head) < 8:
                if self._within:
                    raise AudioError(f"{self._name} ends within its WAV header; record or convert it again.")
                return None
            kind, size = struct.unpack("<4sI", head)
            if kind in _FORMS:
                if self._need(4) != b"WAVE":
                    return None
                self._format, self._long_data, self._within = None, None, True
            elif self._format is None and not self._within:
                return None
            elif kind == b"data":
                return self._sound(size)
            elif kind == b"fmt ":
                self._format = _parse_format(self._need(size), self._name)
                self._odd = size % 2 == 1
            elif kind == b"ds64" and 16 <= size <= _PIECE:
                self._long_data = struct.unpack_from("<Q", self._need(size), 8)[0]
                self._odd = size % 2 == 1
            elif not self._passed(kind, size):
                return None

    def _block_head(self) -> bytes:
        """The kind and size of a block; the byte that fills up an odd block before it is left out by some writers."""
        head = self._read(8)
        if self._odd and head[:1] == b"\0":
            head = head[1:] + self._read(1)
        self._odd = False
        return head

    def _sound(self, size: int) -> WavFormat:
        if self._format is None:
            raise AudioError(
                f"{self._name} has a damaged WAV header (no format before the sound); convert it again."
            )
        if size == _UNKNOWN_LENGTH:
            size = self._long_data or 0
        self._within, self._odd = False, size % 2 == 1
        return replace(self._format, data_bytes=size or None)

    def _passed(self, kind: bytes, size: int) -> bool:
        """Whether a block that holds no sound could be passed over; behind the sound anything may follow."""
        there = self._skip(size)
        self._odd = size % 2 == 1
        if there == size or not self._within:
            return there == size
        raise AudioError(
            f"{self._name} has a damaged WAV header (a block of {size} bytes before the sound, of which {there} are "
            "there); convert it again."
        )

    def _need(self, count: int) -> bytes:
        data = self._read(min(count, _PIECE))
        if len(data) < count:
            raise AudioError(f"{self._name} ends within its WAV header; record or convert it again.")
        return data

    def _read_over(self, count: int) -> int:
        passed = 0
        while passed < count and (data := self._read(min(_PIECE, count - passed))):
            passed += len(data)
        return passed


def _parse_format(body: bytes, name: str) -> WavFormat:
    """Encoding, rate and channels from the body of a `fmt ` block."""
    if len(body) < 16:
        raise AudioError(f"{name} has a damaged WAV header (format of {len(body)} bytes); convert it again.")
    tag, channels, rate, _, _, bits = struct.unpack_from("<HHIIHH", body)
    names = None
    if tag == _EXTENSIBLE and len(body) >= 26:
        mask, tag = struct.unpack_from("<IH", body, 20)
        names = channels_of_mask(mask, channels)
    encoding = _ENCODINGS.get((tag, bits))
    if encoding is None:
        raise OtherEncoding(
            f"{name} is a WAV stream of an encoding that cannot be read (tag {tag}, {bits} bits); "
            "convert it to 16-bit PCM."
        )
    if channels == 0:
        raise AudioError(f"{name} has a damaged WAV header (no channels); convert it again.")
    return WavFormat(encoding, check_rate(rate), channels, None, names)


class WavWriter(Closing):
    """A mono 16-bit WAV file that grows in time order, each piece at its place on a timeline.

    The header is right after every write, so what was written can be played even if the program is killed; of a pipe
    it says that the length is not known. The file is created at once: an unwritable path is known before any work
    starts.

    Args:
        path: the file to create, or a stream of bytes, which stays open.
        rate: samples per second.

    Raises:
        SimulError: the file, or a folder on the way to it, cannot be made.
        OutputError: (from `write` and `close`) the disk is full or 4 GiB are reached.
    """

    def __init__(self, path: str | os.PathLike[str] | BinaryIO, rate: int) -> None:
        self.rate = check_rate(rate)
        self._samples = 0
        self._failed = False
        if isinstance(path, (str, os.PathLike)):
            self.path = Path(path)
            make_folder(self.path.parent)
            try:
                self._file: BinaryIO = open(self.path, "wb")  # noqa: SIM115
            except OSError as error:
                raise AudioError(_cannot_write(self.path, error)) from error
            self._owned, self._seekable = True, self._file.seekable()
        else:
            self.path, self._file = Path("Standard output"), path
            self._owned = self._seekable = False
        self._guarded(self._write_header)

    @property
    def position(self) -> int:
        """Samples written so far: where the next piece stands unless it is placed later."""
        return self._samples

    def write(self, samples: NDArray[np.float32], at: int | None = None) -> int:
        """Add samples (floats of full scale ±1, clamped, or integers), preceded by silence up to sample position `at`.

        A piece placed before the end of what is written follows it without a gap, as speech waits for the
        sentence before it. Returns the sample position where the piece stands.
        """
        samples = as_samples(samples)
        start = max(self._samples, 0 if at is None else at)
        if 2 * (start + len(samples)) > _LARGEST_DATA:
            self._failed = True
            raise OutputError(
                f"{self.path} would grow beyond 4 GiB, the limit of WAV files; start a new file."
            )
        self._guarded(lambda: self._append(start - self._samples, to_int16(samples)))
        return start

    def close(self) -> None:
        """Finish the file; closing twice does no harm."""
        if self._owned and not self._file.closed:
            if self._failed:  # It was told; what the buffer still holds has no place.
                with contextlib.suppress(OSError):
                    self._file.close()
                return
            self._guarded(self._file.close)

    def _append(self, silence: int, samples: NDArray[np.int16]) -> None:
        while silence > 0:
            step = min(silence, _SILENCE_SAMPLES)
            self._file.write(bytes(2 * step))
            self._samples += step
            silence -= step
        self._file.write(samples.astype("<i2").tobytes())
        self._samples += len(samples)
        if self._seekable:
            self._write_header()
        else:
            self._file.flush()

    def _write_header(self) -> None:
        size = 2 * self._samples if self._seekable else _LARGEST_DATA
        form = struct.pack("<HHIIHH", _PCM, 1, self.rate, 2 * self.rate, 2, 16)
        header = struct.pack("<4sI8sI16s4sI", b"RIFF", 36 + size, b"WAVEfmt ", 16, form, b"data", size)
        if self._seekable:
            self._file.seek(0)
        self._file.write(header)
        if self._seekable:
            self._file.seek(len(header) + size)
        self._file.flush()

    def _guarded(self, action: Callable[[], None]) -> None:
        try:
            action()
        except OSError as error:
            self._failed = True
            raise OutputError(_cannot_write(self.path, error)) from error


def _cannot_write(path: Path, error: OSError) -> str:
    if isinstance(error, IsADirectoryError):
        return f"{path} cannot be written: it is a folder; give the name of a WAV file."
    if isinstance(error, PermissionError):
        return f"{path} cannot be written: permission denied; choose a place you may write to."
    return f"{path} cannot be written: {error.strerror or error}; choose another place."
