"""Standard input as a source: WAV also from pipes, raw PCM, live delivery, clear refusals, and pacing."""

import io
import os
import shutil
import struct
import subprocess

import numpy as np
import pytest
import soundfile

from simul.audio import StdinSource, pace
from simul.clock import VirtualClock
from simul.errors import AudioError, UsageError

SAMPLES = np.random.default_rng(3).integers(-20000, 20000, 24001).astype(np.int16)


def wav(samples=SAMPLES, rate=16000, subtype="PCM_16", form="WAV") -> bytearray:
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format=form, subtype=subtype)
    return bytearray(file.getvalue())


def with_length(data: bytearray, length: int) -> bytearray:
    at = data.index(b"data") + 4
    data[at : at + 4] = struct.pack("<I", length)
    return data


class Dribble(io.RawIOBase):
    """A stream that gives between one and seven bytes at a time."""

    def __init__(self, data: bytes) -> None:
        self._data, self._turn = bytes(data), 0

    def read(self, size: int = -1) -> bytes:
        self._turn = self._turn % 7 + 1
        count = min(self._turn, size)
        data, self._data = self._data[:count], self._data[count:]
        return data


def hear(source: StdinSource) -> np.ndarray:
    chunks = list(source)
    assert {len(chunk) for chunk in chunks[:-1]} <= {source.chunk_samples}
    return np.concatenate(chunks)


@pytest.mark.parametrize("length", [None, 0, 0xFFFFFFFF])
def test_wav_is_recognised_whatever_length_its_header_tells(length):
    data = wav() if length is None else with_length(wav(), length)
    source = StdinSource(io.BytesIO(data), 100)
    assert source.duration_samples == (len(SAMPLES) if length is None else None)
    np.testing.assert_array_equal(hear(source) * 32768, SAMPLES)


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW", "ALAW"])
@pytest.mark.parametrize("form", ["WAV", "WAVEX", "RF64"])
def test_every_wav_encoding_equals_what_libsndfile_reads(subtype, form):
    data = bytes(wav(subtype=subtype, form=form))
    expected = soundfile.read(io.BytesIO(data), dtype="float32")[0]
    np.testing.assert_array_equal(hear(StdinSource(io.BytesIO(data))), expected)


def test_bytes_that_dribble_in_give_the_same_audio():
    data = wav(np.stack([SAMPLES[:3000]] * 2, axis=1), 44100, "PCM_24")
    whole = hear(StdinSource(io.BytesIO(data)))
    assert hear(StdinSource(Dribble(data))).tobytes() == whole.tobytes()
    assert len(whole) == -(-3000 * 16000 // 44100)


def test_what_follows_the_sound_is_not_heard():
    data = wav() + b"LIST" + struct.pack("<I", 200) + b"\x7f" * 200
    assert len(hear(StdinSource(io.BytesIO(data)))) == len(SAMPLES)


@pytest.mark.parametrize(
    ("encoding", "rate", "channels", "data", "length"),
    [
        ("s16le", 16000, 1, SAMPLES.tobytes(), len(SAMPLES)),
        ("pcm_s16le", 48000, 2, SAMPLES[:24000].tobytes(), 4000),
        ("f32le", 8000, 1, (SAMPLES / np.float32(32768)).astype("<f4").tobytes(), 2 * len(SAMPLES)),
        ("mulaw", 8000, 1, bytes(range(256)), 512),
        ("s16le", 16000, 1, SAMPLES.tobytes() + b"\x01", len(SAMPLES)),
    ],
)
def test_raw_pcm(encoding, rate, channels, data, length):
    source = StdinSource(io.BytesIO(data), encoding=encoding, rate=rate, channels=channels)
    assert source.duration_samples is None
    assert len(hear(source)) == length


def test_a_header_wins_over_a_raw_format_unless_raw_is_insisted_on():
    data = bytes(wav())
    assert len(hear(StdinSource(io.BytesIO(data), encoding="s16le", rate=8000))) == len(SAMPLES)
    assert len(hear(StdinSource(io.BytesIO(data), raw=True, rate=16000))) == len(data) // 2


def test_raw_bad_samples_are_counted():
    data = np.float32([0.1, np.nan, np.inf, 0.2]).tobytes()
    source = StdinSource(io.BytesIO(data), encoding="f32le", rate=16000)
    np.testing.assert_array_equal(hear(source), np.float32([0.1, 0, 0, 0.2]))
    assert source.bad_samples == 2


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "is empty; pipe audio"),
        (b"RI", "no WAV header"),
        (b"hello world, no audio", "no WAV header.*--raw --encoding --rate --channels"),
        (b"fLaC" + bytes(50), "give it as a file"),
        (b"OggS" + bytes(50), "give it as a file"),
        (b"\0\0\0\x20ftypM4A " + bytes(50), "give it as a file"),
        (bytes(wav()[:30]), "ends within its WAV header"),
        (bytes(wav()[:44]), "holds no sound"),
        (bytes(with_length(wav()[:44], 0)), "holds no sound"),
        (b"RIFF\0\0\0\0WAVEdata" + bytes(50), "no format before the sound"),
        (b"RIFF\0\0\0\0WAVEjunk" + b"\xff" * 50, "damaged WAV header"),
        (b"RIFF\0\0\0\0WAVEfmt \4\0\0\0" + bytes(50), "format of 4 bytes"),
        (
            bytes(wav()).replace(struct.pack("<HHI", 1, 1, 16000), struct.pack("<HHI", 0x4242, 1, 16000)),
            "tag 16962, 16 bits",
        ),
        (
            bytes(wav()).replace(struct.pack("<HHI", 1, 1, 16000), struct.pack("<HHI", 1, 0, 16000)),
            "no channels",
        ),
        (
            bytes(wav()).replace(struct.pack("<HHI", 1, 1, 16000), struct.pack("<HHI", 1, 1, 7)),
            "sample rate of 7 Hz",
        ),
    ],
)
def test_unusable_streams_are_refused_in_one_sentence(data, words):
    with pytest.raises(AudioError, match=words) as caught:
        list(StdinSource(io.BytesIO(data)))
    assert "\n" not in str(caught.value)


