"""Files joined end to end are heard whole, from a file and from a pipe."""

import io

import numpy as np
import pytest
import soundfile

from simul.audio import FileSource, StdinSource
from tests.simul.audio.recordings import RATE, Track, container, tone, wav, write

LOW, HIGH = tone(1.0, 400), tone(1.0, 1600)


def loudness(samples: np.ndarray, hertz: float, begin: float, end: float) -> float:
    """How much of a tone there is between two seconds of 16 kHz sound, 0.5 for the tones above."""
    part = samples[round(begin * 16_000) : round(end * 16_000)]
    turns = np.exp(-2j * np.pi * hertz * np.arange(len(part)) / 16_000)
    return float(2 * abs(np.mean(part * turns))) if len(part) else 0.0


def both_are_heard(samples: np.ndarray, slack: float = 0.06) -> None:
    """A second of the low tone, then a second of the high one."""
    assert abs(len(samples) / 16_000 - 2.0) < 2 * slack
    assert loudness(samples, 400, 0.1, 0.9) > 0.4
    assert loudness(samples, 400, 1.1, 1.9) < 0.05
    assert loudness(samples, 1600, 1.1, 1.9) > 0.4
    assert loudness(samples, 1600, 0.1, 0.9) < 0.05


def id3(size: int) -> bytes:
    """An ID3 tag of so many bytes of padding."""
    return b"ID3\x04\x00\x00" + bytes([0, 0, size >> 7, size & 127]) + bytes(size)


def compressed(kind: str, codec: str, sound: np.ndarray, **options: str) -> bytes:
    if codec == "vorbis":
        file = io.BytesIO()
        soundfile.write(file, sound, RATE, format="OGG", subtype="VORBIS")
        return file.getvalue()
    return container(kind, [Track([(0.0, sound)], codec)], **options)


KINDS = {
    "opus": ("ogg", "libopus"),
    "vorbis": ("ogg", "vorbis"),
    "ogg-flac": ("ogg", "flac"),
    "flac": ("flac", "flac"),
    "mp3": ("mp3", "libmp3lame"),
    "adts": ("adts", "aac"),
    "webm": ("webm", "libopus"),
    "matroska": ("matroska", "flac"),
    "ts": ("mpegts", "aac"),
    "mp4": ("mp4", "aac"),
    "m4a": ("ipod", "alac"),
    "mov": ("mov", "pcm_s16le"),
    "mp2": ("mp2", "mp2"),
    "latm": ("latm", "aac"),
    "ac3": ("ac3", "ac3"),
    "aiff": ("aiff", "pcm_s16be"),
    "au": ("au", "pcm_s16be"),
    "caf": ("caf", "pcm_s16le"),
    "w64": ("w64", "pcm_s16le"),
    "flv": ("flv", "aac"),
    "tta": ("tta", "tta"),
    "wavpack": ("wv", "wavpack"),
    "adpcm": ("wav", "adpcm_ima_wav"),
    "mp3-in-wav": ("wav", "libmp3lame"),
    "rm": ("rm", "ac3"),
    "nut": ("nut", "flac"),
    "nut-pcm": ("nut", "pcm_s16le"),
}


def joined(kind: str) -> bytes:
    return b"".join(compressed(*KINDS[kind], sound) for sound in (LOW, HIGH))


@pytest.mark.parametrize("kind", KINDS)
def test_two_files_of_a_kind_one_after_the_other(tmp_path, kind):
    path = tmp_path / "joined.bin"
    path.write_bytes(joined(kind))
    source = FileSource(path)
    both_are_heard(np.concatenate(list(source)))
    assert source.notices == []


@pytest.mark.parametrize("kind", KINDS)
def test_two_files_of_a_kind_through_a_pipe(kind):
    source = StdinSource(io.BytesIO(joined(kind)))
    both_are_heard(np.concatenate(list(source)))
    assert source.notices == []


def test_flash_files(tmp_path):
    """At one of the few rates that they can have."""
    data = b"".join(
        container("swf", [Track([(0.0, tone(1.0, hertz, 44_100))], "libmp3lame", rate=44_100)])
        for hertz in (400, 1600)
    )
    path = tmp_path / "joined.swf"
    path.write_bytes(data)
    both_are_heard(np.concatenate(list(FileSource(path))))
    both_are_heard(np.concatenate(list(StdinSource(io.BytesIO(data)))))


@pytest.mark.parametrize("flags", ["+faststart", "+frag_keyframe+empty_moov+default_base_moof", "+dash"])
def test_mp4_files_with_their_index_before_the_sound_and_in_fragments(tmp_path, flags):
    path = tmp_path / "one.mp4"
    data = b""
    for sound in (LOW, HIGH):
        write(path, "mp4", [Track([(0.0, sound)], "aac")], movflags=flags)
        data += path.read_bytes()
    path.write_bytes(data)
    both_are_heard(np.concatenate(list(FileSource(path))))
    both_are_heard(np.concatenate(list(StdinSource(io.BytesIO(data)))))


@pytest.mark.parametrize("size", [1, 7, 100, 4096])
def test_a_joint_is_found_wherever_a_pipe_cuts_it(size):
    data = joined("aiff")
    pieces = iter([data[at : at + size] for at in range(0, 4096, size)] + [data[4096:]])
    both_are_heard(np.concatenate(list(StdinSource(Dribbling(pieces)))))


