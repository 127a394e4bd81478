"""PCM formats against libsndfile, mono mix, bad samples, and byte streams cut anywhere."""

import io

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from simul.audio import (
    AudioChunker,
    PcmIntake,
    decode_pcm,
    parse_encoding,
    replace_bad_samples,
    to_int16,
)
from simul.errors import AudioError, UsageError

ALL_BYTES = bytes(range(256)) * 12

SUBTYPES = {
    "u8": "PCM_U8",
    "s16le": "PCM_16",
    "s24le": "PCM_24",
    "s32le": "PCM_32",
    "mulaw": "ULAW",
    "alaw": "ALAW",
}


def libsndfile_decode(data: bytes, subtype: str) -> np.ndarray:
    return soundfile.read(
        io.BytesIO(data),
        samplerate=8000,
        channels=1,
        format="RAW",
        subtype=subtype,
        dtype="float32",
        endian="LITTLE",
    )[0]


@pytest.mark.parametrize(("encoding", "subtype"), SUBTYPES.items())
def test_every_integer_encoding_decodes_as_libsndfile_does(encoding, subtype):
    decoded = decode_pcm(ALL_BYTES, encoding)
    assert decoded.dtype == np.float32
    np.testing.assert_array_equal(decoded, libsndfile_decode(ALL_BYTES, subtype))


def test_float_encodings_decode_to_the_values_written():
    values = np.array([0.0, -1.0, 0.25, 1.75, 1e-9])
    for encoding, dtype in (("f32le", "<f4"), ("f64le", "<f8")):
        np.testing.assert_array_equal(
            decode_pcm(values.astype(dtype).tobytes(), encoding), values.astype(np.float32)
        )


def test_a_double_too_large_for_float32_is_a_bad_sample_without_a_warning():
    decoded = decode_pcm(np.array([1e300, 0.5]).tobytes(), "f64le")
    clean, bad = replace_bad_samples(decoded)
    assert bad == 1
    np.testing.assert_array_equal(clean, np.float32([0, 0.5]))


def test_int16_round_trip_is_exact_and_output_is_clamped():
    every = np.arange(-32768, 32768, dtype=np.int16)
    np.testing.assert_array_equal(to_int16(decode_pcm(every.tobytes(), "s16le")), every)
    odd = np.float32([2.0, -3.0, np.nan, np.inf, -np.inf])
    np.testing.assert_array_equal(to_int16(odd), [32767, -32768, 0, 32767, -32768])


def test_names_of_encodings():
    assert parse_encoding("PCM_S16LE") == "s16le"
    assert parse_encoding("ulaw") == "mulaw"
    with pytest.raises(UsageError, match=r"'opus' is not known.*s16le"):
        parse_encoding("opus")


def test_bad_samples_are_silenced_and_counted_and_loud_ones_kept():
    samples = np.float32([0.1, np.nan, np.inf, -np.inf, 3e38, 1.5])
    clean, bad = replace_bad_samples(samples)
    assert bad == 4
    np.testing.assert_array_equal(clean, np.float32([0.1, 0, 0, 0, 0, 1.5]))


@pytest.mark.parametrize("rate", [8000, 16000, 48000])
def test_nothing_that_is_not_finite_gets_through_an_intake(rate):
    data = np.tile(np.float32([0.5, np.nan, 3.4e38, -np.inf]), 500).tobytes()
    intake = PcmIntake("f32le", rate, channels=2)
    heard = np.concatenate([intake.push(data), intake.finish()])
    assert np.isfinite(heard).all()
    assert np.abs(heard).max() > 0.1
    assert intake.bad_samples == 1500


@settings(max_examples=40)
@given(
    st.lists(st.integers(0, 700), max_size=12),
    st.sampled_from([("s16le", 44100, 2), ("s24le", 48000, 3), ("mulaw", 8000, 1), ("f32le", 16000, 2)]),
    st.integers(0, 2000),
)
def test_bytes_may_be_cut_anywhere_even_within_a_sample(cuts, form, length):
    encoding, rate, channels = form
    data = np.random.default_rng(length).integers(0, 256, length, dtype=np.uint8).tobytes()
    whole = PcmIntake(encoding, rate, channels)
    expected = np.concatenate([whole.push(data), whole.finish()])
    pieces = PcmIntake(encoding, rate, channels)
    heard = []
    for cut in cuts:
        heard.append(pieces.push(data[:cut]))
        data = data[cut:]
    heard += [pieces.push(data), pieces.finish()]
    np.testing.assert_array_equal(np.concatenate(heard), expected)
    assert pieces.frames == length // pieces.frame_bytes
    assert len(expected) == -(-pieces.frames * 16000 // rate)


@given(st.lists(st.integers(0, 50), max_size=30), st.integers(1, 40))
def test_chunker_keeps_every_sample_in_order(sizes, chunk):
    stream = np.arange(sum(sizes), dtype=np.float32)
    chunker = AudioChunker(chunk)
    chunks, at = [], 0
    for size in sizes:
        chunks += chunker.push(stream[at : at + size])
        at += size
    chunks += chunker.finish()
    assert all(len(piece) == chunk for piece in chunks[:-1])
    assert not chunks or 0 < len(chunks[-1]) <= chunk
    np.testing.assert_array_equal(np.concatenate([*chunks, np.zeros(0)]), stream)


@pytest.mark.parametrize(("rate", "channels"), [(0, 1), (-1, 1), (10**9, 1), (16000, 0), (16000, 1000)])
def test_impossible_rates_and_channels_are_refused_in_words(rate, channels):
    with pytest.raises(AudioError, match="give a"):
        PcmIntake("s16le", rate, channels)
