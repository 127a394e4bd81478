"""The WAV writer: sound at its place on the timeline, a header that is always right, clear refusals."""

import errno
import io

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from simul.audio import WavWriter
from simul.errors import OutputError, SimulError


def test_sound_stands_where_it_was_placed_with_silence_between(tmp_path):
    path = tmp_path / "out.wav"
    first, second = np.full(100, 0.5, np.float32), np.full(50, -0.25, np.float32)
    with WavWriter(path, 22050) as out:
        assert out.write(first, at=1000) == 1000
        assert out.write(second, at=100_000) == 100_000
        assert out.write(second) == 100_050
        assert out.position == 100_100
    samples, rate = soundfile.read(path, dtype="float32")
    assert rate == 22050
    expected = np.zeros(100_100, np.float32)
    expected[1000:1100], expected[100_000:] = 0.5, -0.25
    np.testing.assert_array_equal(samples, expected)


def test_speech_that_would_overlap_waits_for_what_is_playing(tmp_path):
    with WavWriter(tmp_path / "out.wav", 16000) as out:
        out.write(np.ones(500, np.float32), at=0)
        assert out.write(np.ones(500, np.float32), at=200) == 500


@settings(max_examples=30)
@given(st.lists(st.tuples(st.integers(0, 300), st.integers(0, 500)), max_size=10))
def test_no_sample_is_lost_and_order_is_kept(tmp_path_factory, pieces):
    path = tmp_path_factory.mktemp("wav") / "out.wav"
    written = []
    with WavWriter(path, 16000) as out:
        for number, (length, at) in enumerate(pieces, 1):
            start = out.write(np.full(length, number / 100, np.float32), at=at)
            assert start >= at
            written.append((start, length, number))
    samples = soundfile.read(path, dtype="float32")[0]
    expected = np.zeros(max([start + length for start, length, _ in written], default=0))
    for start, length, number in written:
        expected[start : start + length] += number / 100
    np.testing.assert_allclose(samples, expected, atol=1 / 32768)


def test_the_file_can_be_played_after_every_write_even_if_never_closed(tmp_path):
    path = tmp_path / "out.wav"
    out = WavWriter(path, 16000)
    assert soundfile.info(path).frames == 0
    for count in (1, 2, 3):
        out.write(np.zeros(1000, np.float32))
        assert soundfile.info(path).frames == 1000 * count
    out.close()
    out.close()


def test_loud_and_bad_samples_are_clamped(tmp_path):
    with WavWriter(tmp_path / "out.wav", 16000) as out:
        out.write(np.float32([2, -2, np.nan]))
    samples, _ = soundfile.read(tmp_path / "out.wav", dtype="int16")
    np.testing.assert_array_equal(samples, [32767, -32768, 0])


def test_unwritable_paths_are_known_before_any_work(tmp_path):
    (tmp_path / "file").touch()
    for path, words in [
        (tmp_path, "is a folder"),
        (tmp_path / "file" / "out.wav", "is a file"),
    ]:
        with pytest.raises(SimulError, match=words) as caught:
            WavWriter(path, 16000)
        assert str(path.parent) in str(caught.value)
    with pytest.raises(SimulError, match="is a file"):
        WavWriter("/dev/null/out.wav", 16000)


def test_a_full_disk_is_told_in_words(tmp_path):
    out = WavWriter(tmp_path / "out.wav", 16000)

    class Full:
        closed = False

        def write(self, data: bytes) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

    out._file.close()
    out._file = Full()
    with pytest.raises(OutputError, match=r"out\.wav cannot be written: No space left"):
        out.write(np.zeros(10, np.float32))


def test_the_limit_of_wav_is_told_before_it_is_passed(tmp_path):
    with WavWriter(tmp_path / "out.wav", 16000) as out:
        with pytest.raises(OutputError, match="4 GiB"):
            out.write(np.zeros(1, np.float32), at=2**31)
        assert out.position == 0


def test_a_stream_that_cannot_seek_gets_a_header_without_a_length():
    class Pipe(io.BytesIO):
        def seek(self, *place: int) -> int:
            raise OSError(errno.ESPIPE, "Illegal seek")

    stream = Pipe()
    with WavWriter(stream, 16000) as out:
        out.write(np.full(3, 0.5, np.float32), at=2)
    data = stream.getvalue()
    assert (data[:4], data[8:12], len(data)) == (b"RIFF", b"WAVE", 44 + 2 * 5)
    samples, rate = soundfile.read(io.BytesIO(data), dtype="int16")
    assert (list(samples), rate) == ([0, 0, 16384, 16384, 16384], 16000)
