"""WAV: a header reader for streams that cannot seek, and a writer that places sound on a timeline.

soundfile reads 0 of 0.1 s from a pipe whose writer did not know the length (`python -m benchmarks.own_code headers`),
and its writer leaves a header that says 0 samples until it is closed: a killed program leaves a file without sound.
"""

from __future__ import annotations

import contextlib
import os
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
from numpy.typing import NDArray

from simul.audio.pcm import BYTES_PER_SAMPLE, to_int16
from simul.audio.resample import check_rate
from simul.errors import AudioError, OutputError

if TYPE_CHECKING:
    from typing_extensions import Self

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
_LONGEST_CHUNK = 1 << 20
_SILENCE_SAMPLES = 1 << 16
_LARGEST_DATA = _UNKNOWN_LENGTH - 44


@dataclass(frozen=True)
class WavFormat:
    """What a WAV header says: encoding (key of `pcm.BYTES_PER_SAMPLE`), rate in Hz, channels, bytes of data.

    `data_bytes` is None when the writer did not know it (0 or 0xFFFFFFFF, as programs write into a pipe).
    """

    encoding: str
    rate: int
    channels: int
    data_bytes: int | None

    @property
    def frames(self) -> int | None:
        """Frames (one sample of every channel) that the header announces."""
        if self.data_bytes is None:
            return None
        return self.data_bytes // (BYTES_PER_SAMPLE[self.encoding] * self.channels)


def is_wav(first_bytes: bytes) -> bool:
    """True if these first 12 bytes open a RIFF or RF64 WAV stream."""
    return first_bytes[:4] in (b"RIFF", b"RF64") and first_bytes[8:12] == b"WAVE"


def read_wav_header(read: Callable[[int], bytes], name: str) -> WavFormat:
    """Read a WAV header up to the first byte of sound.

    Args:
        read: returns up to n bytes, fewer only at the end; called from the first byte of the stream on.
        name: what to call the stream in messages.

    Raises:
        AudioError: the header is damaged, ends early, or tells of an encoding that is not PCM, float or
        G.711.
    """

    def need(count: int) -> bytes:
        data = read(count)
        if len(data) < count:
            raise AudioError(f"{name} ends within its WAV header; record or convert it again.")
        return data

    if not is_wav(need(12)):
        raise AudioError(f"{name} does not start with a WAV header.")
    found: tuple[str, int, int] | None = None
    long_data: int | None = None
    while True:
        kind, size = struct.unpack("<4sI", need(8))
        if kind == b"data":
            break
        if size > _LONGEST_CHUNK:
            raise AudioError(
                f"{name} has a damaged WAV header (a {size}-byte block before the sound); convert it again."
            )
        body = need(size + size % 2)[:size]
        if kind == b"fmt ":
            found = _parse_format(body, name)
        elif kind == b"ds64" and size >= 16:
            long_data = struct.unpack_from("<Q", body, 8)[0]
    if found is None:
        raise AudioError(f"{name} has a damaged WAV header (no format before the sound); convert it again.")
    if size == _UNKNOWN_LENGTH:
        size = long_data or 0
    return WavFormat(*found, data_bytes=size or None)


def _parse_format(body: bytes, name: str) -> tuple[str, int, int]:
    """Encoding, rate and channels from the body of a `fmt ` block."""
    if len(body) < 16:
        raise AudioError(f"{name} has a damaged WAV header (format of {len(body)} bytes); convert it again.")
    tag, channels, rate, _, _, bits = struct.unpack_from("<HHIIHH", body)
    if tag == _EXTENSIBLE and len(body) >= 26:
        tag = struct.unpack_from("<H", body, 24)[0]
    encoding = _ENCODINGS.get((tag, bits))
    if encoding is None:
        raise AudioError(
            f"{name} is a WAV stream of an encoding that cannot be read (tag {tag}, {bits} bits); "
            "convert it to 16-bit PCM."
        )
    if channels == 0:
        raise AudioError(f"{name} has a damaged WAV header (no channels); convert it again.")
    return encoding, check_rate(rate), channels


class WavWriter:
    """A mono 16-bit WAV file that grows in time order, each piece at its place on a timeline.

    The header is right after every write, so what was written can be played even if the program is killed; of a pipe
    it says that the length is not known. The file is created at once: an unwritable path is known before any work
    starts.

    Args:
        path: the file to create, or a stream of bytes, which stays open.
        rate: samples per second.

    Raises:
        AudioError: the file cannot be created.
        OutputError: (from `write` and `close`) the disk is full or 4 GiB are reached.
    """

    def __init__(self, path: str | os.PathLike[str] | BinaryIO, rate: int) -> None:
        self.rate = check_rate(rate)
        self._samples = 0
        self._failed = False
        if isinstance(path, (str, os.PathLike)):
            self.path = Path(path)
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
        """Add float samples (full scale ±1, clamped), preceded by silence up to sample position `at`.

        A piece placed before the end of what is written follows it without a gap, as speech waits for the
        sentence before it. Returns the sample position where the piece stands.
        """
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

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

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
        except BrokenPipeError:
            raise
        except OSError as error:
            self._failed = True
            raise OutputError(_cannot_write(self.path, error)) from error


def _cannot_write(path: Path, error: OSError) -> str:
    if isinstance(error, IsADirectoryError):
        return f"{path} cannot be written: it is a folder; give the name of a WAV file."
    if isinstance(error, FileNotFoundError):
        return f"{path} cannot be written: the folder {path.parent} does not exist; create it first."
    if isinstance(error, PermissionError):
        return f"{path} cannot be written: permission denied; choose a place you may write to."
    return f"{path} cannot be written: {error.strerror or error}; choose another place."
