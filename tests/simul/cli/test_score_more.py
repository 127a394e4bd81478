"""`simul score compare`, `stats` and `speech`."""

from __future__ import annotations

import json

import pytest

from simul.cli.score.compare import system_names
from tests.simul.score_files import read_log, recordings, utterances, write_log
from tests.simul.scripted_cli import command


def test_compare_logs_of_recordings(tmp_path):
    files = recordings(tmp_path, name="early")
    recordings(tmp_path, lag=3500.0, errors=0.05, name="late")
    code, shown, _ = command(
        "score", "compare", files["log"], f"second={tmp_path / 'late.log'}", "--word_level", "--lang", "en",
        "--speech_segmentation", files["segmentation"], "--ref_sentences_file", files["references"],
        "--bootstrap", "200", "--format", "json", "-o", tmp_path / "c.html", "-o", tmp_path / "c.tsv",
    )  # fmt: skip
    assert code == 0
    data = json.loads(shown)
    assert data["systems"] == ["early", "second"]
    late = {entry["metric"]: entry for entry in data["results"] if entry["system"] == "second"}
    assert late["LongYAAL (CU)"]["difference"] == pytest.approx(2000, abs=250)
    assert late["LongYAAL (CU)"]["p_bootstrap"] < 0.01
    assert late["BLEU"]["difference"] > 0
    alone = command(
        "score", "longform", "--word_level", "--lang", "en", "--speech_segmentation", files["segmentation"],
        "--ref_sentences_file", files["references"], "--hypothesis_file", tmp_path / "late.log", "--format", "tsv",
    )[1]  # fmt: skip
    assert f"LongYAAL (CU)\t{late['LongYAAL (CU)']['value']:.4f}\n" in alone
    assert "second" in (tmp_path / "c.html").read_text()
    assert len((tmp_path / "c.tsv").read_text().splitlines()) == len(data["results"]) + 1


def test_compare_by_document_tries_every_exchange(tmp_path):
    files = recordings(tmp_path, name="early")
    recordings(tmp_path, lag=3500.0, name="late")
    code, shown, _ = command(
        "score", "compare", files["log"], tmp_path / "late.log", "--word_level", "--bootstrap-by", "document",
        "--speech_segmentation", files["segmentation"], "--ref_sentences_file", files["references"],
        "--bootstrap", "100",
    )  # fmt: skip
    assert code == 0
    assert "All 2^3 exchanges were tried, so no p of randomisation is below 0.25." in shown.replace("\n", " ")


def test_compare_utterances_and_resegmented_files(tmp_path):
    one, two = utterances(tmp_path / "a.log"), utterances(tmp_path / "b.log", lag=500.0)
    code, shown, _ = command(
        "score", "compare", one, two, "--word_level", "--bootstrap", "50", "--format", "tsv"
    )
    assert code == 0
    rows = [line.split("\t") for line in shown.splitlines()]
    row = next(row for row in rows if row[:2] == ["b", "YAAL (CU)"])
    assert float(row[5]) == pytest.approx(200.0)
    files = recordings(tmp_path)
    common = ("--speech_segmentation", files["segmentation"], "--ref_sentences_file", files["references"])
    for name in ("x", "y"):
        command(
            "score", "longform", "--word_level", *common, "--hypothesis_file", files["log"], "--output_folder",
            tmp_path / name,
        )  # fmt: skip
    cut = [tmp_path / name / "instances.resegmented.jsonl" for name in ("x", "y")]
    code, shown, _ = command(
        "score", "compare", *cut, "--word_level", "--bootstrap", "20", "--format", "json"
    )
    assert code == 0
    assert json.loads(shown)["systems"] == ["x/instances", "y/instances"]
    assert json.loads(shown)["results"][-1]["difference"] == 0.0


def test_compare_refuses_other_segments(tmp_path):
    one, two = utterances(tmp_path / "a.log"), utterances(tmp_path / "b.log", count=11)
    code, _, errors = command("score", "compare", one, two, "--word_level")
    assert code == 1
    assert "a has 12 segments and b has 11" in errors


def test_names_of_systems(tmp_path):
    named = system_names(["x=runs/a.log.gz", "runs/one/instances.log", "runs/two/instances.log"])
    assert [name for name, _ in named] == ["x", "one/instances", "two/instances"]
    assert named[0][1] == "runs/a.log.gz"
    assert [n for n, _ in system_names(["p/la2.log.gz", "p/la4.log.gz"])] == ["la2", "la4"]


def test_stats_of_logs_side_by_side(tmp_path):
    files = recordings(tmp_path)
    other = utterances(tmp_path / "clips.log")
    code, shown, _ = command(
        "score", "stats", files["log"], other, "-o", tmp_path / "s.html", "-o", tmp_path / "s.json"
    )
    assert code == 0
    rows = {line[:28].strip(): line[28:].split() for line in shown.splitlines()}
    assert rows["instances"] == ["3", "12"]
    assert rows["units"][1] == "48"
    data = json.loads((tmp_path / "s.json").read_text())
    assert data["logs"][1]["figures"]["units per write"]["value"] == pytest.approx(48 / 47)
    assert data["logs"][0]["instances"][0]["recording"] == "talk0"
    assert "<svg" in (tmp_path / "s.html").read_text()


