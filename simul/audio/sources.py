"""What every audio source offers, standard input as a source, and a source at the pace of live speech."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import TYPE_CHECKING, BinaryIO

from simul.audio.intake import AudioChunker, PcmIntake, to_samples
from simul.audio.resample import resampled_length
from simul.audio.wav import is_wav, read_wav_header
from simul.clock import Clock
from simul.errors import AudioError, SimulError, UsageError
from simul.units import SAMPLE_RATE, Samples

if TYPE_CHECKING:
    from typing_extensions import Self


_READ_BYTES = 1 << 15

_CONTAINERS = {
    b"fLaC": "FLAC",
    b"OggS": "Ogg",
    b"ID3": "MP3",
    b"\x1aE\xdf\xa3": "WebM or Matroska",
    b"caff": "CAF",
    b"FORM": "AIFF",
}


class AudioSource(ABC):
    """An iterator of float32 mono 16 kHz chunks of exactly `chunk_samples`, the last one possibly shorter.

    `duration_samples` is the length in 16 kHz samples as far as it is known beforehand, else None; for
    compressed containers it is what the container claims. A source is read once, and is a context manager
    that closes itself. When the input fails in the middle, everything heard before comes out first, then the
    error is raised.

    Raises:
        UsageError: `chunk_ms` is not between 10 ms and 60 s.
    """

    duration_samples: int | None = None

    def __init__(self, name: str, chunk_ms: float) -> None:
        if not 10 <= chunk_ms <= 60_000:
            raise UsageError(f"A chunk of {chunk_ms} ms cannot be used; give 10 to 60000 milliseconds.")
        self.name = name
        self.chunk_samples = to_samples(chunk_ms)
        self._chunks = self._cut()

    @property
    @abstractmethod
    def bad_samples(self) -> int:
        """Samples replaced by 0 so far: NaN, infinite or absurdly large."""

    @abstractmethod
    def close(self) -> None:
        """Let go of the file or device; closing twice does no harm."""

    @abstractmethod
    def _pieces(self) -> Iterator[Samples]:
        """Mono 16 kHz samples in pieces of any size."""

    def __iter__(self) -> Iterator[Samples]:
        return self

    def __next__(self) -> Samples:
        return next(self._chunks)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _cut(self) -> Iterator[Samples]:
        chunker = AudioChunker(self.chunk_samples)
        failure: SimulError | None = None
        try:
            for piece in self._pieces():
                yield from chunker.push(piece)
        except SimulError as error:
            failure = error
        yield from chunker.finish()
        if failure is not None:
            raise failure


class StdinSource(AudioSource):
    """Audio from a byte stream that cannot seek, such as standard input.

    A WAV header is recognised, also with the unknown data length that programs write into a pipe. Without one
    the stream is raw PCM of the given `encoding`, `rate` (Hz) and `channels`; `raw=True` takes even a stream
    that looks like WAV as raw. Bytes are passed on as soon as they come. The stream itself is left open by
    `close`.

    Raises:
        AudioError: the stream is empty or ends within the header, the header is damaged, or there is no
            header and no raw format was given.
        UsageError: unknown encoding or an unusable `chunk_ms`.
    """

    def __init__(
        self,
        stream: BinaryIO,
        chunk_ms: float = 500,
        *,
        encoding: str | None = None,
        rate: int | None = None,
        channels: int = 1,
        raw: bool = False,
        name: str = "standard input",
    ) -> None:
        super().__init__(name, chunk_ms)
        self._stream = stream
        self._data_left: int | None = None
        self._head = b""
        head = b"" if raw else self._read_fully(12)
        if is_wav(head):
            self._head = head
            header = read_wav_header(self._read_fully, name)
            self._intake = PcmIntake(header.encoding, header.rate, header.channels)
            self._data_left = header.data_bytes
            if header.frames is not None:
                self.duration_samples = resampled_length(header.frames, header.rate)
        elif encoding is None and rate is None and not raw:
            raise AudioError(_no_format(head, name))
        else:
            self._head = head
            self._intake = PcmIntake(encoding or "s16le", rate or SAMPLE_RATE, channels)

    @property
    def bad_samples(self) -> int:
        """Samples replaced by 0 so far: NaN, infinite or absurdly large."""
        return self._intake.bad_samples

    def close(self) -> None:
        """Stop reading; the stream belongs to the caller and stays open."""
        self._data_left = 0

    def _read_fully(self, count: int) -> bytes:
        """`count` bytes, fewer only at the end of the stream."""
        parts, have = [], 0
        while have < count and (data := self._read_some(count - have)):
            parts.append(data)
            have += len(data)
        return b"".join(parts)

    def _read_some(self, most: int) -> bytes:
        """At least one byte and at most `most`, without waiting for more than there is; b"" at the end."""
        if self._head:
            data, self._head = self._head[:most], self._head[most:]
            return data
        read = getattr(self._stream, "read1", self._stream.read)
        try:
            return read(most) or b""
        except (OSError, ValueError) as error:
            raise AudioError(f"{self.name} cannot be read any further: {error}.") from error

    def _pieces(self) -> Iterator[Samples]:
        failure: AudioError | None = None
        try:
            while self._data_left is None or self._data_left > 0:
                want = _READ_BYTES if self._data_left is None else min(_READ_BYTES, self._data_left)
                data = self._read_some(want)
                if not data:
                    break
                if self._data_left is not None:
                    self._data_left -= len(data)
                yield self._intake.push(data)
        except AudioError as error:
            failure = error
        yield self._intake.finish()
        if failure is not None:
            raise failure
        if self._intake.frames == 0:
            raise AudioError(f"{self.name} holds no sound; check the program that writes it.")


def _no_format(head: bytes, name: str) -> str:
    if not head:
        return f"{name} is empty; pipe audio into it, for example a WAV file."
    for magic, container in _CONTAINERS.items():
        if head.startswith(magic):
            return f"{name} holds {container} audio; give it as a file, or pipe it through ffmpeg to WAV."
    if head[4:8] == b"ftyp":
        return f"{name} holds MP4 audio; give it as a file, or convert it to WAV before piping it."
    return f"{name} has no WAV header; if it is raw PCM, say its --raw --encoding --rate --channels."


def pace(chunks: Iterable[Samples], clock: Clock, rate: int = SAMPLE_RATE) -> Iterator[Samples]:
    """Yield every chunk at the moment its last sample would have been heard live.

    The stream's first sample is spoken when the first chunk is asked for. A consumer that falls behind gets
    the next chunk at once, as from a microphone's queue, and the stream's own time does not shift.
    """
    start = clock.now()
    heard = 0
    for chunk in chunks:
        heard += len(chunk)
        clock.sleep_until(start + heard / rate)
        yield chunk
