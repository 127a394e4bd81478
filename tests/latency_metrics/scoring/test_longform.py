"""The long-form pipeline: matching, offsets, clocks, and odd input that is scored, skipped or named."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from latency_metrics import (
    MatchError,
    MetricsError,
    RecordingHypothesis,
    ReferenceSegment,
    resegment,
    score_longform,
    score_resegmented,
    score_shortform,
    score_stream_laal,
)
from latency_metrics.base import Instance
from latency_metrics.scoring.recordings import canonical_names, match_recordings

SEGMENTS = [
    ReferenceSegment("a.wav", 0.0, 2000.0, "ein kleiner Hund", 0, 0),
    ReferenceSegment("a.wav", 2500.0, 1500.0, "sieht zwei Katzen", 0, 1),
    ReferenceSegment("b.wav", 1000.0, 2000.0, "das Wetter bleibt schön", 1, 0),
]
A = RecordingHypothesis(
    "a.wav",
    ["ein", "kleiner", "Hund", "sieht", "zwei", "Katzen"],
    delays=[1000, 1500, 2000, 3000, 3500, 4000],
    elapsed=[1100, 1700, 2300, 3400, 4000, 4600],
)
B = RecordingHypothesis("b.wav", ["das", "Wetter", "bleibt", "schön"], delays=[2000] * 4, elapsed=[2500] * 4)


def reasons(notices: list, name: str) -> str:  # type: ignore[type-arg]
    return "; ".join(notice.reason for notice in notices if name in notice.where)


def test_words_go_to_their_segments_and_times_count_from_there() -> None:
    found = resegment(SEGMENTS, [B, A], lang="de")
    assert [i.prediction for i in found.instances] == [
        "ein kleiner Hund",
        "sieht zwei Katzen",
        "das Wetter bleibt schön",
    ]
    assert found.instances[1].delays == [500, 1000, 1500]
    assert found.instances[1].elapsed == [900, 1500, 2100]
    assert [i.time_to_recording_end for i in found.instances] == [4000, 1500, 2000]
    assert [i.source_length for i in found.instances] == [2000, 1500, 2000]
    # the recording of one worker: compute 100 per word, queued behind each other
    assert found.instances[0].queued == [1100, 1600, 2100]
    assert found.dropped == []


def test_offset_delays_keeps_the_limits() -> None:
    shifted = [replace(s, offset=s.offset + 10000) for s in SEGMENTS]
    plain = resegment(SEGMENTS[:2], [A], lang="de")
    found = resegment(shifted[:2], [A], lang="de", offset_delays=True)
    assert [i.delays for i in found.instances] == [i.delays for i in plain.instances]
    assert [i.time_to_recording_end for i in found.instances] == [4000, 1500]


def test_fix_emission_repairs_before_cutting() -> None:
    found = resegment(SEGMENTS, [A, B], lang="de", fix_simuleval_emission_ca=True)
    assert found.instances[0].elapsed == [1100, 1600, 2100]
    assert found.instances[1].elapsed == [3100 - 2500, 3600 - 2500, 4100 - 2500]
    per_chunk = replace(A, elapsed_kind="per_chunk")
    again = resegment(SEGMENTS, [per_chunk, B], lang="de", fix_simuleval_emission_ca=True)
    assert again.instances[0].elapsed == [1100, 1700, 2300]


def test_jobs_and_progress_change_nothing() -> None:
    seen: list[tuple[int, int, str]] = []
    one = score_longform(SEGMENTS, [A, B], lang="de", progress=lambda *step: seen.append(step))
    two = score_longform(SEGMENTS, [A, B], lang="de", jobs=2)
    assert one.scores_tsv() == two.scores_tsv()
    assert seen == [(1, 2, "a.wav"), (2, 2, "b.wav")]
    with pytest.raises(MetricsError, match="at least 1"):
        resegment(SEGMENTS, [A, B], jobs=0)


def test_names_match_by_base_name_and_stem() -> None:
    segments = [
        ReferenceSegment("x/y/a.wav", 0, 1, "r", 0, 0),
        ReferenceSegment("x/z/b.wav", 0, 1, "r", 1, 0),
    ]
    assert canonical_names(["x/y/a.wav", "x/z/b.wav"]) == {"x/y/a.wav": "a", "x/z/b.wav": "b"}
    for name in ("a", "a.wav", "a.mp3", "/data/a.wav", "/data/a"):
        assert match_recordings(segments, [RecordingHypothesis(name, ())]) == {name: "x/y/a.wav"}
    same = [ReferenceSegment("x/a.wav", 0, 1), ReferenceSegment("y/a.wav", 0, 1)]
    assert match_recordings(same, [RecordingHypothesis("y/a.wav", ())]) == {"y/a.wav": "y/a.wav"}
    assert match_recordings(same, [RecordingHypothesis("a.wav", ())]) == {}


def test_two_hypotheses_for_one_recording_are_an_error() -> None:
    with pytest.raises(MatchError, match=r"Two hypotheses are for the recording 'a.wav'"):
        resegment(SEGMENTS, [A, A])
    with pytest.raises(MatchError, match=r"both match the recording 'a.wav'"):
        resegment(SEGMENTS, [A, replace(A, recording="d/a.wav")])


def test_unknown_and_missing_recordings_are_named() -> None:
    report = score_longform(SEGMENTS, [A, replace(B, recording="c.wav")], lang="de")
    assert "the segmentation does not know it" in reasons(report.notices, "recording c.wav")
    assert "no hypothesis for it" in reasons(report.notices, "recording b.wav")
    assert report.instances[2].prediction == ""
    assert report["LongYAAL (CU)"].counted == 2


def test_zero_duration_segment_costs_only_itself() -> None:
    segments = [SEGMENTS[0], replace(SEGMENTS[1], duration=0.0), SEGMENTS[2]]
    report = score_longform(segments, [A, B], lang="de")
    assert report["LongAL (CU)"].counted == 2
    assert report["LongYAAL (CU)"].counted == 2
    assert not math.isnan(report["LongYAAL (CA)"].value)
    assert any("source length is 0" in notice.reason for notice in report.notices)


def test_recording_without_reference_drops_and_lists_its_units() -> None:
    report = score_longform([*SEGMENTS[:2], replace(SEGMENTS[2], reference="")], [A, B], lang="de")
    assert [(name, unit) for name, _, unit in report.dropped] == [("b.wav", unit) for unit in B.units]
    assert "no reference text" in reasons(report.notices, "b.wav")
    assert report["LongYAAL (CU)"].counted == 2


def test_all_hypotheses_empty() -> None:
    report = score_longform(
        SEGMENTS, [RecordingHypothesis("a.wav", (), delays=[], elapsed=[]), RecordingHypothesis("b.wav", ())]
    )
    assert report["BLEU"].value == 0
    assert "LongYAAL (CU)" not in report
    assert "its output is empty" in reasons(report.notices, "a.wav")
    assert any("no instance has CU times" in notice.reason for notice in report.notices)


def test_missing_ca_of_one_recording_is_named_and_the_rest_scored() -> None:
    report = score_longform(SEGMENTS, [A, replace(B, elapsed=None)], lang="de")
    assert report["LongYAAL (CU)"].counted == 3
    assert report["LongYAAL (CA)"].counted == 2
    assert "carries no CA times" in reasons(report.notices, "recording b.wav")


def test_no_times_at_all_scores_quality_only() -> None:
    report = score_longform(
        SEGMENTS, [replace(A, delays=None, elapsed=None), replace(B, delays=None, elapsed=None)]
    )
    assert [score.name for score in report.scores] == ["BLEU", "chrF"]
    assert sum("left out" in notice.reason for notice in report.notices) == 2


def test_counts_that_differ_are_named() -> None:
    report = score_longform(SEGMENTS, [replace(A, delays=[1.0, 2.0]), B], lang="de")
    assert "it has 6 units but 2 delays; its delays are not scored" in reasons(report.notices, "a.wav")
    assert report["LongYAAL (CU)"].counted == 1
    assert report.instances[0].prediction == "ein kleiner Hund"


def test_times_that_go_backwards_or_past_the_end_are_scored_and_named() -> None:
    odd = replace(A, delays=[1500, 1000, 2000, 3000, 3500, 9000])
    report = score_longform(SEGMENTS, [odd, B], lang="de")
    assert "go backwards" in reasons(report.notices, "a.wav")
    assert "1 of 6 units at or after its end" in reasons(report.notices, "a.wav")
    assert report["LongYAAL (CU)"].counted == 3


def test_text_that_nfkc_changes_is_named_and_scored_both_ways() -> None:
    ligature = replace(A, units=["eﬁn", *A.units[1:]])
    report = score_longform(SEGMENTS, [ligature, B], lang="de")
    assert "BLEU (NFKC-normalized)" in report
    assert report.instances[0].prediction.startswith("eﬁn")
    assert any("NFKC changes 1 of 3 segments" in notice.reason for notice in report.notices)


def test_unequal_references_and_quality_without_reference() -> None:
    report = score_shortform([Instance(index=5, prediction="a", delays=[1.0], source_length=2.0)])
    assert math.isnan(report["BLEU"].value)
    assert "no reference" in reasons(report.notices, "instance 5")


def test_stream_laal_is_laal_of_mwer_segments() -> None:
    cu, ca = score_stream_laal(SEGMENTS, [A, B])
    direct = score_resegmented(resegment(SEGMENTS, [A, B], method="mwer").instances, quality=False)
    assert cu.value == pytest.approx(direct["LongLAAL (CU)"].value)
    assert ca.value == pytest.approx(direct["LongLAAL (CA)"].value)
    assert (cu.name, ca.name) == ("StreamLAAL (CU)", "StreamLAAL (CA)")
    with pytest.raises(MetricsError, match="not known"):
        resegment(SEGMENTS, [A, B], method="hard")  # type: ignore[arg-type]


def test_character_level_keeps_spaces_of_the_output_only() -> None:
    segments = [
        ReferenceSegment("t", 0, 3000, "你 好", 0, 0),
        ReferenceSegment("t", 3000, 3000, "世界", 0, 1),
    ]
    hypothesis = RecordingHypothesis("t", list("你好 世界"), delays=[1.0, 2.0, 3.0, 3500.0, 4000.0])
    found = resegment(segments, [hypothesis], char_level=True)
    assert "".join(i.prediction for i in found.instances) == "你好 世界"
    assert found.instances[0].reference == "你好"


def test_scores_in_the_order_and_names_of_the_file() -> None:
    report = score_longform(SEGMENTS, [A, B], lang="de")
    names = [line.split("\t")[0] for line in report.scores_tsv().splitlines()]
    assert names == [
        "metric", "BLEU", "chrF",
        "LongYAAL (CU)", "LongAL (CU)", "LongLAAL (CU)", "LongAP (CU)", "LongDAL (CU)",
        "LongYAAL (CA)", "LongAL (CA)", "LongLAAL (CA)", "LongAP (CA)", "LongDAL (CA)",
    ]  # fmt: skip
    extra = {score.name for score in report.extra}
    assert {
        "LagP50 (CU)",
        "LagP95 (CA)",
        "LagMax (CA-queue)",
        "LagSlope (CU)",
        "LongYAAL (CA-queue)",
    } <= extra
    with pytest.raises(MetricsError, match="has no score"):
        report["LAAL"]
