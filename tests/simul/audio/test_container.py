"""Tracks, times and losses in containers: what is heard, where it stands, and what is said of it."""

import io

import av
import numpy as np
import pytest
import soundfile

from simul.audio import FileSource, Listening, StdinSource
from simul.errors import AudioError, UsageError
from tests.simul.audio.mov_boxes import with_edits, with_sample_lengths
from tests.simul.audio.recordings import Track, container, tone, wav, write
from tests.simul.audio.test_joined import loudness

SOUND = tone(1.0, 400)
CONTAINERS = [
    ("mp4", "aac"),
    ("mov", "aac"),
    ("matroska", "libopus"),
    ("matroska", "flac"),
    ("webm", "libopus"),
    ("mpegts", "aac"),
    ("mpegts", "libmp3lame"),
]


def opened(tmp_path, data: bytes, **listening: str) -> FileSource:
    path = tmp_path / "recording.bin"
    path.write_bytes(data)
    return FileSource(path, 100, listening=Listening(**listening))


def heard(tmp_path, data: bytes, **listening: str) -> np.ndarray:
    return np.concatenate(list(opened(tmp_path, data, **listening)))


@pytest.mark.parametrize(("kind", "codec"), CONTAINERS)
@pytest.mark.parametrize("late", [0.0, 0.5, 3.0])
def test_sound_that_starts_later_than_the_picture(tmp_path, kind, codec, late):
    samples = heard(tmp_path, container(kind, [Track([(late, SOUND)], codec)], (0, 5)))
    begin = np.flatnonzero(np.abs(samples) > 0.1)[0] / 16_000
    # A picture with frames that look ahead starts a frame or two before time in a transport stream.
    assert abs(begin - late) < (0.3 if kind == "mpegts" else 0.06)
    assert loudness(samples, 400, begin + 0.1, begin + 0.9) > 0.4
    assert abs(len(samples) / 16_000 - begin - 1.0) < 0.1


@pytest.mark.parametrize(("kind", "codec"), [pair for pair in CONTAINERS if pair[0] != "mpegts"])
def test_sound_alone_that_starts_late(tmp_path, kind, codec):
    samples = heard(tmp_path, container(kind, [Track([(2.0, SOUND)], codec)]))
    assert abs(np.flatnonzero(np.abs(samples) > 0.1)[0] / 16_000 - 2.0) < 0.06


@pytest.mark.parametrize(("kind", "codec"), CONTAINERS)
def test_a_gap_is_silence(tmp_path, kind, codec):
    data = container(kind, [Track([(0.0, SOUND), (4.0, tone(1.0, 1600))], codec)], (0, 6))
    for samples in (heard(tmp_path, data), *([] if kind in ("mp4", "mov") else [piped(data)])):
        assert loudness(samples, 400, 0.2, 0.8) > 0.4
        assert np.abs(samples[round(1.5 * 16_000) : round(3.8 * 16_000)]).max() < 0.01
        assert loudness(samples, 1600, 4.3, 4.9) > 0.4


MOV_SOUND = [
    ("mov", "pcm_s16le"),
    ("mov", "pcm_alaw"),
    ("mp4", "pcm_s16le"),
    ("mov", "adpcm_ima_qt"),
    ("mp4", "aac"),
]


@pytest.mark.parametrize(("kind", "codec"), MOV_SOUND)
def test_a_gap_that_an_edit_list_makes_is_silence(tmp_path, kind, codec):
    data = container(kind, [Track([(0.0, np.concatenate([SOUND, tone(1.0, 1600)]))], codec)])
    samples = heard(tmp_path, with_edits(data, [(1000, 0), (2000, -1), (1000, 48_000)]))
    a_second_then_silence_then_a_second(samples)


@pytest.mark.parametrize(("kind", "codec"), MOV_SOUND[:3])
def test_a_gap_within_pcm_of_samples_that_last_unequally_is_silence(tmp_path, kind, codec):
    data = container(kind, [Track([(0.0, np.concatenate([SOUND, tone(1.0, 1600)]))], codec)])
    data = with_sample_lengths(data, [(47_999, 1), (1, 96_001), (48_000, 1)])
    a_second_then_silence_then_a_second(heard(tmp_path, data))


def a_second_then_silence_then_a_second(samples: np.ndarray) -> None:
    assert abs(len(samples) / 16_000 - 4.0) < 0.05
    assert loudness(samples, 400, 0.1, 0.9) > 0.4
    assert np.abs(samples[round(1.1 * 16_000) : round(2.9 * 16_000)]).max() < 0.01
    assert loudness(samples, 1600, 3.1, 3.9) > 0.4


def piped(data: bytes) -> np.ndarray:
    return np.concatenate(list(StdinSource(io.BytesIO(data), 100)))


