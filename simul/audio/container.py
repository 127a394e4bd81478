"""Sound in any container that FFmpeg knows, through PyAV: one track, at its place in the recording's time."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from simul.audio.bundles import bundled
from simul.audio.edits import EditList
from simul.audio.intake import FrameIntake
from simul.audio.mixing import LAYOUTS
from simul.audio.resample import check_rate
from simul.audio.sound import TakenIn
from simul.audio.timeline import RecordingTime
from simul.audio.tracks import choose_track, describe
from simul.errors import AudioError
from simul.units import SAMPLE_RATE, Samples

_MICROSECONDS = 1_000_000
_COUNTED_FROM_ZERO = {"matroska", "webm", "mov", "mp4"}
_LATEST_START_SECONDS = 600.0
_TELLS_LENGTH = {
    "matroska",
    "webm",
    "mov",
    "mp4",
    "flac",
    "aiff",
    "au",
    "wav",
    "wv",
    "ape",
    "tta",
}
_PADDING_BYTES = 4
_TAGS = (b"ID3", b"TAG")
"""Of MP3 and ADTS; FFmpeg takes those between joined files for sound."""

_BLANK_BYTES = 256
_MOST_PLANES = 8
_BY_NUMBER = {"flac", "tta"}
"""Codecs that know how many channels there are and hardly ever what they are; six may be six microphones."""

_LONG_GAP_SECONDS = 1.0
_MISSING_SECONDS, _MISSING_SHARE = 0.25, 0.005


@dataclass(frozen=True)
class Listening:
    """What is to be heard of a recording: track (number or language), channel, and the language that is spoken."""

    track: str | None = None
    channel: str | None = None
    language: str | None = None


_MAGIC = re.compile(
    rb"fLaC|OggS|ID3[\x02-\x04]|\x1aE\xdf\xa3|\xff[\xe2\xe3\xf0-\xf5\xf8-\xfd]|.{4}ftyp|caff|FORM|\.snd|FLV|#!AMR|RIFF|RIFX"
    rb"|riff|\x47.{187}\x47|\x00\x00\x01\xba|wvpk|MAC |TTA1|0&\xb2u|\x0bw|V[\xe0-\xff]|nut/multimedia|Creative Voice"
    rb"|NIST_1A|\.SoX|XoS\.|\.RMF|\x7f\xfe\x80\x01|r\xf8\x1fN|.{4}\xf8ro[\xba\xbb]|DSD |d\xa3[\x01-\x04]\x00"
    rb"|[FC]WS[\x01-\x10]",
    re.DOTALL,
)
_QUICK = {"probesize": "1000000", "analyzeduration": "2000000"}
"""A pipe's beginning is looked at for no longer: what was read cannot be given out before."""


def looks_like_container(head: bytes) -> bool:
    """Whether these first bytes (200 or more) are those of a container or codec that FFmpeg may know."""
    return _MAGIC.match(head) is not None


def open_container(file: Any, refusal: str, **options: str) -> Any:
    """PyAV's container of an open file or address; options: FFmpeg's, of the container.

    Raises:
        AudioError: with the text of `refusal`, where it is none.
    """
    import av

    try:
        return av.open(file, "r", options=options if hasattr(file, "seek") else _QUICK)
    except (av.FFmpegError, OSError, ValueError, AssertionError):
        raise AudioError(refusal) from None


