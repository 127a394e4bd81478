"""File sources: the containers, widths, channels and rates that work, and every way to be unusable."""

import builtins
import os
import struct
import tracemalloc

import av
import numpy as np
import pytest
import soundfile

from simul.audio import FileSource, FrameIntake, resampled_length
from simul.errors import AudioError, UsageError

SECONDS = 1.3


def speechlike(rate: int, channels: int = 1) -> np.ndarray:
    """A 440 Hz tone that swells, the same on every channel; shape [frames, channels]."""
    at = np.arange(round(rate * SECONDS)) / rate
    tone = 0.5 * np.sin(2 * np.pi * 440 * at) * np.minimum(1, at / 0.2)
    return np.repeat(tone[:, None], channels, axis=1).astype(np.float32)


def read(path, chunk_ms=100.0) -> np.ndarray:
    with FileSource(path, chunk_ms) as source:
        chunks = list(source)
    assert all(chunk.dtype == np.float32 and chunk.ndim == 1 for chunk in chunks)
    assert {len(chunk) for chunk in chunks[:-1]} <= {source.chunk_samples}
    assert 0 < len(chunks[-1]) <= source.chunk_samples
    return np.concatenate(chunks)


def error_db(heard: np.ndarray) -> float:
    expected = speechlike(16000)[:, 0]
    error = heard[: len(expected)] - expected[: len(heard)]
    return 10 * np.log10(np.mean(error[200:-200] ** 2) / np.mean(expected**2) + 1e-20)


@pytest.mark.parametrize(
    ("subtype", "floor_db"),
    [
        ("PCM_U8", -35),
        ("PCM_16", -70),
        ("PCM_24", -70),
        ("PCM_32", -70),
        ("FLOAT", -70),
        ("DOUBLE", -70),
        ("ULAW", -30),
        ("ALAW", -30),
    ],
)
@pytest.mark.parametrize(("rate", "channels"), [(16000, 1), (48000, 2), (44100, 6), (8000, 1), (11025, 2)])
def test_wav_of_every_width_rate_and_channel_count(tmp_path, subtype, floor_db, rate, channels):
    path = tmp_path / "a.wav"
    soundfile.write(path, speechlike(rate, channels), rate, subtype=subtype)
    heard = read(path)
    assert len(heard) == resampled_length(round(rate * SECONDS), rate) == FileSource(path).duration_samples
    assert error_db(heard) < floor_db


@pytest.mark.parametrize(
    ("name", "form", "subtype", "floor_db"),
    [
        ("a.flac", "FLAC", "PCM_24", -70),
        ("a.ogg", "OGG", "VORBIS", -20),
        ("a.opus", "OGG", "OPUS", -15),
        ("a.mp3", "MP3", "MPEG_LAYER_III", -20),
        ("a.aiff", "AIFF", "PCM_16", -70),
        ("a.au", "AU", "ULAW", -30),
        ("a.wav", "WAVEX", "PCM_24", -70),
        ("a.wav", "RF64", "PCM_16", -70),
    ],
)
def test_common_containers(tmp_path, name, form, subtype, floor_db):
    path = tmp_path / name
    soundfile.write(path, speechlike(48000, 2), 48000, format=form, subtype=subtype)
    heard = read(path)
    assert abs(len(heard) - 16000 * SECONDS) <= 200
    assert error_db(heard) < floor_db
    # It must be what libsndfile decodes at one go; decoders of lossy codecs differ in the last bits.
    intake = FrameIntake(48000)
    whole = np.concatenate([intake.push(soundfile.read(path, dtype="float32")[0]), intake.finish()])
    lossy = name in ("a.ogg", "a.opus", "a.mp3")
    same = min(len(heard), len(whole)) - 200 * lossy
    np.testing.assert_allclose(heard[:same], whole[:same], atol=1e-5 if lossy else 0)


@pytest.mark.parametrize(
    ("name", "codec", "rate"),
    [("a.m4a", "aac", 44100), ("a.mp4", "aac", 48000), ("a.webm", "libopus", 48000)],
)
def test_video_containers_through_pyav(tmp_path, name, codec, rate):
    path = tmp_path / name
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate, layout="stereo")
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(speechlike(rate, 2).T), "fltp", "stereo")
        frame.rate, frame.pts = rate, 0
        to_codec = av.AudioResampler(stream.format, "stereo", rate, stream.frame_size or 1024)
        for part in [*to_codec.resample(frame), *to_codec.resample(None)]:
            container.mux(stream.encode(part))
        container.mux(stream.encode(None))
    source = FileSource(path)
    assert abs(source.duration_samples - 16000 * SECONDS) < 1000
    heard = read(path)
    assert abs(len(heard) - 16000 * SECONDS) < 1000
    assert error_db(heard) < -15


@pytest.mark.parametrize("chunk_ms", [10, 100, 320, 333, 1000, 60000])
def test_chunks_join_to_the_same_audio_whatever_their_length(tmp_path, chunk_ms):
    path = tmp_path / "a.wav"
    soundfile.write(path, speechlike(44100, 2), 44100)
    assert read(path, chunk_ms).tobytes() == read(path, 500).tobytes()


def test_16_khz_mono_comes_through_bit_for_bit(tmp_path):
    samples = np.random.default_rng(0).integers(-32768, 32767, 20001).astype(np.int16)
    soundfile.write(tmp_path / "a.wav", samples, 16000)
    np.testing.assert_array_equal(read(tmp_path / "a.wav") * 32768, samples)