def test_picture_frames_out_of_order_do_not_shift_the_sound(tmp_path):
    samples = heard(tmp_path, container("mp4", [Track([(0.0, SOUND)], "aac")], (0, 2)))
    assert np.flatnonzero(np.abs(samples) > 0.1)[0] < 0.03 * 16_000
    assert abs(len(samples) / 16_000 - 1.0) < 0.1


def test_a_piece_of_a_broadcast_counts_from_its_own_start(tmp_path):
    samples = heard(tmp_path, container("matroska", [Track([(5000.0, SOUND)], "flac")]))
    assert abs(len(samples) / 16_000 - 1.0) < 0.1


def test_time_stamps_that_leap_a_day_leave_no_gap_and_are_told(tmp_path):
    day = 86_400.0
    source = opened(tmp_path, container("matroska", [Track([(0, SOUND), (day, SOUND)], "flac")]))
    assert abs(sum(map(len, source)) / 16_000 - 2.0) < 0.1
    assert any("leap by more than an hour" in notice for notice in source.notices)


def two_tracks(default: int | None, languages: tuple[str | None, str | None]) -> bytes:
    sounds = (tone(1.0, 400), tone(1.0, 1600))
    return container(
        "matroska",
        [
            Track([(0.0, sound)], "flac", language=language, default=number == default)
            for number, (sound, language) in enumerate(zip(sounds, languages, strict=True))
        ],
    )


@pytest.mark.parametrize(
    ("default", "languages", "listening", "number"),
    [
        (None, (None, None), {}, 1),
        (1, (None, None), {}, 2),
        (1, ("deu", "eng"), {"language": "en"}, 2),
        (0, ("deu", "eng"), {"language": "en"}, 2),
        (None, ("ger", "eng"), {"language": "en"}, 2),
        (1, ("fra", "deu"), {"language": "en"}, 2),
        (1, ("eng", "eng"), {"language": "en"}, 2),
        (1, ("eng", "deu"), {"language": "en", "track": "de"}, 2),
        (1, ("eng", "deu"), {"language": "de", "track": "1"}, 1),
        (0, ("eng", "fre"), {"track": "fra"}, 2),
    ],
)
def test_the_right_track_is_heard_and_named(tmp_path, default, languages, listening, number):
    source = opened(tmp_path, two_tracks(default, languages), **listening)
    samples = np.concatenate(list(source))
    assert loudness(samples, (400, 1600)[number - 1], 0.1, 0.9) > 0.4
    assert f"2 audio tracks; track {number}" in source.notices[0]
    assert "--track" in source.notices[0]


def test_a_track_that_is_not_there(tmp_path):
    data = two_tracks(0, ("eng", "deu"))
    for track in ("3", "0", "fr", "x"):
        with pytest.raises(
            UsageError, match=r"no audio track .*track 1 \(English, default\); track 2 \(German\)"
        ):
            opened(tmp_path, data, track=track)


@pytest.mark.parametrize("track", ["2", "de", "0"])
def test_wav_and_raw_sound_have_one_track(tmp_path, track):
    data = wav(tone(0.5, 400, 16_000))
    listening = Listening(track=track)
    path = tmp_path / "a.wav"
    path.write_bytes(data)
    for make in (
        lambda: FileSource(path, listening=listening),
        lambda: StdinSource(io.BytesIO(data), listening=listening),
        lambda: StdinSource(io.BytesIO(data), raw=True, listening=listening),
    ):
        with pytest.raises(UsageError, match=f"has one audio track, and no '{track}'; leave --track away"):
            make()
    assert sum(map(len, FileSource(path, listening=Listening(track="1")))) == 8000


def test_a_single_track_is_not_worth_a_word(tmp_path):
    source = opened(
        tmp_path, container("matroska", [Track([(0.0, SOUND)], "flac", language="deu")]), language="en"
    )
    list(source)
    assert source.notices == []


def surround(layout: str, speech: str, level: float = 0.5) -> np.ndarray:
    names = [channel.name for channel in av.AudioLayout(layout).channels]
    channels = np.zeros((len(names), 48_000), np.float32)
    channels[names.index(speech)] = tone(1.0, 400, loudness=level)
    if "LFE" in names:
        channels[names.index("LFE")] = tone(1.0, 60)
    return channels