class ContainerSound(TakenIn):
    """Decodes one track of an open container as mono 16 kHz samples.

    Time counts from the start of the recording: from 0 in Matroska, WebM and MP4 (a start beyond 10 minutes is that of
    a piece of a broadcast and counts as 0), from the earliest track in others. Packets that cannot be decoded are
    left out and counted, and what they held becomes silence where the container has times.

    Args:
        container: of `av.open`; closed by `close`.
        name: what to call it in messages.
        listening: what to hear of it.
        seconds: its length, where that is known besides.
        continues: it follows a part of the same recording and has no start of its own: time counts from its sound.
        edits: edit lists by the numbers of tracks, where FFmpeg was told to ignore them.

    Raises:
        AudioError: there is no audio track, or none that can be decoded.
        UsageError: it has not the wanted track, or (from `pieces`) channel.
    """

    def __init__(
        self,
        container: Any,
        name: str,
        listening: Listening,
        seconds: float | None = None,
        continues: bool = False,
        edits: Mapping[int, EditList] | None = None,
    ) -> None:
        import av

        # PyAV raises IndexError where a damaged stream announces tracks that it has not.
        self._errors = (av.FFmpegError, OSError, ValueError, IndexError, AudioError)
        self._container, self._name, self._listening = container, name, listening
        self._told_seconds = seconds
        streams = container.streams.audio
        if not streams:
            container.close()
            raise AudioError(f"{name} has no audio track; choose a file with sound.")
        try:
            self._stream = choose_track(streams, listening.track, listening.language, name)
            if self._stream.codec_context is None:
                raise AudioError(f"{name} has sound of a kind that cannot be decoded; export it as WAV.")
            self.rate = self._checked(self._stream.rate)
        except Exception:
            container.close()
            raise
        self.notices: list[str] = []
        if len(streams) > 1:
            self.notices.append(
                f"{name} has {len(streams)} audio tracks; {describe(streams, self._stream)} is heard, "
                "--track chooses another."
            )
        self._edits = (edits or {}).get(self._stream.id)
        self._told_seconds = self._edits.seconds if self._edits else self._told_seconds
        self._timeline = RecordingTime(self._origin(continues))
        self._intakes: list[FrameIntake] = []
        self._form: tuple[int, tuple[str, ...] | None] | None = None
        self._undecodable = 0
        # Whether what could not be decoded last ends in bytes that are all the same, as on a disk that failed.
        self._blank = False

    @property
    def position(self) -> float:
        """Seconds of the recording that were heard, silence included."""
        return self._timeline.position

    @property
    def seconds(self) -> float | None:
        """How long the recording is by what the container says or suggests."""
        if self._edits:
            return self._edits.seconds
        if self._container.duration:
            return float(self._container.duration / _MICROSECONDS)
        if self._stream.duration and self._stream.time_base is not None:
            return float(self._stream.duration * self._stream.time_base)
        return None

    def _checked(self, rate: int) -> int:
        try:
            return check_rate(rate)
        except AudioError as error:
            raise AudioError(
                f"{self._name} cannot be heard: {str(error)[:1].lower()}{str(error)[1:]}"
            ) from None

    def _formats(self) -> set[str]:
        return set(self._container.format.name.split(","))

    def _origin(self, continues: bool) -> float:
        start = self._container.start_time
        seconds = 0.0 if start is None else start / _MICROSECONDS
        if not continues and self._formats() & _COUNTED_FROM_ZERO and seconds <= _LATEST_START_SECONDS:
            return 0.0
        return seconds

    def pieces(self) -> Iterator[Samples]:
        """The sound, with silence for late starts and gaps.

        Raises:
            AudioError: the container is damaged; what came before has been given out.
        """
        failure: Exception | None = None
        try:
            for frame in self._frames():
                yield from self._heard(frame)
        except self._errors as error:
            failure = error
        if self._intakes:
            yield self._intakes[-1].finish()
        if isinstance(failure, AudioError):
            raise failure
        if failure is None and self._blank and self._missing():
            failure = AudioError("its bytes are blank from there on")
        if failure is not None and not self.position:
            raise AudioError(
                f"{self._name} holds no sound that can be decoded ({_reason(failure)}); if it comes through a pipe, "
                "give it as a file."
            )
        if failure is not None:
            raise AudioError(
                f"{self._name} is damaged after {self.position:.1f} s of sound ({_reason(failure)}); what came "
                "before was used."
            )
        self._tell()

    def _frames(self) -> Iterator[Any]:
        import av

        for packet in bundled(self._container.demux(self._stream), self._stream.codec_context.name):
            try:
                frames = packet.decode()
            except (av.error.InvalidDataError, av.error.ArgumentError):
                self._undecodable += packet.size > _PADDING_BYTES and bytes(packet)[:3] not in _TAGS
                self._blank = len(set(bytes(packet)[-_BLANK_BYTES:])) == 1 and packet.size > _BLANK_BYTES
                continue
            yield from frames

    def _heard(self, frame: Any) -> Iterator[Samples]:
        if not frame.samples:
            return
        time = None if frame.time is None else float(frame.time)
        if self._edits is None or time is None:
            yield from self._placed(frame, _floats(frame), time)
            return
        sound = _floats(frame)
        for begin, end, at in self._edits.cut(time, frame.samples / frame.sample_rate):
            piece = sound[round(begin * frame.sample_rate) : round(end * frame.sample_rate)]
            if len(piece):
                yield from self._placed(frame, piece, at)

    def _placed(self, frame: Any, sound: Samples, time: float | None) -> Iterator[Samples]:
        """What was decoded from a frame, with silence before it up to its time in the recording."""
        form = (self._checked(frame.sample_rate), _names(frame, self._stream.codec_context.name))
        missing = self._timeline.missing(time)
        if form != self._form or missing > _LONG_GAP_SECONDS:
            if self._intakes:
                yield self._intakes[-1].finish()
            self._form = form
            self._intakes.append(FrameIntake(*form, self._listening.channel, self._name))
        yield from self._silence(missing, frame)
        intake = self._intakes[-1]
        self._timeline.heard(len(sound) / intake.rate)
        yield intake.push(sound)

    def _silence(self, seconds: float, frame: Any) -> Iterator[Samples]:
        """Silence before a frame: a long one as it comes out, a short one through the filter of the sound around it."""
        if seconds <= _LONG_GAP_SECONDS:
            count = round(seconds * frame.sample_rate)
            if count:
                yield self._intakes[-1].push(np.zeros((count, frame.layout.nb_channels), np.float32))
            return
        left = round(seconds * SAMPLE_RATE)
        while left > 0:
            yield np.zeros(min(left, SAMPLE_RATE), np.float32)
            left -= SAMPLE_RATE

    def _tell(self) -> None:
        """What is to be said of the recording once it was heard."""
        if self._timeline.leaps:
            self.notices.append(
                f"{self._name}: its time stamps leap by more than an hour or are damaged; the sound goes on without a "
                "gap."
            )
        announced = None if self._timeline.leaps else self._missing()
        if announced is not None:
            self.notices.append(
                f"{self._name} announces {announced:.1f} s of sound and ends after {self.position:.1f} s: it was "
                "cut short, as by an interrupted copy or download."
            )
            return
        if self._undecodable:
            packets = "1 packet was" if self._undecodable == 1 else f"{self._undecodable} packets were"
            self.notices.append(
                f"{self._name}: {packets} left out that could not be decoded; the recording is damaged or was cut "
                "short."
            )

    def _missing(self) -> float | None:
        """The announced length where the recording ends before it."""
        announced = self._announced()
        if announced is None or not self.position:
            return None
        tolerance = max(_MISSING_SECONDS, _MISSING_SHARE * announced)
        return announced if announced - self.position > tolerance else None

    def _announced(self) -> float | None:
        """The length in seconds where the container states it; None where it was estimated."""
        if self._told_seconds is not None:
            return self._told_seconds
        formats = self._formats()
        if not formats & _TELLS_LENGTH:
            return None
        tag = str(self._stream.metadata.get("DURATION", ""))
        if tag.count(":") == 2:
            hours, minutes, seconds = tag.split(":")
            try:
                return int(hours) * 3600 + int(minutes) * 60 + float(seconds)
            except ValueError:
                return None
        if formats & {"matroska", "webm"}:
            alone = len(self._container.streams) == 1
            return self._container.duration / _MICROSECONDS if alone and self._container.duration else None
        stream = self._stream
        if not stream.duration or stream.time_base is None:
            return None
        start = max(0, stream.start_time or 0) if formats & {"mov", "mp4"} else 0
        return float((start + stream.duration) * stream.time_base)

    def close(self) -> None:
        """Close the container; closing twice does no harm."""
        self._container.close()


