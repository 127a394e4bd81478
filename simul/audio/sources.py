"""What every audio source offers, standard input as a source, and a source at the pace of live speech."""

from __future__ import annotations

import tempfile
from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator
from typing import IO, Any, BinaryIO, cast

from simul.audio.container import ContainerSound, Listening, looks_like_container, open_container
from simul.audio.endings import HEAD_BYTES, TAIL_BYTES, cut_short
from simul.audio.intake import AudioChunker, PcmIntake, to_samples
from simul.audio.joined import FilePart, mpeg_seconds
from simul.audio.joints import INDEX_IS_MISSING, JointSearch, needs_a_file
from simul.audio.pcm import parse_encoding
from simul.audio.resample import resampled_length
from simul.audio.sound import ends_early, told
from simul.audio.tracks import check_only_track
from simul.audio.wav import OtherEncoding, is_wav
from simul.audio.wav_sound import WavSound
from simul.clock import Clock
from simul.closing import Closing
from simul.errors import AudioError, SimulError, UsageError
from simul.units import SAMPLE_RATE, Samples

_READ_BYTES = 1 << 15

_HEAD_BYTES = 512
_LONGEST_HEADER = 1 << 20
_MOST_IN_MEMORY = 1 << 24


class AudioSource(Closing):
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

    @property
    def notices(self) -> list[str]:
        """Sentences on what was found in the input so far and should be known."""
        return []

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

    A WAV header is recognised, also with the unknown data length that programs write into a pipe, and so are streams
    that FFmpeg reads from their beginning on (FLAC, Ogg, MP3, AAC, WebM, Matroska, MPEG-TS). Without any of these the
    stream is raw PCM of the given `encoding`, `rate` (Hz) and `channels`; `raw=True` takes whatever comes as raw. Bytes
    are passed on as soon as they come. The stream itself is left open by `close`.

    Args:
        listening: track, channel and language, as for a file.

    Raises:
        AudioError: the stream is empty or ends within the header, the header is damaged, or there is no
            header and no raw format was given.
        UsageError: unknown encoding or an unusable `chunk_ms`; the stream has not the wanted track or channel.
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
        listening: Listening | None = None,
    ) -> None:
        super().__init__(name, chunk_ms)
        listening = listening or Listening()
        self._stream = stream
        self._closed = False
        # What was read of a header, while it may have to be read again.
        self._seen: bytearray | None = None
        self._head = b""
        self._head = b"" if raw else self._read_fully(_HEAD_BYTES)
        self._listening = listening
        self._forward: _Forward | None = None
        self._sounds: list[WavSound | ContainerSound | _RawSound] = []
        if is_wav(self._head):
            self._sounds.append(self._wav(listening))
        elif encoding is None and rate is None and not raw:
            self._sounds.append(self._container(self._head))
        else:
            named = parse_encoding(encoding or "s16le")
            check_only_track(listening.track, name)
            intake = PcmIntake(named, rate or SAMPLE_RATE, channels, None, listening.channel, name)
            self._sounds.append(_RawSound(self._read_some, intake))

    @property
    def bad_samples(self) -> int:
        """Samples replaced by 0 so far: NaN, infinite or absurdly large."""
        return sum(sound.bad_samples for sound in self._sounds)

    @property
    def notices(self) -> list[str]:
        """Sentences on what was found in the stream so far and should be known."""
        return told(self.name, self._sounds)

    def close(self) -> None:
        """Stop reading; the stream belongs to the caller and stays open."""
        self._closed = True

    def _wav(self, listening: Listening) -> WavSound | ContainerSound:
        """A WAV stream; FFmpeg may read it from its beginning where its encoding is none of ours."""
        self._seen = bytearray()
        try:
            sound = WavSound(self._read_fully, self._read_some, self.name, listening.channel)
        except OtherEncoding as refusal:
            self._head = bytes(self._seen) + self._head
            self._seen = None
            self._forward = _Forward(self._read_some, self._head)
            container = open_container(self._forward, str(refusal))
            try:
                return ContainerSound(container, self.name, listening)
            except AudioError:
                raise refusal from None
        self._seen = None
        check_only_track(listening.track, self.name)
        form = sound.format
        if form.frames is not None and form.promised:
            self.duration_samples = resampled_length(form.frames, form.rate)
        return sound

    def _container(self, head: bytes, continues: bool = False) -> ContainerSound:
        if not head:
            raise AudioError(f"{self.name} is empty; pipe audio into it, for example a WAV file.")
        if not looks_like_container(head):
            raise AudioError(
                f"{self.name} has no WAV header; if it is raw PCM, say its --raw --encoding --rate --channels."
            )
        self._forward = _Forward(self._read_some, head)
        reason, file = "give it as a file, or convert it to WAV", cast("Any", self._forward)
        if needs_a_file(head):
            file = _spooled(self._forward)
            reason = INDEX_IS_MISSING if head[4:8] == b"ftyp" else "its header is damaged"
        refusal = f"{self.name} holds no audio that can be read from a pipe; {reason}."
        container, seconds = open_container(file, refusal), mpeg_seconds(head, FilePart(0, len(head)))
        return ContainerSound(container, self.name, self._listening, seconds, continues)

    def _read_fully(self, count: int) -> bytes:
        """`count` bytes, fewer only at the end of the stream."""
        pieces, have = [], 0
        while have < count and (data := self._read_some(count - have)):
            pieces.append(data)
            have += len(data)
        return b"".join(pieces)

    def _read_some(self, most: int) -> bytes:
        """At least one byte and at most `most`, without waiting for more than there is; b"" at the end."""
        if self._closed:
            return b""
        if self._head:
            data, self._head = self._head[:most], self._head[most:]
        else:
            read = getattr(self._stream, "read1", self._stream.read)
            try:
                data = read(most) or b""
            except (OSError, ValueError) as error:
                raise AudioError(f"{self.name} cannot be read any further: {error}.") from error
        if self._seen is not None and len(self._seen) < _LONGEST_HEADER:
            self._seen += data
        return data

    def _pieces(self) -> Iterator[Samples]:
        heard = False
        for piece in self._all():
            heard = heard or len(piece) > 0
            yield piece
        if not heard and not self._closed:
            raise AudioError(f"{self.name} holds no sound; check the program that writes it.")

    def _all(self) -> Iterator[Samples]:
        yield from self._sounds[0].pieces()
        while self._forward is not None and (rest := self._forward.rest()):
            self._head = rest
            self._sounds.append(self._container(rest, self._forward.fragments))
            yield from self._sounds[-1].pieces()
        if self._forward is not None and self._forward.cut_short and not self._closed:
            self._sounds[-1].notices.append(ends_early(self.name))