def test_sound_that_looks_like_a_header_within_is_no_joint(tmp_path):
    """The mark of an AIFF file inside the sound of another, which its length spans."""
    data = bytearray(compressed("aiff", "pcm_s16be", LOW))
    data[20_000:20_016] = b"FORM\x00\x00\x10\x00AIFFCOMM"
    path = tmp_path / "a.aiff"
    path.write_bytes(data)
    samples = np.concatenate(list(FileSource(path)))
    assert len(samples) == 16_000


class Dribbling(io.RawIOBase):
    """A pipe whose every read gives the next piece."""

    def __init__(self, pieces):
        self._pieces, self._rest = pieces, b""

    def read(self, most=-1):
        data = self._rest or next(self._pieces, b"")
        self._rest = data[most:]
        return data[:most]


def test_ogg_files_of_different_codecs_and_channels(tmp_path):
    path = tmp_path / "joined.ogg"
    stereo = np.stack([HIGH, HIGH])
    second = container("ogg", [Track([(0.0, stereo)], "flac", "stereo")])
    path.write_bytes(compressed("ogg", "vorbis", LOW) + second)
    both_are_heard(np.concatenate(list(FileSource(path))))


def test_mp3_files_of_different_rates(tmp_path):
    path = tmp_path / "joined.mp3"
    second = container("mp3", [Track([(0.0, tone(1.0, 1600, 22_050))], "libmp3lame", rate=22_050)])
    path.write_bytes(compressed("mp3", "libmp3lame", LOW) + second)
    both_are_heard(np.concatenate(list(FileSource(path))))


@pytest.mark.parametrize("head", [b"", id3(1000), id3(0)])
@pytest.mark.parametrize(
    "between", [b"", id3(300), id3(5000), b"TAG" + bytes(125), b"TAG" + bytes(125) + id3(64)]
)
def test_mp3_files_with_tags_before_between_and_behind(tmp_path, head, between):
    path = tmp_path / "joined.mp3"
    plain = {"id3v2_version": "0", "write_xing": "0"}
    low, high = (compressed("mp3", "libmp3lame", sound, **plain) for sound in (LOW, HIGH))
    path.write_bytes(head + low + between + high + b"TAG" + bytes(125))
    source = FileSource(path)
    both_are_heard(np.concatenate(list(source)), slack=0.1)
    assert source.notices == []


def test_adts_files_with_a_tag_between(tmp_path):
    path = tmp_path / "joined.aac"
    low, high = (compressed("adts", "aac", sound) for sound in (LOW, HIGH))
    path.write_bytes(id3(200) + low + id3(77) + high)
    both_are_heard(np.concatenate(list(FileSource(path))))


WAV_LOW, WAV_HIGH = tone(1.0, 400, 16_000), tone(1.0, 1600, 16_000)
BLOCKS = [
    (b"JUNK", bytes(35)),
    (b"bext", b"RIFF" * 151),
    (b"LIST", b"INFOINAM\x05\0\0\0data\0\0"),
    (b"iXML", b"<data>"),
]


def heard_both_ways(tmp_path, data: bytes) -> np.ndarray:
    """What a file and a pipe give, which must be the same."""
    path = tmp_path / "a.wav"
    path.write_bytes(data)
    source, piped = FileSource(path), StdinSource(io.BytesIO(data))
    samples = np.concatenate(list(source))
    np.testing.assert_array_equal(samples, np.concatenate(list(piped)))
    assert source.duration_samples == len(samples)
    assert source.notices == piped.notices == []
    return samples


@pytest.mark.parametrize("form", [b"RIFF", b"RF64", b"BW64"])
@pytest.mark.parametrize("pad", [True, False])
def test_wav_files_with_blocks_before_and_behind_the_sound(tmp_path, form, pad):
    make = {"form": form, "before": BLOCKS, "after": BLOCKS, "pad": pad}
    both_are_heard(heard_both_ways(tmp_path, wav(WAV_LOW, **make) + wav(WAV_HIGH, **make)))


@pytest.mark.parametrize("size", [1 << 20, (1 << 20) + 1, 5_000_001])
def test_a_large_block_before_the_sound(tmp_path, size):
    data = wav(WAV_LOW, before=[(b"JUNK", b"\x55" * size)]) + wav(WAV_HIGH)
    both_are_heard(heard_both_ways(tmp_path, data))


def test_wav_files_of_different_rates_and_channels(tmp_path):
    high = tone(1.0, 1600, RATE)
    both_are_heard(heard_both_ways(tmp_path, wav(WAV_LOW) + wav(np.stack([high, high], 1), RATE)))


def test_several_sound_blocks_in_one_wav_file(tmp_path):
    high = (np.rint(WAV_HIGH * 32767)).astype("<i2").tobytes()
    both_are_heard(heard_both_ways(tmp_path, wav(WAV_LOW, after=[(b"LIST", bytes(7)), (b"data", high)])))


@pytest.mark.parametrize("unknown", [b"\xff\xff\xff\xff", bytes(4)])
def test_wav_files_without_a_length_as_pipes_give_them(tmp_path, unknown):
    data = b"".join(bytes(made[:40]) + unknown + made[44:] for made in (wav(WAV_LOW), wav(WAV_HIGH)))
    path = tmp_path / "a.wav"
    path.write_bytes(data)
    both_are_heard(np.concatenate(list(FileSource(path))))
    both_are_heard(np.concatenate(list(StdinSource(io.BytesIO(data)))))
