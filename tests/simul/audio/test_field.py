"""Inputs that people reported elsewhere, as files and through pipes: where their sound is, and what is said of them."""

import gzip
import io
import re
from pathlib import Path

import numpy as np
import pytest

from simul.audio import FileSource, Listening, StdinSource
from simul.errors import AudioError
from tests.vectors import beside

TALKS = [(0.2, 5.4), (5.8, 10.9)]
"""Seconds at which the first and the second talk are heard, one after the other."""


def stretches(samples: np.ndarray) -> list[tuple[float, float]]:
    """Seconds between which there is sound, with pauses of less than a second within."""
    frames = np.abs(samples[: len(samples) // 800 * 800].reshape(-1, 800)).max(axis=1) > 0.02
    found: list[list[float]] = []
    for place in np.flatnonzero(frames) * 0.05:
        if found and place - found[-1][1] < 1.0:
            found[-1][1] = float(place)
        else:
            found.append([float(place), float(place)])
    return [(a, b) for a, b in found]


def heard(path: Path) -> tuple[np.ndarray, list[str]]:
    source = FileSource(path, listening=Listening(language="en"))
    return np.concatenate(list(source)), source.notices


@pytest.mark.parametrize(
    ("name", "begin", "end"),
    [
        ("chained.opus", 0.2, 10.9),
        ("chained.mp3", 0.2, 10.9),
        ("late-audio.webm", 6.2, 16.9),
        ("late-audio.mp4", 6.2, 16.9),
        ("antiphase.flac", 0.2, 10.9),
        ("surround-dialogue.mkv", 0.0, 11.0),
        ("extensible-24bit.wav", 0.2, 5.4),
        ("unknown-length.flac", 0.2, 10.9),
        ("live-without-length.webm", 0.2, 10.9),
        ("mulaw-8k.wav", 0.2, 10.9),
        ("gsm.wav", 0.2, 10.9),
        ("one-word.wav", 0.0, 0.4),
        ("no-pause-39s.opus", 0.2, 39.0),
        ("two-tracks.mkv", 0.2, 10.9),
    ],
)
def test_a_recording_is_heard_from_its_first_word_to_its_last(name, begin, end):
    samples, notices = heard(beside("cases", name))
    found = stretches(samples)
    assert found[0][0] == pytest.approx(begin, abs=0.25)
    assert found[-1][1] == pytest.approx(end, abs=0.35)
    told = {
        "antiphase.flac": "opposite polarity",
        "two-tracks.mkv": r"track 2 \(English, default\) is heard",
        "surround-dialogue.mkv": "--channel centre hears the channel of the dialogue alone",
    }
    assert [re.search(told.get(name, "nothing is to be told"), notice) is not None for notice in notices] == (
        [True] if name in told else []
    )


def test_a_jump_of_the_time_stamps_is_a_pause():
    samples, notices = heard(beside("cases", "time-gap.ts"))
    first, second = stretches(samples)
    assert second[0] - first[0] == pytest.approx(14.0 - 0.1, abs=0.3)
    assert notices == []


def test_channels_of_opposite_polarity_sound_as_one_of_them():
    mixed, _ = heard(beside("cases", "antiphase.flac"))
    left = np.concatenate(
        list(FileSource(beside("cases", "antiphase.flac"), listening=Listening(channel="1")))
    )
    assert np.mean((mixed - left) ** 2) < 0.01 * np.mean(left**2)


def test_a_large_block_before_the_sound_is_passed_over_in_a_pipe():
    data = gzip.decompress(beside("cases", "big-block.wav.gz").read_bytes())
    ((begin, end),) = stretches(np.concatenate(list(StdinSource(io.BytesIO(data)))))
    assert (begin, end) == (pytest.approx(0.2, abs=0.25), pytest.approx(5.4, abs=0.35))


@pytest.mark.parametrize(
    "name",
    ["chained.opus", "chained.mp3", "time-gap.ts", "late-audio.webm", "unknown-length.flac", "gsm.wav"],
)
def test_a_pipe_gives_what_the_file_gives(name):
    path = beside("cases", name)
    samples, _ = heard(path)
    with open(path, "rb") as stream:
        piped = np.concatenate(list(StdinSource(stream)))
    assert stretches(piped)[0][0] == pytest.approx(stretches(samples)[0][0], abs=0.1)
    assert stretches(piped)[-1][1] == pytest.approx(stretches(samples)[-1][1], abs=0.2)


def test_a_header_alone_is_one_clear_error():
    with pytest.raises(
        AudioError, match=r"header-only\.webm is not audio that can be read, or its header is damaged"
    ):
        FileSource(beside("cases", "header-only.webm"))
