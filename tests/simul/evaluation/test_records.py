"""Records: text with times per unit from events, the lag of words, and folders of logs."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from latency_metrics.formats.simuleval import read_instances
from latency_metrics.laal import LAAL
from latency_metrics.long_yaal import LongYAAL
from simul.evaluation.records import LogFolder, StreamRecord
from simul.session.drive import Step
from simul.session.events import End, Event, Retract, SegmentEnd, Settled

MS = 16


def settled(text: str, heard_ms: int = 0, seconds: float = 0.0, ends: tuple[int, ...] = ()) -> Settled:
    """A settled event; `ends`: where in the source each of its tokens ends, in ms."""
    spans = tuple((0, end * MS) for end in ends) or None
    return Settled(segment=0, text=text, tokens=(text,), heard=heard_ms * MS, time=seconds, spans=spans)


def segment_end(source: str | None = None) -> SegmentEnd:
    return SegmentEnd(segment=0, start=0, end=0, text="", kind="pause", heard=0, time=0.0, source=source)


def retract(characters: int) -> Retract:
    return Retract(segment=0, characters=characters, tokens=1, heard=0, time=0.0)


def end(heard_ms: int, bad: int = 0) -> End:
    return End(heard=heard_ms * MS, skipped=0, segments=1, tokens=1, passes=1, bad_samples=bad, time=0.0)


def record_of(*events: Event, language: str = "de") -> StreamRecord:
    record = StreamRecord(language)
    for event in events:
        record.event(event)
    return record


def test_a_segment_begins_with_a_space_and_goes_on_without_one():
    """Only what comes first after a border is set off; a word settled in two parts stays one word."""
    record = record_of(
        settled("Guten"), segment_end(), settled("Tag"), settled("es"), settled(" ist"),
        segment_end(), segment_end(), settled(" spät"), settled("er"), segment_end(), settled("los"),
    )  # fmt: skip
    assert record.text == "Guten Tages ist später los"


def test_languages_without_spaces_get_none():
    events = (settled("今天"), segment_end(), settled("好"))
    assert record_of(*events, language="zh").text == "今天好"


def test_nothing_is_set_off_from_nothing():
    record = record_of(segment_end(), settled(""), settled("Tag", 500))
    assert [(unit, heard) for unit, heard, _ in record.units()] == [("Tag", 500 * MS)]
    assert record_of(segment_end(), settled("今", 500), language="zh").text == "今"


@given(st.lists(st.lists(st.sampled_from(["ab", "c", " d", " ef "]), max_size=4), max_size=5))
def test_segments_joined_are_their_texts_with_a_space_between(segments: list[list[str]]):
    record = StreamRecord("de")
    for texts in segments:
        for text in texts:
            record.event(settled(text))
        record.event(segment_end())
    assert record.text.split() == " ".join("".join(texts) for texts in segments).split()
    assert record.segments == len(segments)


def test_a_unit_counts_from_the_moment_its_last_character_settled():
    record = record_of(
        settled("Guten", 500, 0.6), settled(" Ta", 1000, 1.2), settled("g nun", 1500, 1.7), end(2000)
    )
    assert record.units() == [("Guten", 500 * MS, 0.6), ("Tag", 1500 * MS, 1.7), ("nun", 1500 * MS, 1.7)]
    assert record.delays() == [500, 1500, 1500]
    assert record.elapsed() == pytest.approx([600, 1700, 1700])
    instance = record.instance("x", "Guten Tag nun")
    assert (instance.index, instance.prediction, instance.reference) == (
        "x",
        "Guten Tag nun",
        "Guten Tag nun",
    )
    assert (instance.delays, instance.source_length) == ([500, 1500, 1500], 2000)
    assert instance.elapsed == instance.queued == record.elapsed()


def test_characters_are_the_units_where_no_spaces_are_written():
    record = record_of(settled(" 今天", 500), settled("好 ", 900), language="ja")
    assert [(unit, heard // MS) for unit, heard, _ in record.units()] == [
        ("今", 500),
        ("天", 500),
        ("好", 900),
    ]
    assert record.text == "今天好"


def test_what_is_taken_back_is_gone_with_its_times():
    record = record_of(settled("Guten Tag", 500), retract(3), settled("Abend", 900))
    assert [(unit, heard // MS) for unit, heard, _ in record.units()] == [("Guten", 500), ("Abend", 900)]


def test_the_lag_of_words_counts_from_the_last_end_of_the_source_they_rest_on():
    record = record_of(
        settled("a", seconds=2.0, ends=(500, 1500)),
        settled("b", seconds=3.0),
        settled("c", seconds=3.5, ends=(3000,)),
    )
    assert record.word_lags == [0.5, 0.5]
    assert record_of(settled("a", seconds=1.0, ends=(2000,))).word_lags == [-1.0]


def test_the_source_is_what_was_understood_segment_by_segment():
    assert (
        record_of(segment_end(" one two "), segment_end(None), segment_end("three")).source_text
        == "one two three"
    )


def test_steps_add_up_to_computing_and_to_how_far_it_was_behind():
    record, piece = StreamRecord("de"), np.zeros(8000, np.float32)
    record.step(Step(piece, [settled("a", 500)], 8000, 0.5, 0.7))
    record.step(Step(piece, [], 16000, 1.0, 1.1))
    record.step(Step(None, [end(1000, bad=3)], 16000, 1.1, 1.6))
    assert record.compute == pytest.approx(0.2 + 0.1 + 0.5)
    assert record.behind == pytest.approx([0.2, 0.1])
    assert (record.heard, record.end.bad_samples) == (16000, 3)  # type: ignore[union-attr]
    assert StreamRecord("de").heard == 0


def test_streams_of_one_name_get_logs_of_their_own(tmp_path: Path):
    with LogFolder(tmp_path / "log") as folder:
        for text in ("first", "second", "third"):
            with folder.events("talks/a b") as file:
                file.write(text + "\n")
    names = ("talks_a_b", "talks_a_b-2", "talks_a_b-3")
    found = [(tmp_path / "log" / "events" / f"{name}.jsonl").read_text(encoding="utf-8") for name in names]
    assert found == ["first\n", "second\n", "third\n"]


def test_instances_are_what_simuleval_reads(tmp_path: Path):
    record = record_of(settled("Guten", 500, 0.6), settled(" Tag", 1000, 1.2), end(2000))
    with LogFolder(tmp_path) as folder:
        folder.instance(record.instance(0, "Guten Tag"), "a.wav")
        folder.instance(record.instance(1), "b.wav")
    first, second = read_instances(tmp_path / "instances.log")
    assert (first.prediction, first.reference, first.source_length) == ("Guten Tag", "Guten Tag", 2000)
    assert (list(first.delays), list(first.elapsed)) == ([500, 1000], pytest.approx([600, 1200]))
    assert second.index == 1
    lines = (tmp_path / "instances.log").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["source"] for line in lines] == ["a.wav", "b.wav"]


def test_a_segment_is_scored_from_its_own_beginning():
    """Half a second behind in each of two segments stays half a second, however long the pause between them."""

    def closed(number: int, start_ms: int, end_ms: int) -> SegmentEnd:
        return SegmentEnd(number, start_ms * MS, end_ms * MS, "", "pause", end_ms * MS, end_ms / 1000)

    record = record_of(
        settled("eins", 500, 0.6), settled(" zwei", 1500, 1.6), closed(0, 0, 2000),
        closed(1, 2000, 9000),
        settled("drei", 9500, 9.6), settled(" vier", 10_500, 10.6), closed(2, 9000, 11_000),
        end(11_000),
    )  # fmt: skip
    first, last = record.segment_instances()
    assert (first.index, first.prediction, first.delays) == (0, "eins zwei", [500, 1500])
    assert (last.index, last.prediction, last.delays) == (2, "drei vier", [500, 1500])
    assert (last.source_length, last.time_to_recording_end, last.reference_length) == (2000, 2000, 2)
    assert last.elapsed == pytest.approx([600, 1600])
    for metric, value in ((LAAL(), 500), (LongYAAL(), 500), (LongYAAL(clock="ca"), 600)):
        assert [metric.instance(each) for each in (first, last)] == pytest.approx([value, value])