class _RawSound:
    """PCM without a header."""

    def __init__(self, read_some: Callable[[int], bytes], intake: PcmIntake) -> None:
        self._read_some, self._intake = read_some, intake
        self.notices: list[str] = []

    @property
    def bad_samples(self) -> int:
        return self._intake.bad_samples

    @property
    def opposed_seconds(self) -> float:
        return self._intake.opposed_seconds

    @property
    def surrounding(self) -> int:
        return self._intake.surrounding

    def pieces(self) -> Iterator[Samples]:
        failure: AudioError | None = None
        try:
            while data := self._read_some(_READ_BYTES):
                yield self._intake.push(data)
        except AudioError as error:
            failure = error
        yield self._intake.finish()
        if failure is not None:
            raise failure


class _Forward:
    """A stream as PyAV takes one that cannot seek; it ends where another file was joined to the one it began with."""

    def __init__(self, read_some: Callable[[int], bytes], head: bytes) -> None:
        self._read_some = read_some
        self._search = JointSearch(head)
        self._given: bytes = b""
        self._next: bytes | None = None
        self._ended = False
        self._first, self._last, self._length = b"", bytearray(), 0

    @property
    def cut_short(self) -> bool:
        """Whether the file that was read to its end ends in the middle of what it began."""
        return cut_short(self._first, bytes(self._last), self._length)

    def read(self, most: int) -> bytes:
        """At least one byte and at most `most`; b"" at the end of the file."""
        while not self._given and self._next is None and not self._ended:
            data = self._read_some(most)
            self._ended = not data
            self._given, self._next = self._search.push(data, self._ended)
        data, self._given = self._given[:most], self._given[most:]
        self._keep(data)
        return data

    def _keep(self, data: bytes) -> None:
        self._first += data[: HEAD_BYTES - len(self._first)]
        self._length += len(data)
        self._last += data
        if len(self._last) > 2 * TAIL_BYTES:
            del self._last[:-TAIL_BYTES]

    @property
    def fragments(self) -> bool:
        """Whether it is MP4 in fragments."""
        return self._search.fragments

    def rest(self) -> bytes | None:
        """What follows the file, once it was heard: the beginning of another one; None at the end of the stream."""
        while self.read(_READ_BYTES):
            pass
        return self._next


def _spooled(stream: _Forward) -> IO[bytes]:
    """All of a stream, in memory or, where it is long, in a temporary file."""
    file = tempfile.SpooledTemporaryFile(_MOST_IN_MEMORY)  # noqa: SIM115
    while data := stream.read(_READ_BYTES):
        file.write(data)
    file.seek(0)
    return file


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
