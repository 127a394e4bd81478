"""From audio as it arrives (any rate, channels, encoding, piece size) to float32 mono 16 kHz chunks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from simul.audio.mixing import ChannelMixer
from simul.audio.pcm import BYTES_PER_SAMPLE, decode_pcm, parse_encoding, replace_bad_samples
from simul.audio.resample import StreamResampler
from simul.errors import AudioError, UsageError
from simul.units import SAMPLE_RATE, Samples, as_frames


class FrameIntake:
    """Float frames at `rate` Hz to mono 16 kHz, the same for every way to cut the input.

    Bad samples (NaN, infinite, absurdly large) become 0 before anything is computed from them and are counted
    in `bad_samples`. Values beyond ±1 are kept: clamping happens where audio leaves as integers.

    Args:
        rate: frames a second.
        names, channel, where: what the channels are, and the one to hear; see `ChannelMixer`.

    Raises:
        AudioError: the rate is outside 4 000 … 192 000 Hz.
        UsageError: (from `push`) the frames are no array of numbers, or have other channels than those before them;
            `channel` is none of the channels.
    """

    def __init__(
        self,
        rate: int,
        names: Sequence[str] | None = None,
        channel: str | None = None,
        where: str = "The input",
    ) -> None:
        self.rate = rate
        self._resampler = StreamResampler(rate)
        self._names, self._channel, self._where = names, channel, where
        self._mixer: ChannelMixer | None = None
        self.bad_samples = 0
        self.frames = 0

    @property
    def opposed_seconds(self) -> float:
        """Seconds of sound in which two channels had opposite polarity, and one was turned."""
        return self._mixer.opposed_seconds if self._mixer else 0.0

    @property
    def surrounding(self) -> int:
        """Channels that are mixed into the centre's."""
        return self._mixer.surrounding if self._mixer else 0

    def push(self, frames: Samples) -> Samples:
        """Take frames of shape [n] or [n, channels], floats or integers, return mono 16 kHz samples."""
        clean, bad = replace_bad_samples(as_frames(frames))
        self.bad_samples += bad
        self.frames += len(clean)
        return self._resampler.push(self._mixed(clean))

    def finish(self) -> Samples:
        """The last samples; in all ceil(frames * 16000 / rate) came out."""
        rest = self._mixer.finish() if self._mixer else np.zeros(0, np.float32)
        return np.concatenate([self._resampler.push(rest), self._resampler.finish()])

    def _mixed(self, frames: Samples) -> Samples:
        if self._mixer is None:
            self._mixer = ChannelMixer(self.rate, frames.shape[1], self._names, self._channel, self._where)
        if frames.shape[1] != len(self._mixer.names):
            raise UsageError(
                f"Frames of shape {frames.shape} follow frames of {len(self._mixer.names)} channels; begin another "
                "intake for them."
            )
        return self._mixer.push(frames)


class PcmIntake:
    """PCM bytes in pieces of any length, cut even within a sample, to mono 16 kHz.

    names, channel, where: what the channels are, and the one to hear; see `ChannelMixer`.

    Raises:
        UsageError: the encoding is not known, or (from `push`) `channel` is none of the channels.
        AudioError: the rate is outside 4 000 … 192 000 Hz, or there is no channel.
    """

    def __init__(
        self,
        encoding: str,
        rate: int,
        channels: int = 1,
        names: Sequence[str] | None = None,
        channel: str | None = None,
        where: str = "The input",
    ) -> None:
        if isinstance(channels, bool) or not isinstance(channels, int) or not 1 <= channels <= 256:
            raise AudioError(f"Audio of {channels} channels cannot be read; give a number from 1 to 256.")
        self.encoding = parse_encoding(encoding)
        self.rate, self.channels = rate, channels
        self.frame_bytes = BYTES_PER_SAMPLE[self.encoding] * channels
        self._frames = FrameIntake(rate, names, channel, where)
        self._rest = b""

    @property
    def bad_samples(self) -> int:
        """Samples replaced by 0 so far because they were no usable numbers."""
        return self._frames.bad_samples

    @property
    def opposed_seconds(self) -> float:
        """Seconds of sound in which two channels had opposite polarity, and one was turned."""
        return self._frames.opposed_seconds

    @property
    def surrounding(self) -> int:
        """Channels that are mixed into the centre's."""
        return self._frames.surrounding

    @property
    def frames(self) -> int:
        """Complete frames (one sample of every channel) taken so far."""
        return self._frames.frames

    def push(self, data: bytes) -> Samples:
        """Take the next bytes, return mono 16 kHz samples; a frame cut in two waits for its rest."""
        if not isinstance(data, (bytes, bytearray, memoryview)):
            raise UsageError(f"PCM comes as bytes, not {type(data).__name__}; arrays go to FrameIntake.")
        data = self._rest + bytes(data)
        whole = len(data) - len(data) % self.frame_bytes
        self._rest = data[whole:]
        frames = decode_pcm(memoryview(data)[:whole], self.encoding).reshape(-1, self.channels)
        return self._frames.push(frames)

    def begin_frame(self) -> None:
        """Forget a frame of which only the beginning came: what follows begins with a frame."""
        self._rest = b""

    def finish(self) -> Samples:
        """The last samples of the stream."""
        return self._frames.finish()


class AudioChunker:
    """Cuts a stream of samples into chunks of exactly `chunk_samples`, only the last one shorter."""

    def __init__(self, chunk_samples: int) -> None:
        self.chunk_samples = chunk_samples
        self._pieces: list[Samples] = []
        self._held = 0

    def push(self, samples: Samples) -> Iterator[Samples]:
        """Take samples, yield every chunk that became complete."""
        at = 0
        while len(samples) - at >= (want := self.chunk_samples - self._held):
            yield np.concatenate([*self._pieces, samples[at : at + want]])
            at += want
            self._pieces, self._held = [], 0
        if at < len(samples):
            self._pieces.append(samples[at:].copy())
            self._held += len(samples) - at

    def finish(self) -> Iterator[Samples]:
        """Yield what is left, if anything."""
        if self._held:
            yield np.concatenate(self._pieces)
            self._pieces, self._held = [], 0


def to_samples(ms: float) -> int:
    """Milliseconds as a whole number of 16 kHz samples, rounded to the nearest."""
    return round(ms * SAMPLE_RATE / 1000)