@pytest.mark.parametrize(
    ("layout", "codec"),
    [(layout, codec) for layout in ("5.1", "7.1", "quad", "5.0") for codec in ("flac", "pcm_s16le", "aac")]
    + [("3.0", "flac"), ("5.1(side)", "flac"), ("5.1(side)", "ac3")],
)
def test_surround_is_mixed_down_with_the_centre_first_and_without_the_bass(tmp_path, layout, codec):
    names = [channel.name for channel in av.AudioLayout(layout).channels]
    weights = {"FC": 1.0, "FL": 0.7, "FR": 0.7, "LFE": 0.0}
    total = sum(weights.get(name, 0.5) for name in names)
    for name in names:
        if name == "LFE":
            continue
        data = container("matroska", [Track([(0.0, surround(layout, name))], codec, layout)])
        samples = heard(tmp_path, data)
        assert loudness(samples, 400, 0.1, 0.9) == pytest.approx(
            0.5 * weights.get(name, 0.5) / total, abs=0.02
        )
        assert loudness(samples, 60, 0.1, 0.9) < 0.02


def test_surround_in_a_wav_file_with_and_without_its_channels_named(tmp_path):
    frames = surround("5.1", "FC").T
    soundfile.write(tmp_path / "named.wav", frames, 48_000, format="WAVEX")
    (tmp_path / "plain.wav").write_bytes(wav(frames, 48_000))
    for name in ("named.wav", "plain.wav"):
        samples = np.concatenate(list(FileSource(tmp_path / name)))
        assert loudness(samples, 400, 0.1, 0.9) == pytest.approx(0.5 / 3.4, abs=0.01)
        assert loudness(samples, 60, 0.1, 0.9) < 0.01


def test_six_microphones_in_flac_are_all_heard(tmp_path):
    for place in range(6):
        channels = np.zeros((6, 48_000), np.float32)
        channels[place] = tone(1.0, 400)
        channels[3] += tone(1.0, 900)
        samples = heard(tmp_path, container("matroska", [Track([(0.0, channels)], "flac", "5.1")]))
        assert loudness(samples, 400, 0.4, 0.9) == pytest.approx(0.5 / 6, abs=0.01)


def test_a_mask_with_channels_above_the_head(tmp_path):
    with av.open(str(tmp_path / "a.wav"), "w") as file:
        stream = file.add_stream("pcm_s16le", rate=48_000, layout="5.1.4")
        frames = np.zeros((48_000, 10), np.int16)
        frames[:, 2] = 16_384 * tone(1.0, 400, loudness=1.0)
        frames[:, 3] = 16_384 * tone(1.0, 900, loudness=1.0)
        frame = av.AudioFrame.from_ndarray(frames.reshape(1, -1), format="s16", layout="5.1.4")
        frame.rate = 48_000
        for packet in (*stream.encode(frame), *stream.encode(None)):
            file.mux(packet)
    samples = np.concatenate(list(FileSource(tmp_path / "a.wav")))
    assert loudness(samples, 400, 0.1, 0.9) == pytest.approx(0.5 / 5.4, abs=0.01)
    assert loudness(samples, 900, 0.1, 0.9) < 0.01


@pytest.mark.parametrize("layout", ["stereo", "5.1"])
@pytest.mark.parametrize(
    ("channel", "hertz"), [("1", 400), ("left", 400), ("2", 1600), ("right", 1600), ("FR", 1600)]
)
def test_one_channel_alone(tmp_path, layout, channel, hertz):
    channels = np.zeros((len(av.AudioLayout(layout).channels), 48_000), np.float32)
    channels[0], channels[1] = tone(1.0, 400), tone(1.0, 1600)
    samples = heard(
        tmp_path, container("matroska", [Track([(0.0, channels)], "flac", layout)]), channel=channel
    )
    assert loudness(samples, hertz, 0.1, 0.9) == pytest.approx(0.5, abs=0.01)
    assert loudness(samples, 2000 - hertz, 0.1, 0.9) < 0.01


@pytest.mark.parametrize("channel", ["0", "3", "centre", "BL", "x", "-1"])
def test_a_channel_that_is_not_there(tmp_path, channel):
    (tmp_path / "a.wav").write_bytes(wav(np.zeros((100, 2))))
    source = FileSource(tmp_path / "a.wav", listening=Listening(channel=channel))
    with pytest.raises(UsageError, match=r"a\.wav has 2 channels, .* give one of 1 \(FL\), 2 \(FR\)"):
        list(source)


def cut(data: bytes, share: float) -> bytes:
    return data[: round(len(data) * share)]


