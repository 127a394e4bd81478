"""Recordings made up for tests: tones in containers of every kind, by PyAV, with any time stamps and channels."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

RATE = 48_000


def tone(seconds: float, hertz: float = 440.0, rate: int = RATE, loudness: float = 0.5) -> np.ndarray:
    """A tone as float32 of shape [n]."""
    at = np.arange(round(seconds * rate)) / rate
    return (loudness * np.sin(2 * np.pi * hertz * at)).astype(np.float32)


def noise(seconds: float, rate: int = RATE, seed: int = 0, loudness: float = 0.3) -> np.ndarray:
    """Noise below 3 kHz as float32 of shape [n], which like speech is not its own opposite shifted by a little."""
    raw = np.random.default_rng(seed).standard_normal(round(seconds * rate))
    spectrum = np.fft.rfft(raw)
    spectrum[np.fft.rfftfreq(len(raw), 1 / rate) > 3000] = 0
    shaped = np.fft.irfft(spectrum, len(raw))
    return (loudness * shaped / np.abs(shaped).max()).astype(np.float32)


class Track:
    """One audio track: pieces of sound, each at a second of its own; `samples` of shape [n] or [channels, n]."""

    def __init__(
        self,
        pieces: Iterable[tuple[float, np.ndarray]],
        codec: str,
        layout: str = "mono",
        language: str | None = None,
        default: bool = False,
        rate: int = RATE,
    ) -> None:
        self.pieces, self.codec, self.layout, self.rate = list(pieces), codec, layout, rate
        self.language, self.default = language, default

    def add(self, container: av.container.OutputContainer) -> av.AudioStream:
        stream = container.add_stream(self.codec, rate=self.rate, layout=self.layout)
        if self.codec in ("vorbis", "opus"):
            stream.codec_context.options = {"strict": "experimental"}
        if self.language:
            stream.metadata["language"] = self.language
        stream.disposition = av.stream.Disposition.default if self.default else av.stream.Disposition(0)
        return stream

    def packets(self, stream: av.AudioStream) -> list[av.Packet]:
        found = []
        for number, (second, samples) in enumerate(self.pieces):
            frames = _frames(samples, self.layout, self.rate, stream, second)
            for frame in frames:
                found += stream.encode(frame)
            if number + 1 == len(self.pieces):
                found += stream.encode(None)
        return found


def _frames(
    samples: np.ndarray, layout: str, rate: int, stream: av.AudioStream, second: float
) -> list[av.AudioFrame]:
    packed = np.ascontiguousarray(np.atleast_2d(samples).T.astype(np.float32)).reshape(1, -1)
    frame = av.AudioFrame.from_ndarray(packed, "flt", layout)
    frame.rate, frame.pts, frame.time_base = rate, 0, Fraction(1, rate)
    resampler = av.AudioResampler(stream.format, layout, rate, stream.codec_context.frame_size or 1024)
    parts = [*resampler.resample(frame), *resampler.resample(None)]
    at = round(second * rate)
    for part in parts:
        part.pts, part.time_base = at, Fraction(1, rate)
        at += part.samples
    return parts


def container(
    kind: str, tracks: Sequence[Track], picture: tuple[float, float] | None = None, **options: str
) -> bytes:
    """The bytes of a container; `picture`: a video track from one second to another, with B-frames in MP4 and TS."""
    file = io.BytesIO()
    write(file, kind, tracks, picture, **options)
    return file.getvalue()


def write(
    file: io.BytesIO | Path,
    kind: str,
    tracks: Sequence[Track],
    picture: tuple[float, float] | None = None,
    **options: str,
) -> None:
    """Write a container to a file; options such as `movflags` need one with a name."""
    with av.open(file if isinstance(file, io.BytesIO) else str(file), "w", kind, options=options) as out:
        packets: list[av.Packet] = []
        if picture:
            packets += _video(out, kind, picture)
        for track in tracks:
            stream = track.add(out)
            packets += track.packets(stream)
        for packet in sorted(packets, key=lambda p: float(p.dts * p.time_base)):
            out.mux(packet)


def _video(out: av.container.OutputContainer, kind: str, picture: tuple[float, float]) -> list[av.Packet]:
    stream = out.add_stream("mpeg4" if kind != "webm" else "libvpx", rate=10)
    stream.width = stream.height = 32
    stream.pix_fmt = "yuv420p"
    if kind != "webm":
        stream.codec_context.max_b_frames = 2
    found = []
    for number in range(round(picture[0] * 10), round(picture[1] * 10)):
        frame = av.VideoFrame(32, 32, "yuv420p")
        for plane in frame.planes:
            plane.update(bytes(plane.buffer_size))
        frame.pts, frame.time_base = number, Fraction(1, 10)
        found += stream.encode(frame)
    return found + stream.encode(None)


def wav(
    samples: np.ndarray,
    rate: int = 16_000,
    form: bytes = b"RIFF",
    before: Sequence[tuple[bytes, bytes]] = (),
    after: Sequence[tuple[bytes, bytes]] = (),
    pad: bool = True,
) -> bytes:
    """A 16-bit WAV stream with further blocks before and behind its sound; RF64 and BW64 keep the length in ds64."""
    data = np.rint(np.clip(samples, -1, 1) * 32767).astype("<i2")
    channels = 1 if data.ndim == 1 else data.shape[1]
    sound, long = data.tobytes(), form != b"RIFF"

    def block(kind: bytes, body: bytes, size: int | None = None) -> bytes:
        length = len(body) if size is None else size
        return struct.pack("<4sI", kind, length) + body + b"\0" * (len(body) % 2 if pad else 0)

    layout = struct.pack("<HHIIHH", 1, channels, rate, rate * 2 * channels, 2 * channels, 16)
    body = b""
    if long:
        body += block(b"ds64", struct.pack("<QQQI", 0, len(sound), len(data), 0))
    body += b"".join(block(*pair) for pair in before) + block(b"fmt ", layout)
    body += block(b"data", sound, 0xFFFFFFFF if long else None)
    body += b"".join(block(*pair) for pair in after)
    return struct.pack("<4sI4s", form, 0xFFFFFFFF if long else 4 + len(body), b"WAVE") + body
