"""Audio files of any common container as a source, decoded while they are read."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

from simul.audio.intake import FrameIntake, PcmIntake
from simul.audio.resample import check_rate, resampled_length
from simul.audio.sources import AudioSource
from simul.audio.wav import is_wav, read_wav_header
from simul.errors import AudioError
from simul.units import Samples

_BLOCK_FRAMES = 1 << 13


class _Reader(Protocol):
    """Decodes one open file; `frames` is its length at its own rate if known."""

    frames: int | None

    @property
    def bad_samples(self) -> int: ...

    @property
    def rate(self) -> int: ...

    def pieces(self) -> Iterator[Samples]: ...

    def close(self) -> None: ...


class FileSource(AudioSource):
    """An audio file as mono 16 kHz chunks; only a fraction of a second is in memory at any time.

    WAV (8, 16, 24, 32 bit, float, G.711), FLAC, Ogg Vorbis, Opus, MP3, AIFF, AU and others through
    libsndfile; what that cannot read (M4A, MP4, WebM, AMR) through PyAV when the package `av` is installed.

    Raises:
        AudioError: the file is missing, a folder, a pipe, unreadable, empty, without sound, damaged, or of a
            kind that needs PyAV; raised here, or from the iteration where the damage is.
        UsageError: an unusable `chunk_ms`.
    """

    def __init__(self, path: str | os.PathLike[str], chunk_ms: float = 500) -> None:
        self.path = Path(path)
        super().__init__(str(self.path), chunk_ms)
        self._reader = _open(self.path)
        frames = self._reader.frames
        if frames is not None:
            if frames <= 0:
                self._reader.close()
                raise AudioError(_no_sound(self.path))
            self.duration_samples = resampled_length(frames, self._reader.rate)

    @property
    def bad_samples(self) -> int:
        """Samples replaced by 0 so far: NaN, infinite or absurdly large."""
        return self._reader.bad_samples

    def close(self) -> None:
        """Close the file; closing twice does no harm."""
        self._reader.close()

    def _pieces(self) -> Iterator[Samples]:
        try:
            heard = False
            for piece in self._reader.pieces():
                heard = heard or len(piece) > 0
                yield piece
            if not heard:
                raise AudioError(_no_sound(self.path))
        finally:
            self._reader.close()


def _no_sound(path: Path) -> str:
    return f"{path} has a valid header but holds no sound; record or export it again."


def _open(path: Path) -> _Reader:
    """The first reader that understands the file; see FileSource for the errors."""
    first_bytes = _first_bytes(path)
    if is_wav(first_bytes):
        unfinished = _UnfinishedWav.open_if_unfinished(path)
        if unfinished is not None:
            return unfinished
    try:
        return _SoundfileReader(path)
    except _NotReadable as refusal:
        reason = str(refusal)
    try:
        av = import_module("av")
    except ImportError:
        raise AudioError(
            f"{path} cannot be read ({reason}); if it is M4A, MP4, WebM or another video container, "
            "`pip install av` adds them, and `ffmpeg -i IN OUT.wav` converts it."
        ) from None
    return _AvReader(path, av, reason)


def _first_bytes(path: Path) -> bytes:
    """The first bytes of a readable, regular, non-empty file."""
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise AudioError(f"{path} is a folder; name the audio files inside it.")
        if not stat.S_ISREG(mode):
            raise AudioError(
                f"{path} is not a regular file; feed it to standard input instead (`- < {path}`)."
            )
        with open(path, "rb") as file:
            first = file.read(12)
    except FileNotFoundError:
        raise AudioError(f"{path} does not exist; check the name.") from None
    except PermissionError:
        raise AudioError(
            f"{path} may not be read by you; change its permissions (`chmod u+r`) or copy it."
        ) from None
    except (OSError, ValueError) as error:
        raise AudioError(f"{path} cannot be opened: {error}.") from error
    if not first:
        raise AudioError(f"{path} is empty (0 bytes); record or download it again.")
    return first


class _NotReadable(Exception):
    """libsndfile does not understand the file; the message is its reason."""


class _SoundfileReader:
    """A file that libsndfile decodes."""

    def __init__(self, path: Path) -> None:
        import soundfile

        class Sequential(soundfile.SoundFile):
            """A file read from start to end without seeking.

            soundfile seeks after every read where it can, and every seek in an MP3 loses the bits that its
            frames borrow from those before, which breaks the sound.
            """

            def seekable(self) -> bool:
                return False

        self._path = path
        self._errors = (soundfile.SoundFileError, RuntimeError)
        try:
            self._file = Sequential(str(path))
        except TypeError:
            raise AudioError(
                f"{path} is raw PCM by its name; feed it to standard input (`- < {path}`) with "
                "--raw --encoding --rate --channels."
            ) from None
        except self._errors as error:
            raise _NotReadable(str(error).partition(": ")[2].rstrip(".") or str(error)) from error
        self.rate = check_rate(self._file.samplerate)
        # libsndfile reports the largest integer when it cannot tell the length.
        self.frames: int | None = self._file.frames if self._file.frames < 2**62 else None
        self._intake = FrameIntake(self.rate)

    @property
    def bad_samples(self) -> int:
        return self._intake.bad_samples

    def pieces(self) -> Iterator[Samples]:
        failure: AudioError | None = None
        try:
            while len(frames := self._file.read(_BLOCK_FRAMES, dtype="float32", always_2d=True)):
                yield self._intake.push(frames)
        except self._errors as error:
            failure = _damaged(self._path, self._intake, error)
        yield self._intake.finish()
        if failure is not None:
            raise failure

    def close(self) -> None:
        self._file.close()


class _UnfinishedWav:
    """A WAV file whose header does not know its length, as left by a pipe or a recorder that was killed."""

    frames: int | None = None

    def __init__(self, file: Any, intake: PcmIntake, frames: int) -> None:
        self._file, self._intake, self.frames = file, intake, frames

    @classmethod
    def open_if_unfinished(cls, path: Path) -> _UnfinishedWav | None:
        file = open(path, "rb")  # noqa: SIM115
        try:
            header = read_wav_header(file.read, str(path))
        except AudioError:
            header = None
        if header is None or header.data_bytes is not None:
            file.close()
            return None
        intake = PcmIntake(header.encoding, header.rate, header.channels)
        frames = (os.fstat(file.fileno()).st_size - file.tell()) // intake.frame_bytes
        return cls(file, intake, frames)

    @property
    def rate(self) -> int:
        return self._intake.rate

    @property
    def bad_samples(self) -> int:
        return self._intake.bad_samples

    def pieces(self) -> Iterator[Samples]:
        while data := self._file.read(_BLOCK_FRAMES * self._intake.frame_bytes):
            yield self._intake.push(data)
        yield self._intake.finish()

    def close(self) -> None:
        self._file.close()


class _AvReader:
    """A file that FFmpeg's libraries decode through PyAV."""

    def __init__(self, path: Path, av: ModuleType, reason: str) -> None:
        self._path, self._av = path, av
        try:
            self._container = av.open(str(path))
        except (av.FFmpegError, OSError, ValueError):
            raise AudioError(
                f"{path} is not audio that can be read, or its header is damaged ({reason}); "
                "play it to check it, or export it again as WAV."
            ) from None
        if not self._container.streams.audio:
            self._container.close()
            raise AudioError(f"{path} has no audio track; choose a file with sound.")
        self._stream = self._container.streams.audio[0]
        self.rate = check_rate(self._stream.rate)
        self.frames = self._length()
        self._intake = FrameIntake(self.rate)

    @property
    def bad_samples(self) -> int:
        return self._intake.bad_samples

    def _length(self) -> int | None:
        if self._stream.duration is not None and self._stream.time_base is not None:
            return round(self._stream.duration * self._stream.time_base * self.rate)
        if self._container.duration is not None:
            return round(self._container.duration * self.rate / 1_000_000)
        return None

    def pieces(self) -> Iterator[Samples]:
        to_float = self._av.AudioResampler(format="fltp", layout=self._stream.layout, rate=self.rate)
        failure: AudioError | None = None
        try:
            for frame in self._container.decode(self._stream):
                for part in to_float.resample(frame):
                    yield self._intake.push(part.to_ndarray().T)
        except (self._av.FFmpegError, OSError, ValueError) as error:
            failure = _damaged(self._path, self._intake, error)
        yield self._intake.finish()
        if failure is not None:
            raise failure

    def close(self) -> None:
        self._container.close()


def _damaged(path: Path, intake: FrameIntake, error: Exception) -> AudioError:
    """The error for a file that stops making sense after `intake.frames` frames."""
    seconds = intake.frames / intake.rate
    return AudioError(
        f"{path} is damaged after {seconds:.1f} s of sound ({error}); what came before was used."
    )
