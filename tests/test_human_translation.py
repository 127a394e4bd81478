"""The recordings and segments of benchmarks/human_translation.py, and what its page says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from benchmarks.human_translation import (
    DIRECT_GRID,
    PAUSE,
    chosen,
    example_talks,
    join,
    parted,
    prompt_talks,
    reduced,
    segments_of,
)
from benchmarks.human_translation_page import LATENCY, markdown, report_of
from simul.evaluation.sweep.grid import parse_grid
from simul.evaluation.sweep.result import Point, SweepResult
from simul.units import SAMPLE_RATE

EXAMPLES = Path(__file__).parents[1] / "examples" / "sentences.tsv"


def prompt(name: str, seconds: float = 3.0, **texts: str) -> list[dict[str, str]]:
    said = {"en": f"{name}.", "es": f"{name} es", "fr": f"{name} fr", **texts}
    return [
        {
            "id": name,
            "file": f"{language}/{name}.wav",
            "lang": language,
            "seconds": str(seconds),
            "text": text,
        }
        for language, text in said.items()
    ]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    rows = [row for number in range(24) for row in prompt(f"p{number:02}")]
    lines = ["id\tfile\tlang\tseconds\ttext", *("\t".join(row.values()) for row in rows)]
    (tmp_path / "clips.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    for number, row in enumerate(rows):
        place = tmp_path / row["file"]
        place.parent.mkdir(exist_ok=True)
        soundfile.write(place, np.full(SAMPLE_RATE // 10 + number, 0.5, np.float32), SAMPLE_RATE)
    return tmp_path


def test_prompts_are_every_nth_of_those_that_fit_in_all_languages() -> None:
    rows = [row for number in range(9) for row in prompt(f"p{number}")]
    left_out = [*prompt("p00", 2.4), *prompt("p01", 21), *prompt("p02", fr="p02."), *prompt("p03")[:2]]
    found = [found["es"]["id"] for found in chosen([*left_out, *reversed(rows)], 3)]
    assert found == ["p0", "p3", "p6"]
    assert len(chosen(rows, 100)) == 9


def test_segments_of_joined_recordings_are_where_their_sounds_are() -> None:
    sounds = [np.full(length, level, np.float32) for length, level in ((1000, 0.1), (500, 0.2), (2000, 0.3))]
    whole, places = join(sounds)
    assert len(whole) == 3500 + 3 * PAUSE
    for sound, (begin, end) in zip(sounds, places, strict=True):
        assert (whole[begin:end] == sound).all()
    assert not whole[places[0][1] : places[1][0]].any()


def test_recordings_of_ten_prompts_carry_the_texts_of_the_other_language(data: Path, tmp_path: Path) -> None:
    talks = prompt_talks(data, "es", "en", 2, tmp_path)
    segments = segments_of(talks)
    assert [len(talk.sentences) for talk in talks] == [10, 10]
    assert [segment.reference for segment in segments] == [f"p{number:02}." for number in range(20)]
    assert [(s.document, s.number) for s in segments[9:11]] == [(0, 9), (1, 0)]
    first = soundfile.info(str(talks[0].audio))
    assert first.samplerate == SAMPLE_RATE
    assert segments[0].offset == 0
    assert segments[9].recording == str(talks[0].audio)
    assert segments[9].offset + segments[9].duration + 1000 * PAUSE / SAMPLE_RATE == pytest.approx(
        1000 * first.duration
    )


def test_sentences_are_parted_by_the_longest_silences() -> None:
    loud, short, long = np.ones(16_000, np.float32), np.zeros(1600, np.float32), np.zeros(8000, np.float32)
    sound = np.concatenate([long, loud, short, loud, long, loud, long])
    assert parted(sound, 2) == [(8000, 41_600), (49_600, 65_600)]
    assert parted(sound, 3) == [(8000, 24_000), (25_600, 41_600), (49_600, 65_600)]
    with pytest.raises(ValueError, match="3 silences between them; 2 are there"):
        parted(sound, 4)


def test_the_example_talks_have_a_segment_for_each_sentence() -> None:
    talks = example_talks(EXAMPLES, "de")
    assert [len(talk.sentences) for talk in talks] == [11, 11, 11]
    assert talks[0].sentences[2].reference == "Der Zug fährt um halb neun ab."
    for talk in talks:
        lengths = [(sentence.end - sentence.begin) / SAMPLE_RATE for sentence in talk.sentences]
        assert min(lengths) > 1
        assert max(lengths) < 4


def test_a_curve_keeps_its_ends_and_its_middle_at_one_chunk() -> None:
    grid = parse_grid("hold-n:n=0,2,4,6,9;hold-n:n=4,6,chunk=250;offline;local-agreement:n=2,3")
    found = [str(setting) for setting in reduced(grid, 500)]
    assert found == [
        "hold-n n=0",
        "hold-n n=4",
        "hold-n n=9",
        "offline",
        "local-agreement n=2",
        "local-agreement n=3",
    ]


@pytest.mark.parametrize(
    ("quality", "lag", "said"),
    [
        (46.0, 1990, "| 92.0 | 1.99 | 2.99 | 3.00 | yes |"),
        (45.9, 1990, "| 91.8 | 1.99 | 2.99 | 3.00 | no: too little quality |"),
        (47.0, 2010, "| 94.0 | 2.01 | 3.01 | 3.00 | no: too late |"),
    ],
)
def test_the_page_says_whether_the_default_holds(quality: float, lag: float, said: str) -> None:
    scores: dict[str, Any] = {
        "local-agreement": (quality, lag),
        "offline": (50.0, 3000.0),
        "hold-n": (40.0, 900.0),
    }
    points = [
        Point(
            setting,
            {
                "chrF": scores[setting.policy][0],
                "BLEU": 20.0,
                **{
                    f"{name} ({clock})": scores[setting.policy][1] + 1000 * (clock == "CA")
                    for name in ("LongYAAL", "LongLAAL")
                    for clock in ("CU", "CA")
                },
            },
            {"recordings": 2, "audio_seconds": 90.0, "erased": 0},
        )
        for setting in parse_grid("offline;local-agreement:n=2,3;hold-n:n=4")
    ]
    result = SweepResult(points, "chrF", LATENCY, False)
    report = {
        "machine": {},
        "command": ["en-de"],
        "chunk_ms": 500,
        "directions": {"A into B": report_of(result, "prompts", "cascade")},
    }
    page = markdown(report)
    assert said in page
    assert "| best within 1 s | `hold-n n=4` | 40.0 | 20.0 | 80.0 | 0.90 | 1.90 | 0 |" in page


def test_the_grid_of_whispers_own_translation_has_the_default_and_offline() -> None:
    names = {setting.policy for setting in parse_grid(DIRECT_GRID)}
    assert {"offline", "local-agreement"} <= names
