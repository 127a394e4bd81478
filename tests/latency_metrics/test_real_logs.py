"""Scores of real systems' logs against the values that OmniSTEval and SimulEval printed for them."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from latency_metrics import METRICS, resegment, score_longform, score_shortform, score_stream_laal
from latency_metrics.formats import (
    read_instances,
    read_lines,
    read_recordings,
    read_segmentation,
    read_text_hypotheses,
    read_text_segmentation,
    with_references,
)
from latency_metrics.quality import bleu
from latency_metrics.scoring.result import Report
from tests.vectors import VECTORS, beside

LOGS = VECTORS / "omnisteval-logs"
ACL = LOGS / "longform-acl6060-de"
IWSLT = "simul-logs-iwslt25"


def table(path: Path) -> list[dict[str, str]]:
    header, *rows = (line.split("\t") for line in path.read_text(encoding="utf-8").splitlines())
    return [dict(zip(header, row, strict=True)) for row in rows]


def same_scores(report: Report, path: Path) -> None:
    """Every line of the expected file stands in ours, to the last printed digit."""
    expected = path.read_text(encoding="utf-8").splitlines()
    ours = report.scores_tsv().splitlines()
    assert [line for line in expected if line not in ours] == []


def same_segments(report: Report, path: Path) -> None:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        expected = [json.loads(line) for line in file]
    assert [i.prediction for i in report.instances] == [record["prediction"] for record in expected]
    for instance, record in zip(report.instances, expected, strict=True):
        for times, key in ((instance.delays, "emission_cu"), (instance.elapsed, "emission_ca")):
            assert list(times or ()) == record.get(key, [])


def test_long_form_acl6060() -> None:
    segments = with_references(
        read_segmentation(ACL / "ref_segments.yaml"), read_lines(ACL / "references.txt")
    )
    report = score_longform(
        segments, read_recordings(ACL / "instances.log.gz"), lang="de", fix_simuleval_emission_ca=True
    )
    same_scores(report, ACL / "expected.scores.tsv")
    same_segments(report, ACL / "expected.resegmented.jsonl.gz")


def test_text_form_acl6060() -> None:
    folder = LOGS / "textform-acl6060-de"
    segments = with_references(
        read_text_segmentation(folder / "text_segmentation.txt"), read_lines(ACL / "references.txt")
    )
    report = score_longform(segments, read_text_hypotheses(folder / "hypotheses.txt", segments), lang="en")
    same_scores(report, folder / "expected.scores.tsv")
    same_segments(report, folder / "expected.resegmented.jsonl.gz")


def test_short_form_of_a_degenerate_system() -> None:
    folder = LOGS / "shortform-timings"
    report = score_shortform(read_instances(folder / "instances.log.gz"), quality=False)
    same_scores(report, folder / "expected.scores.tsv")


@pytest.mark.parametrize("language", ["de", "zh"])
def test_whole_talks_of_iwslt25_systems(language: str) -> None:
    """LAAL, AL, AP, DAL, ATD and BLEU of whole talks as SimulEval printed them, corpus and talk by talk."""
    folder = beside("data", IWSLT)
    unit = "char" if language == "zh" else "word"
    talks = table(folder / "expected.per-talk.tsv")
    runs = [row for row in table(folder / "expected.scores.tsv") if row["lang"] == language]
    for run in runs:
        instances = read_instances(folder / language / f"{run['run']}.log.gz")
        own = [row for row in talks if (row["lang"], row["run"]) == (language, run["run"])]
        for name in ("LAAL", "AL", "AP", "DAL", "ATD"):
            score = METRICS[name](latency_unit=unit).corpus(instances)
            assert score.value == pytest.approx(float(run[f"{name}_doc"]), abs=5.1e-4), (run["run"], name)
            if name in own[0]:
                # In order of value: three runs number their talks in another order than their log has.
                expected = sorted(float(row[name]) for row in own)
                assert sorted(value or 0 for value in score.values) == pytest.approx(expected, abs=5.1e-4)
        texts = [i.prediction for i in instances], [i.reference or "" for i in instances]
        assert bleu(*texts).value == pytest.approx(float(run["BLEU_doc"]), abs=5.1e-4)


def test_event_logs_of_recordings_have_every_figure() -> None:
    """The queueing clock lies between CU and SimulEval's running total on a real log."""
    segments = with_references(
        read_segmentation(ACL / "ref_segments.yaml"), read_lines(ACL / "references.txt")
    )
    report = score_longform(segments, read_recordings(ACL / "instances.log.gz"), lang="de")
    lags = [report[f"LagP50 ({clock})"].value for clock in ("CU", "CA-queue", "CA")]
    assert lags == sorted(lags)
    assert report["LagSlope (CA)"].value > report["LagSlope (CA-queue)"].value


@pytest.mark.parametrize("run", ["vad-step1.00", "cascade-step0.3-la2", "cascade-step0.9-la4"])
def test_published_stream_laal_is_near(run: str) -> None:
    """The published values are of version 1 (a closed segmenter, times clamped at 0): near, not equal."""
    folder = beside("data", IWSLT)
    expected = next(row for row in table(folder / "expected.scores.tsv") if row["run"] == run)
    segments = with_references(
        read_segmentation(folder / "ref_segments.yaml"), read_lines(folder / "references.de.txt")
    )
    hypotheses = read_recordings(folder / "de" / f"{run}.log.gz")
    cu = score_stream_laal(segments, hypotheses)[0]
    assert cu.value == pytest.approx(float(expected["StreamLAAL"]), rel=0.02)
    cut = resegment(segments, hypotheses, method="mwer").instances
    quality = bleu([i.prediction for i in cut], [i.reference or "" for i in cut])
    assert quality.value == pytest.approx(float(expected["BLEU_resegmented"]), abs=0.1)