def _names(frame: Any, codec: str) -> tuple[str, ...] | None:
    """What the channels of a frame are; None where it does not say, or says what is usual for their number."""
    names = tuple(str(channel.name) for channel in frame.layout.channels)
    if any(name in ("NONE", "UNSD", "") for name in names):
        return None
    return None if codec in _BY_NUMBER and (codec == "tta" or names == LAYOUTS.get(len(names))) else names


def _floats(frame: Any) -> Samples:
    """The samples of a frame as float32, full scale at ±1; shape [n, channels]."""
    channels = frame.layout.nb_channels
    if frame.format.is_planar and channels >= _MOST_PLANES:
        return _packed(frame).to_ndarray().reshape(-1, channels)
    data = frame.to_ndarray()
    shaped = data.T if frame.format.is_planar else data.reshape(-1, channels)
    if shaped.dtype.kind == "f":
        with np.errstate(over="ignore"):
            return shaped.astype(np.float32)
    half = np.float32(2.0 ** (8 * shaped.dtype.itemsize - 1))
    found = shaped.astype(np.float32)
    return (found - half) / half if shaped.dtype.kind == "u" else found / half


def _packed(frame: Any) -> Any:
    """`frame` with its channels interleaved: PyAV 18 reads beyond the planes of a frame that has 8 or more."""
    import av

    converter = av.AudioResampler(format="flt", layout=frame.layout, rate=frame.sample_rate)
    frame.pts = None
    (found,) = converter.resample(frame)
    return found


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
