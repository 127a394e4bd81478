"""Documents and pages: offline, well formed, escaped, every score and notice in them, marks where values are."""

from __future__ import annotations

import json
import math
import re
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from latency_metrics import Instance, MetricsError, Notice, score_resegmented
from latency_metrics.base import package_version
from latency_metrics.reports import log_stats, speech
from latency_metrics.reports.comparison import document as comparison_document
from latency_metrics.reports.comparison.compare import System, compare, stars
from latency_metrics.reports.document import Document, Table, grouped, listed, tsv
from latency_metrics.reports.html import page
from latency_metrics.reports.resampling import ResamplingPlan, intervals
from latency_metrics.reports.run import document as single
from latency_metrics.reports.segments import segment_records, write_segments
from latency_metrics.reports.statistics import statistics_of
from latency_metrics.reports.svg import Plot, Scale
from tests.latency_metrics.report_runs import run

VOID = {"meta", "br", "hr"}


class Outline(HTMLParser):
    """Checks that every element is closed, and gathers elements and text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)


def offline(text: str) -> Outline:
    """The outline of a page, checked to need nothing outside itself."""
    outline = Outline(text)
    assert not {"script", "link", "img", "iframe", "object"} & {tag for tag, _ in outline.seen}
    assert not re.search(r"https?:|url\(|@import|\bsrc=", text)
    for drawing in re.findall(r"<svg.*?</svg>", text, re.DOTALL):
        ElementTree.fromstring(drawing)
        assert "nan" not in drawing.lower().replace("finance", "")
    return outline


def made(report, **options) -> Document:
    statistics = statistics_of(report)
    plan = ResamplingPlan(50)
    found = intervals(statistics, report.instances, plan)
    return single.document(report, title="Run", statistics=statistics, intervals=found, plan=plan, **options)


def test_page_of_a_run_holds_every_score_and_stands_alone():
    report = run()
    outline = offline(page(made(report)))
    text = " ".join(outline.words)
    for score in (*report.scores, *report.extra):
        assert score.name in text
        assert f"{score.value:.4f}" in text
    assert text.count("talk1.wav") >= 2
    assert sum(tag == "figure" for tag, _ in outline.seen) == 3
    assert sum(tag == "svg" for tag, _ in outline.seen) == 2 + 3


def test_texts_of_the_input_are_escaped():
    instance = Instance(
        0,
        prediction='<script>"&',
        reference="<b>bold</b>",
        delays=[1.0, 2.0],
        source_length=10.0,
        recording="<i>",
    )
    report = score_resegmented([instance, instance])
    text = page(made(report))
    offline(text)
    assert "&lt;b&gt;bold" in text


def test_page_without_latency_or_segments():
    report = score_resegmented([Instance(0, prediction="a b", reference="a b")])
    outline = offline(page(single.document(report, title="Text only")))
    assert not any(tag == "svg" for tag, _ in outline.seen)
    assert "no instance has CU times" in " ".join(outline.words)
    offline(page(single.document(score_resegmented([]), title="Nothing")))


def test_json_is_strict_and_complete():
    report = score_resegmented([Instance(0, prediction="a", reference="a", delays=[5.0], source_length=0.0)])
    data = json.loads(single.document(report, title="Run").json(), parse_constant=pytest.fail)
    by_name = {entry["name"]: entry for entry in data["scores"]}
    assert by_name["LongYAAL (CU)"]["value"] is None
    assert by_name["LongYAAL (CU)"]["counted"] == 0
    assert any("source length is 0" in notice["reason"] for notice in data["notices"])
    assert by_name["LongLAAL (CU)"]["signature"].startswith("metric:LongLAAL|")
    assert by_name["BLEU"]["signature"].endswith("|resegmenter:given")


def test_signatures_say_what_cut_the_recordings_and_what_drew_the_intervals():
    report = run()
    assert report["LongYAAL (CU)"].signature.endswith(
        f"|simul:{package_version()}|resegmenter:SoftSegmenter|lang:en"
    )
    assert report["BLEU"].signature.endswith("|resegmenter:SoftSegmenter|lang:en")
    drawn = {entry["name"]: entry["signature"] for entry in made(report).data["scores"]}
    assert drawn["LongYAAL (CU)"].startswith(report["LongYAAL (CU)"].signature)
    assert re.fullmatch(r".*\|bs:\d+\|by:segment\|seed:\d+", drawn["LongYAAL (CU)"])


def test_tsv_is_scores_tsv_and_gains_columns_with_intervals():
    report = run()
    assert single.document(report, title="Run").tsv == report.scores_tsv()
    lines = made(report).tsv.splitlines()
    assert lines[0] == "metric\tvalue\tlow\thigh"
    name, value, low, high = lines[1].split("\t")
    assert name == "BLEU"
    assert float(low) < float(value) < float(high)


def test_segments_are_written_whole(tmp_path):
    report = run()
    records = segment_records(report)
    for suffix in ("tsv", "jsonl"):
        write_segments(tmp_path / "deep" / f"s.{suffix}", records)
    rows = (tmp_path / "deep" / "s.tsv").read_text().splitlines()
    assert len(rows) == len(report.instances) + 1
    assert all(row.count("\t") == rows[0].count("\t") for row in rows)
    lines = [json.loads(line) for line in (tmp_path / "deep" / "s.jsonl").read_text().splitlines()]
    values = [line["LongYAAL (CU)"] for line in lines if line["LongYAAL (CU)"] is not None]
    assert math.fsum(values) / len(values) == pytest.approx(report["LongYAAL (CU)"].value)
    assert sum(line["units"] for line in lines) == sum(len(i.delays or ()) for i in report.instances)


def test_comparison_page_and_tables():
    systems = [
        System("fast", run()),
        System("late & good", run(lag=3000, errors=0.05)),
        System("same", run()),
    ]
    found = compare(systems, ResamplingPlan(200))
    document = comparison_document.document(found, "Three systems")
    outline = offline(page(document))
    assert "late & good" in " ".join(outline.words)
    results = {(r["system"], r["metric"]): r for r in json.loads(document.json())["results"]}
    late = results["late & good", "LongYAAL (CU)"]
    assert late["difference"] == pytest.approx(late["value"] - results["fast", "LongYAAL (CU)"]["value"])
    assert late["difference"] == pytest.approx(1500, abs=150)
    assert late["p_randomisation"] < 0.01
    assert results["late & good", "BLEU"]["difference"] > 0
    assert results["same", "BLEU"]["p_randomisation"] == 1.0
    assert "p_bootstrap" not in results["fast", "BLEU"]
    assert len(document.tsv.splitlines()) == 1 + len(results)


def test_too_few_samples_for_many_systems_are_pointed_out():
    report = run()
    systems = [System(f"s{i}", report) for i in range(14)]
    found = compare(systems, ResamplingPlan(40))
    assert found.notices[0].reason.endswith("draw 260 or more")
    text = page(comparison_document.document(found, "Many"))
    offline(text)
    assert "numbered as in the table" in text
    assert "p adjusted" not in [notice.where for notice in compare(systems[:2], ResamplingPlan(40)).notices]


def test_systems_must_share_segments_and_have_names_of_their_own():
    report = run()
    fewer = score_resegmented(report.instances[1:])
    with pytest.raises(MetricsError, match="has 17"):
        compare([System("a", report), System("b", fewer)], ResamplingPlan(5))
    with pytest.raises(MetricsError, match="called 'a'"):
        compare([System("a", report), System("a", report)], ResamplingPlan(5))
    with pytest.raises(MetricsError, match="two or more"):
        compare([System("a", report)], ResamplingPlan(5))


def test_stars():
    assert [stars(p) for p in (0.2, 0.04, 0.004, 0.0004, math.nan)] == ["", "*", "**", "***", ""]


def test_log_statistics_count_what_is_there():
    instances = [
        Instance("x", delays=[1e3, 1e3, 900.0, 2500.0], elapsed=[1100.0, 800.0, 1200.0, 2600.0], source_length=2e3),
        Instance("y", delays=[], elapsed=[], source_length=1000.0),
    ]  # fmt: skip
    found = log_stats.log_stats("log", "simuleval", instances)
    figures = {label: value for label, (value, _) in found.figures.items()}
    assert figures["instances"] == 2
    assert figures["empty outputs"] == 1
    assert figures["units"] == 4
    assert figures["source"] == 3.0
    assert figures["units per minute"] == 80
    assert figures["writes"] == 3
    assert figures["largest write"] == 2
    assert figures["steps back of CU times"] == 1
    assert figures["units with CA before CU"] == 1
    assert figures["units at or after the end"] == 25
    assert figures["lag, largest (CU)"] == pytest.approx(1.0)
    document = log_stats.document([found])
    assert any("go backwards" in notice.reason for notice in document.notices)
    offline(page(document))


def test_playback_of_speech():
    spoken = Instance(
        0, delays=[1000.0, 2000.0], durations=[400.0, 900.0], source_length=2500.0, reference="a b c"
    )
    report = speech.score_speech([spoken, Instance(1, delays=[1.0], source_length=5.0)])
    assert report["DiscontinuitySum (CU)"].value == 600.0
    assert report["EndOffset (CU)"].value == 400.0
    assert any("not speech output" in notice.reason for notice in report.notices)
    document = speech.document(report, "Speech")
    assert json.loads(document.json())["totals"] == {"speech": 1.3, "silence between chunks": 0.6}
    offline(page(document))


def test_notices_that_differ_in_numbers_stand_together():
    alike = [Notice(f"instance {i}", f"it has {i} units but {i + 1} delays") for i in range(5)]
    groups = grouped([*alike, Notice("corpus", "odd")])
    assert groups[0][0] == "it has … units but … delays"
    assert groups[0][1][2] == "instance 2 (2, 3)"
    assert groups[1] == ("odd", ["corpus"])
    assert grouped(alike[:2]) == [(n.reason, [n.where]) for n in alike[:2]]
    assert listed(["a", "b", "c"], 2) == "a, b and 1 more"


def test_tsv_cells_keep_rows_whole():
    assert tsv(["a", "b"], [["x\ty\nz", None]]) == "a\tb\nx y z\t\n"


finite = st.floats(-1e6, 1e6)


@given(st.lists(finite, min_size=1, max_size=8), st.booleans())
@example([5e-324], True)
@example([1e-13, 0.0], False)
def test_scales_hold_their_values(values, zero):
    scale = Scale.over(values, zero=zero)
    assert all(0 <= scale.share(value) <= 1 for value in values)
    assert 2 <= len(scale.ticks) <= 13
    assert all(-1e-9 <= scale.share(tick) <= 1 + 1e-9 for tick in scale.ticks)
    assert len({scale.text(tick) for tick in scale.ticks}) == len(scale.ticks)
    if zero:
        assert scale.low <= 0 <= scale.high


def test_marks_lie_where_values_are():
    plot = Plot(Scale(0, 10, (0, 5, 10)), Scale(0, 100, (0, 50, 100)), 200, 150)
    plot.dot(5, 50, "c0", tip="middle")
    plot.dot(5, 100, "c0")
    root = ElementTree.fromstring(plot.svg())
    first, second = [e for e in root.iter() if e.tag == "circle"]
    ticks = {e.text: e for e in root.iter("text")}
    assert float(first.get("cx")) == float(ticks["5"].get("x"))
    assert float(first.get("cy")) == pytest.approx(float(ticks["50"].get("y")) - 4)
    assert float(second.get("cy")) < float(first.get("cy"))
    assert first[0].text == "middle"


def test_labels_of_a_crowd_do_not_cover_each_other():
    plot = Plot(Scale(0, 10, (0, 10)), Scale(0, 10, (0, 10)), 520, 320)
    for i in range(5):
        plot.label(5 + 0.05 * i, 5, f"system{i}")
    boxes = plot._labels
    for i, a in enumerate(boxes):
        assert not any(a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3] for b in boxes[i + 1 :])


def test_tables_need_no_figures():
    outline = offline(page(Document("Bare", [Table("T", ["a"], [["<1>"]])], {}, "")))
    assert "<1>" in outline.words


def test_a_line_of_one_point_is_seen():
    plot = Plot(Scale.over([0.0, 1.0], "x"), Scale.over([0.0, 1.0], "y"), 300, 200)
    plot.line([(0.5, 0.5)], "c0")
    assert "<circle" in plot.svg()
    plot = Plot(Scale.over([0.0, 1.0], "x"), Scale.over([0.0, 1.0], "y"), 300, 200)
    plot.line([(math.nan, 0.5)], "c0")
    assert "<circle" not in plot.svg()