def test_bad_samples_in_a_float_file_are_counted_and_silenced(tmp_path):
    samples = speechlike(48000)
    samples[1000:1010] = np.nan
    samples[2000] = np.inf
    soundfile.write(tmp_path / "a.wav", samples, 48000, subtype="FLOAT")
    with FileSource(tmp_path / "a.wav") as source:
        heard = np.concatenate(list(source))
    assert source.bad_samples == 11
    assert np.isfinite(heard).all()
    assert len(heard) == 16000 * SECONDS


@pytest.mark.parametrize("length", [0, 0xFFFFFFFF])
def test_wav_whose_header_does_not_know_its_length(tmp_path, length):
    path = tmp_path / "a.wav"
    soundfile.write(path, speechlike(16000), 16000, subtype="PCM_16")
    whole = read(path)
    data = bytearray(path.read_bytes())
    at = data.index(b"data") + 4
    data[at : at + 4] = struct.pack("<I", length)
    path.write_bytes(data)
    assert FileSource(path).duration_samples == len(whole)
    np.testing.assert_array_equal(read(path), whole)


def test_a_long_file_is_never_in_memory_as_a_whole(tmp_path):
    path = tmp_path / "long.wav"
    soundfile.write(path, np.zeros(8000 * 90), 8000, subtype="ULAW")
    next(FileSource(path))
    tracemalloc.start()
    try:
        with FileSource(path) as source:
            total = sum(len(chunk) for chunk in source)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert total == 16000 * 90
    assert peak < 1_000_000


def refuse(path, words: str) -> None:
    """Opening or reading the file fails with one sentence that names it and says what to do."""
    with pytest.raises(AudioError, match=words) as caught:
        list(FileSource(path))
    message = str(caught.value)
    assert str(path) in message
    assert "\n" not in message
    assert message.endswith(".")


def test_missing_folder_empty_and_pipe(tmp_path):
    refuse(tmp_path / "nowhere.wav", "does not exist; check")
    refuse(tmp_path, "is a folder; name")
    (tmp_path / "empty.wav").touch()
    refuse(tmp_path / "empty.wav", "is empty .*record")
    os.mkfifo(tmp_path / "pipe")
    refuse(tmp_path / "pipe", "not a regular file; feed it to standard input")
    (tmp_path / "a.raw").write_bytes(bytes(100))
    refuse(tmp_path / "a.raw", "raw PCM .*--raw")


def test_permission_denied(tmp_path, monkeypatch):
    path = tmp_path / "secret.wav"
    path.write_bytes(b"x")

    def denied(*args, **kwargs):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(builtins, "open", denied)
    refuse(path, "may not be read by you; change its permissions")


@pytest.mark.parametrize("form", ["WAV", "AIFF", "OGG"])
def test_zero_length_audio(tmp_path, form):
    path = tmp_path / "silent.audio"
    soundfile.write(path, np.zeros((0, 1)), 16000, format=form)
    refuse(path, "valid header but holds no sound")


def test_damaged_headers_and_files_that_are_no_audio(tmp_path):
    path = tmp_path / "bad.wav"
    soundfile.write(path, speechlike(16000), 16000)
    data = path.read_bytes()
    path.write_bytes(data[:30])
    refuse(path, "damaged|not audio")
    path.write_bytes(data[:12] + os.urandom(400))
    refuse(path, "damaged|not audio|cannot be used")
    path.write_bytes(b"This is a letter, not a recording.\n" * 30)
    refuse(path, "damaged|not audio|no audio track")
    path.write_bytes(data[:20] + struct.pack("<HHI", 1, 1, 0) + data[28:])
    refuse(path, "damaged|not audio|cannot be used")


def test_damage_in_the_middle_gives_what_came_before_then_the_error(tmp_path):
    path = tmp_path / "a.flac"
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, 16000 * 4)
    soundfile.write(path, noise, 16000)
    data = bytearray(path.read_bytes())
    half = len(data) // 2
    data[half:] = bytes(len(data) - half)
    path.write_bytes(data)
    heard = []
    with pytest.raises(AudioError, match=r"damaged after \d\.\d s of sound"):
        heard.extend(FileSource(path, 100))
    assert 16000 < sum(map(len, heard)) < 16000 * 3


def test_a_wav_cut_short_gives_what_is_there(tmp_path):
    path = tmp_path / "a.wav"
    soundfile.write(path, speechlike(16000), 16000)
    path.write_bytes(path.read_bytes()[: 44 + 2 * 5000])
    source = FileSource(path)
    assert sum(map(len, source)) == 5000
    assert "announces 1.3 s of sound and ends after 0.3 s" in source.notices[0]


@pytest.mark.parametrize("chunk_ms", [0, -5, 9, 60001, float("nan")])
def test_impossible_chunk_lengths(tmp_path, chunk_ms):
    with pytest.raises(UsageError, match="10 to 60000"):
        FileSource(tmp_path / "a.wav", chunk_ms)


def test_a_closed_source_closes_its_file_and_may_be_closed_again(tmp_path):
    path = tmp_path / "a.wav"
    soundfile.write(path, speechlike(16000), 16000)
    source = FileSource(path)
    next(source)
    source.close()
    source.close()
    descriptors = [os.readlink(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd") if _is_link(fd)]
    assert str(path) not in descriptors


def _is_link(fd: str) -> bool:
    return os.path.islink(f"/proc/self/fd/{fd}")