def test_unknown_raw_format():
    with pytest.raises(UsageError, match="'s17'"):
        StdinSource(io.BytesIO(bytes(100)), encoding="s17", rate=16000)
    with pytest.raises(AudioError, match="sample rate of 10"):
        StdinSource(io.BytesIO(bytes(100)), encoding="s16le", rate=10)


def test_a_stream_that_breaks_gives_what_came_before():
    class Breaks(io.RawIOBase):
        left = 3

        def read(self, size: int = -1) -> bytes:
            self.left -= 1
            if self.left < 0:
                raise OSError("device gone")
            return bytes(320)

    heard = []
    with pytest.raises(AudioError, match="standard input cannot be read any further: device gone"):
        heard.extend(StdinSource(Breaks(), 10, raw=True, rate=16000))
    assert sum(map(len, heard)) == 480


def test_live_audio_comes_out_while_the_pipe_stays_open():
    reading, writing = os.pipe()
    with open(reading, "rb") as stream, open(writing, "wb", buffering=0) as pipe:
        pipe.write(with_length(wav(), 0)[: 44 + 3200])
        chunk = next(StdinSource(stream, 100))
    np.testing.assert_array_equal(chunk * 32768, SAMPLES[:1600])


def test_closing_ends_the_iteration_and_leaves_the_stream_open():
    stream = io.BytesIO(SAMPLES.tobytes())
    with StdinSource(stream, 10, raw=True, rate=16000) as source:
        next(source)
    assert len(list(source)) <= 1 + (1 << 15) // 320
    assert not stream.closed


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed")
def test_wav_as_ffmpeg_pipes_it():
    made = subprocess.run(
        ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "sine=440:d=2:r=44100", "-f", "wav", "-"],
        capture_output=True,
        check=True,
    )
    assert len(hear(StdinSource(io.BytesIO(made.stdout)))) == 32000


def test_pace_gives_each_chunk_when_its_last_sample_was_heard():
    clock = VirtualClock(100)
    source = StdinSource(io.BytesIO(SAMPLES.tobytes()), 500, raw=True, rate=16000)
    moments = [(clock.now(), len(chunk)) for chunk in pace(source, clock)]
    assert [size for _, size in moments] == [8000, 8000, 8000, 1]
    np.testing.assert_allclose([at for at, _ in moments], [100.5, 101, 101.5, 101.5 + 1 / 16000])


def test_pace_does_not_wait_for_a_consumer_that_fell_behind_nor_drift():
    clock = VirtualClock()
    chunks = pace([np.zeros(1600)] * 5, clock)
    next(chunks)
    clock.advance(0.25)
    moments = [round(clock.now(), 6) for _ in chunks]
    assert moments == [0.35, 0.35, 0.4, 0.5]