def event(audio, generated, deleted):
    return {
        "id": 0, "total_audio_processed": audio, "computation_time": 0.5,
        "generated_tokens": generated, "deleted_tokens": deleted,
    }  # fmt: skip


def test_stats_of_a_simulstream_log(tmp_path):
    lines = [
        {"model_loading_time": 1.0},
        {"id": 0, "metadata": {"wav_name": "a.wav"}},
        event(1.0, ["ein", "zwei"], []),
        event(2.0, ["drei"], ["zwei"]),
    ]
    write_log(tmp_path / "s.jsonl", lines)
    (tmp_path / "c.yaml").write_text("detokenizer_type: simuleval\nlatency_unit: word\n")
    code, shown, _ = command(
        "score",
        "stats",
        tmp_path / "s.jsonl",
        "--simulstream_config_file",
        tmp_path / "c.yaml",
        "--format",
        "json",
    )
    assert code == 0
    figures = json.loads(shown)["logs"][0]["figures"]
    assert figures["NormalizedErasure"]["value"] == 0.5
    assert figures["StreamRTF"]["value"] == 0.5
    assert figures["source"]["value"] == 2.0
    code, _, errors = command("score", "stats", tmp_path / "s.jsonl")
    assert code == 2
    assert "--simulstream_config_file" in errors


def test_cumulative_times_are_pointed_out(tmp_path):
    delays = [1000.0 * i for i in range(1, 60)]
    line = {
        "prediction": "w " * 59, "delays": delays, "elapsed": [d * 1.9 for d in delays],
        "source": ["talk.wav"], "source_length": 60000.0,
    }  # fmt: skip
    write_log(tmp_path / "log", [line])
    assert "they are cumulative" in command("score", "stats", tmp_path / "log")[2]
    line["elapsed"] = [d + 400 for d in delays]
    write_log(tmp_path / "log", [line])
    assert "cumulative" not in command("score", "stats", tmp_path / "log")[2]


def speech_log(path):
    line = {
        "index": 0, "prediction": "0_pred.wav", "delays": [1000.0, 2000.0], "durations": [400.0, 900.0],
        "prediction_offset": 1000.0, "elapsed": [], "intervals": [[1000.0, 400.0], [2000.0, 900.0]],
        "prediction_length": 1.9, "source_length": 2500.0, "reference": "a b c", "source": "talk0.wav",
    }  # fmt: skip
    write_log(path, [line])
    return path


def test_speech_playback(tmp_path):
    code, shown, _ = command("score", "speech", speech_log(tmp_path / "instances.log"), "--format", "json")
    assert code == 0
    data = json.loads(shown)
    values = {entry["name"]: entry["value"] for entry in data["scores"]}
    assert values["EndOffset (CU)"] == 400.0
    assert values["DiscontinuitySum (CU)"] == 600.0
    assert data["totals"]["speech"] == pytest.approx(1.3)


def test_words_heard_are_scored_when_they_end(tmp_path):
    files = recordings(tmp_path, errors=0.0)
    text = read_log(files["log"])
    words = tmp_path / "words.jsonl"
    lines = []
    for line in text:
        # Every word lasts 200 ms and ends when the text was written; the audio starts to play at 500 ms.
        placed = [
            [w, d - 700, d - 500] for w, d in zip(line["prediction"].split(), line["delays"], strict=True)
        ]
        lines.append({"source": line["source"][0], "words": placed, "start": 500})
    write_log(words, lines)
    flags = (
        "--speech_segmentation", files["segmentation"], "--ref_sentences_file", files["references"], "--lang", "en",
    )  # fmt: skip
    code, shown, _ = command("score", "speech", "--words", words, *flags, "--format", "json")
    assert code == 0
    heard = {entry["name"]: entry["value"] for entry in json.loads(shown)["scores"]}
    written = json.loads(
        command(
            "score", "longform", "--word_level", "--hypothesis_file", files["log"], *flags, "--format", "json"
        )[1]
    )
    for entry in written["scores"]:
        if "(CA)" not in entry["name"]:
            assert heard[entry["name"]] == pytest.approx(entry["value"])
    both = command(
        "score", "speech", speech_log(tmp_path / "i.log"), "--words", words, *flags, "--format", "json"
    )[1]
    assert set(json.loads(both)) >= {"words", "playback"}


def test_spans_place_words_and_bad_ones_are_named(tmp_path):
    from latency_metrics.formats.spoken_words import read_spoken_words

    path = tmp_path / "w.jsonl"
    write_log(
        path, [{"source": "a", "words": [["x", 0, 100], ["y", 450, 600]], "spans": [[400, 5000], [0, 1000]]}]
    )
    assert read_spoken_words(path)[0].delays == [1100.0, 5200.0]
    for broken in (
        {"source": "a", "words": [["x", 5, 1]]},
        {"source": "a", "words": [["x", 5]]},
        {"words": []},
        {"source": "a", "words": [], "spans": [[1]]},
    ):
        write_log(path, [{"source": "ok", "words": []}, broken])
        with pytest.raises(ValueError, match="line 2"):
            read_spoken_words(path)