@pytest.mark.parametrize(
    ("kind", "codec", "options"),
    [
        ("matroska", "libopus", {}),
        ("matroska", "flac", {}),
        ("webm", "libopus", {}),
        ("mp4", "aac", {"movflags": "faststart"}),
        ("flac", "flac", {}),
        ("ogg", "libopus", {}),
        ("ogg", "flac", {}),
        ("wav", "pcm_s16le", {}),
        ("aiff", "pcm_s16be", {}),
        ("mp3", "libmp3lame", {}),
        ("caf", "pcm_s16le", {}),
        ("w64", "pcm_s16le", {}),
        ("avi", "pcm_s16le", {}),
        ("flv", "aac", {}),
        ("mpegts", "aac", {}),
    ],
)
@pytest.mark.parametrize("share", [0.5, 0.83])
def test_what_was_cut_short_is_told_and_what_is_there_is_heard(tmp_path, kind, codec, options, share):
    # As seekable files some of these hold their length; noise keeps the rate of bytes steady.
    path = tmp_path / f"whole.{kind}"
    sound = (0.4 * np.random.default_rng(1).uniform(-1, 1, 4 * 48_000)).astype(np.float32)
    if options:
        write(path, kind, [Track([(0.0, sound)], codec)], **options)
    else:
        path.write_bytes(container(kind, [Track([(0.0, sound)], codec)]))
    whole = FileSource(path)
    assert abs(sum(map(len, whole)) / 16_000 - 4.0) < 0.1
    assert whole.notices == []
    source = opened(tmp_path, cut(path.read_bytes(), share))
    length = sum(map(len, source)) / 16_000
    # Ogg is cut into pages of a second, and the index of an MP4 file stands before its sound.
    assert 0.4 * share * 4.0 < length < share * 4.0 + 0.3
    assert any("cut short" in notice for notice in source.notices), source.notices
    piped = StdinSource(io.BytesIO(cut(path.read_bytes(), share)))
    assert abs(sum(map(len, piped)) / 16_000 - length) < 0.1
    assert any("cut short" in notice for notice in piped.notices), piped.notices


@pytest.mark.parametrize(("kind", "codec"), [("mp4", "aac"), ("mov", "pcm_s16le"), ("wv", "wavpack")])
def test_a_pipe_gives_what_stands_before_its_index(kind, codec):
    source = StdinSource(io.BytesIO(container(kind, [Track([(0.0, tone(40.0, 400))], codec)])))
    assert abs(sum(map(len, source)) / 16_000 - 40.0) < 0.1
    assert source.notices == []


def test_an_mp4_stream_without_its_index_says_so():
    data = container("mp4", [Track([(0.0, tone(4.0, 400))], "aac")])
    with pytest.raises(AudioError, match="the index of this MP4 file is missing: it was cut short"):
        StdinSource(io.BytesIO(cut(data, 0.7)))


@pytest.mark.parametrize("name", ["talk.mp3", "talk.wav", "talk.ogg", "talk.txt", "talk"])
@pytest.mark.parametrize(
    ("kind", "codec"), [("flac", "flac"), ("mp4", "aac"), ("mp3", "libmp3lame"), ("adts", "aac")]
)
def test_the_content_counts_and_not_the_name(tmp_path, name, kind, codec):
    path = tmp_path / name
    path.write_bytes(container(kind, [Track([(0.0, SOUND)], codec)]))
    assert loudness(np.concatenate(list(FileSource(path))), 400, 0.1, 0.9) > 0.4


def test_a_picture_without_sound(tmp_path):
    path = tmp_path / "mute.mp4"
    path.write_bytes(container("mp4", [], (0, 1)))
    with pytest.raises(Exception, match="no audio track; choose a file with sound"):
        FileSource(path)


def test_an_mp4_file_without_its_end_says_so(tmp_path):
    data = container("mp4", [Track([(0.0, SOUND)], "aac")])
    (tmp_path / "talk.mp4").write_bytes(data[: len(data) // 2])
    with pytest.raises(AudioError, match="the index of this MP4 file is missing: it was cut short"):
        FileSource(tmp_path / "talk.mp4")


@pytest.mark.parametrize("share", [0.02, 0.1, 0.37, 0.71, 0.97])
@pytest.mark.parametrize(
    ("kind", "codec"),
    [*CONTAINERS, ("ogg", "libopus"), ("flac", "flac"), ("mp3", "libmp3lame"), ("adts", "aac")],
)
def test_wherever_a_file_ends_there_is_sound_or_one_sentence(tmp_path, kind, codec, share):
    data = container(kind, [Track([(0.0, SOUND)], codec)])
    path = tmp_path / "cut.bin"
    path.write_bytes(data[: round(share * len(data))])
    try:
        told = "" if sum(map(len, FileSource(path))) else f"nothing came of {path}"
    except AudioError as error:
        told = str(error).replace(str(path), "", 1)
        assert len(told) < len(str(error))  # noqa: PT017
    assert "nothing came" not in told
    assert "\n" not in told


def test_damaged_time_stamps_do_not_become_hours_of_silence(tmp_path):
    pieces = [(3000.0 * number, tone(0.1)) for number in range(20)]
    source = opened(tmp_path, container("matroska", [Track(pieces, "flac")]))
    assert sum(map(len, source)) / 16_000 < 3700
    assert any("or are damaged" in notice for notice in source.notices)
