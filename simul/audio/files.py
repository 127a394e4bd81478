"""Audio files of any common container as a source, decoded while they are read."""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Iterator
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import Any, BinaryIO

from simul.audio.container import ContainerSound, Listening, open_container
from simul.audio.joined import FilePart, parts
from simul.audio.joints import INDEX_IS_MISSING
from simul.audio.sound import Sound, ends_early, told
from simul.audio.sources import AudioSource
from simul.audio.tracks import check_only_track
from simul.audio.wav import WavBlocks, is_wav
from simul.audio.wav_sound import WavSound
from simul.errors import AudioError
from simul.units import SAMPLE_RATE, Samples

_RAW = frozenset({".raw", ".pcm"})


class FileSource(AudioSource):
    """An audio file as mono 16 kHz chunks; only a fraction of a second is in memory at any time.

    WAV is read here (PCM, float, G.711; any blocks, RF64, BW64), everything else through PyAV: FLAC, Ogg, MP3, AAC,
    MP4, WebM, Matroska, MPEG-TS, AIFF and whatever FFmpeg knows, by content, not by name. Files joined end to end are
    heard whole.
    Times count from the start of the file: sound that starts late, and gaps, begin with silence.

    Args:
        path: the file.
        chunk_ms: chunk length.
        listening: the track and the channel to hear; unless it says so, the track in the language that is spoken, else
            the default one, and a mix of all channels.

    Raises:
        AudioError: the file is missing, a folder, a pipe, unreadable, empty, without sound or damaged; raised here,
            or from the iteration where the damage is.
        UsageError: an unusable `chunk_ms`; the file has not that track or channel.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        chunk_ms: float = 500,
        *,
        listening: Listening | None = None,
    ) -> None:
        self.path = Path(path)
        super().__init__(str(self.path), chunk_ms)
        self._listening = listening or Listening()
        self._file = _opened(self.path)
        self._sounds: list[Sound] = []
        self._rest: list[FilePart] = []
        try:
            self._begin()
        except BaseException:
            self._file.close()
            raise

    @property
    def bad_samples(self) -> int:
        """Samples replaced by 0 so far: NaN, infinite or absurdly large."""
        return sum(sound.bad_samples for sound in self._sounds)

    @property
    def notices(self) -> list[str]:
        """Sentences on what was found in the file so far and should be known."""
        return told(self.name, self._sounds)

    def close(self) -> None:
        """Close the file; closing twice does no harm."""
        for sound in self._sounds:
            if isinstance(sound, ContainerSound):
                sound.close()
        self._file.close()

    def _begin(self) -> None:
        first = self._file.read(12)
        self._file.seek(0)
        reason = "the kind of file is not known"
        if is_wav(first):
            try:
                self.duration_samples = _wav_length(self._file, self.name)
                self._file.seek(0)
                self._sounds.append(_wav(self._file, self.name, self._listening))
                check_only_track(self._listening.track, self.name)
            except AudioError as error:
                reason = str(error).rstrip(".")
                self._file.seek(0)
        if not self._sounds:
            self._begin_container(reason)
        if self.duration_samples == 0:
            raise AudioError(_no_sound(self.path))

    def _begin_container(self, reason: str) -> None:
        try:
            mapped = mmap(self._file.fileno(), 0, access=ACCESS_READ)
        except (
            OSError,
            ValueError,
        ) as error:  # Emptied since it was opened, or on a file system without maps.
            raise AudioError(f"{self.path} cannot be read: {error}.") from error
        with mapped as data:
            found = parts(data)
            if data[4:8] == b"ftyp" and data.find(b"moov") < 0:
                reason = INDEX_IS_MISSING
        sound = self._container(found[0], reason)
        self._sounds.append(sound)
        self._rest = found[1:]
        if sound.seconds is not None and not self._rest:
            self.duration_samples = round(sound.seconds * SAMPLE_RATE)
        if found[-1].cut_short:
            sound.notices.append(ends_early(self.name))

    def _container(self, part: FilePart, reason: str) -> ContainerSound:
        refusal = (
            f"{self.path} is not audio that can be read, or its header is damaged ({reason}); "
            "play it to check it, or export it again as WAV."
        )
        if self.path.suffix.lower() in _RAW:
            refusal = (
                f"{self.path} is raw PCM by its name; feed it to standard input (`- < {self.path}`) with "
                "--raw --encoding --rate --channels."
            )
        options = {"ignore_editlist": "1"} if part.edits else {}
        container = open_container(_PartOfFile(self._file, part), refusal, **options)
        return ContainerSound(container, self.name, self._listening, part.seconds, part.continues, part.edits)

    def _pieces(self) -> Iterator[Samples]:
        try:
            heard = False
            for piece in self._all():
                heard = heard or len(piece) > 0
                yield piece
            if not heard:
                raise AudioError(_no_sound(self.path))
        finally:
            self.close()

    def _all(self) -> Iterator[Samples]:
        yield from self._sounds[0].pieces()
        for part in self._rest:
            sound = self._container(part, "a part of it that was joined to what came before is damaged")
            self._sounds.append(sound)
            yield from sound.pieces()


def _no_sound(path: Path) -> str:
    return f"{path} has a valid header but holds no sound; record or export it again."


def _wav(file: BinaryIO, name: str, listening: Listening) -> WavSound:
    return WavSound(file.read, file.read, name, listening.channel, _skipping(file))


def _skipping(file: BinaryIO) -> Any:
    def skip(count: int) -> int:
        before = file.tell()
        there = min(count, os.fstat(file.fileno()).st_size - before)
        file.seek(there, io.SEEK_CUR)
        return there

    return skip


def _wav_length(file: BinaryIO, name: str) -> int:
    """Length of all the sound of a WAV file in 16 kHz samples, as far as it is there."""
    skip = _skipping(file)
    blocks = WavBlocks(file.read, name, skip)
    total = 0
    form = blocks.next()
    while form is not None:
        there = skip(1 << 62 if form.data_bytes is None else form.data_bytes)
        total += -(-(there // form.frame_bytes) * SAMPLE_RATE // form.rate)
        try:
            form = blocks.next()
        except AudioError:
            break
    return total


def _opened(path: Path) -> BinaryIO:
    """A readable, regular, non-empty file."""
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise AudioError(f"{path} is a folder; name the audio files inside it.")
        if not stat.S_ISREG(mode):
            raise AudioError(
                f"{path} is not a regular file; feed it to standard input instead (`- < {path}`)."
            )
        file = open(path, "rb")  # noqa: SIM115
    except FileNotFoundError:
        raise AudioError(f"{path} does not exist; check the name.") from None
    except PermissionError:
        raise AudioError(
            f"{path} may not be read by you; change its permissions (`chmod u+r`) or copy it."
        ) from None
    except (OSError, ValueError) as error:
        raise AudioError(f"{path} cannot be opened: {error}.") from error
    if not os.fstat(file.fileno()).st_size:
        file.close()
        raise AudioError(f"{path} is empty (0 bytes); record or download it again.")
    return file


class _PartOfFile:
    """Bytes of a file as a file of their own, for PyAV."""

    def __init__(self, file: BinaryIO, part: FilePart) -> None:
        self._file, self._part = file, part
        self._at = part.start

    def read(self, count: int) -> bytes:
        """The next bytes of the part."""
        self._file.seek(self._at)
        data = self._file.read(max(0, min(count, self._part.end - self._at)))
        self._at += len(data)
        return data

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move within the part."""
        base = {io.SEEK_SET: self._part.start, io.SEEK_CUR: self._at, io.SEEK_END: self._part.end}[whence]
        self._at = min(max(base + offset, self._part.start), self._part.end)
        return self.tell()

    def tell(self) -> int:
        """Where it stands, from the start of the part."""
        return self._at - self._part.start
