"""`simul score shortform` and `longform`: OmniSTEval's flags and files, formats, notices, mistakes."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from types import ModuleType, SimpleNamespace

import pytest

from simul.errors import ExitCode
from tests.simul.score_files import read_log, recordings, utterances, write_log
from tests.simul.scripted_cli import command
from tests.vectors import metric_vectors

LONG = [
    "de-fixca", "de-over", "en-one-empty-recording", "en-simulstream", "en-text", "en-usual", "fr-offset",
    "ja-char", "zh-char",
]  # fmt: skip


def longform(files, *more, **options):
    return command(
        "score", "longform", "--speech_segmentation", files["segmentation"], "--ref_sentences_file",
        files["references"], "--hypothesis_file", files["log"], "--word_level", "--lang", "en", *more, **options,
    )  # fmt: skip


def vector_flags(data, folder):
    """The command line of a vector, its inputs written as files."""
    given, options = data["input"], data["options"]
    (folder / "references.txt").write_text("".join(line + "\n" for line in given["references"]))
    flags = ["--ref_sentences_file", folder / "references.txt"]
    if "text_segmentation" in given:
        text = given["text_segmentation"]
        (folder / "t.txt").write_text("\n".join(text) + "\n" if isinstance(text, list) else text)
        flags += ["--text_segmentation", folder / "t.txt"]
    else:
        (folder / "s.json").write_text(json.dumps(given["segmentation"]))
        flags += ["--speech_segmentation", folder / "s.json"]
    log = folder / "hypotheses.log"
    if "hypothesis_lines" in given:
        log.write_text("".join(line + "\n" for line in given["hypothesis_lines"]))
    else:
        write_log(log, given.get("simulstream_log") or given["hypotheses"])
    if "simulstream_config" in given:
        (folder / "config.yaml").write_text(json.dumps(given["simulstream_config"]))
        flags += ["--simulstream_config_file", folder / "config.yaml"]
    flags += ["--hypothesis_file", log, "--hypothesis_format", options["hypothesis_format"]]
    flags += ["--char_level" if options["char_level"] else "--word_level"]
    flags += ["--lang", options["lang"]] if options["lang"] else []
    flags += ["--bleu_tokenizer", options["bleu_tokenizer"]]
    flags += [f"--{name}" for name in ("offset_delays", "fix_simuleval_emission_ca") if options[name]]
    return flags


@pytest.mark.parametrize("name", LONG)
def test_longform_writes_the_files_of_omnisteval(name, tmp_path):
    ((_, data),) = metric_vectors(f"longform_{name}")
    out = tmp_path / "out"
    code, _, errors = command("score", "longform", *vector_flags(data, tmp_path), "--output_folder", out)
    assert code == 0, errors
    assert (out / "scores.tsv").read_text() == data["expected"]["scores_tsv"]
    records = [json.loads(line) for line in (out / "instances.resegmented.jsonl").read_text().splitlines()]
    assert [list(record) for record in records] == [
        list(record) for record in data["expected"]["resegmented"]
    ]
    for record, expected in zip(records, data["expected"]["resegmented"], strict=True):
        for key, value in expected.items():
            same = pytest.approx(value, abs=1e-6) if key.startswith("emission") else value
            assert record[key] == same
    assert (out / "evaluation_report.txt").read_text().startswith("Long form: ")


def test_shortform_writes_the_scores_of_omnisteval(tmp_path):
    ((_, data),) = metric_vectors("shortform_cli")
    (tmp_path / "instances.log").write_text("\n".join(data["instances_log"]) + "\n")
    (tmp_path / "references.txt").write_text("".join(line + "\n" for line in data["references"]))
    code, shown, _ = command(
        "score", "shortform", "--word_level", "--hypothesis_file", tmp_path / "instances.log",
        "--ref_sentences_file", tmp_path / "references.txt", "--format", "tsv",
    )  # fmt: skip
    assert code == 0
    assert shown == data["expected"]["scores_tsv"]


@pytest.mark.parametrize("level", ["word", "char"])
def test_the_peer_itself_writes_the_same_bytes(level, tmp_path):
    peer = shutil.which("omnisteval")
    if peer is None:
        pytest.skip("OmniSTEval 0.1.10 is not on the PATH")
    files = recordings(tmp_path)
    if level == "char":
        lines = read_log(files["log"])
        for line in lines:
            count = len(line["prediction"])
            line["delays"] = line["elapsed"] = [10.0 * i for i in range(count)]
        write_log(tmp_path / "system.log", lines)
    flags = [
        "longform", "--speech_segmentation", files["segmentation"], "--ref_sentences_file", files["references"],
        "--hypothesis_file", files["log"], f"--{level}_level", "--lang", "en", "--fix_simuleval_emission_ca",
    ]  # fmt: skip
    subprocess.run([peer, *flags, "--output_folder", tmp_path / "peer"], check=True, capture_output=True)
    assert command("score", *flags, "--output_folder", tmp_path / "ours")[0] == 0
    for name in ("scores.tsv", "instances.resegmented.jsonl"):
        assert (tmp_path / "ours" / name).read_bytes() == (tmp_path / "peer" / name).read_bytes()


def test_reading_the_own_output_gives_the_same_scores(tmp_path):
    files = recordings(tmp_path)
    _, first, _ = longform(files, "--format", "tsv", "--output_folder", tmp_path / "out")
    again = (
        "score",
        "longform",
        "--word_level",
        "--resegmented_hypothesis",
        tmp_path / "out/instances.resegmented.jsonl",
    )
    assert command(*again, "--format", "tsv")[1] == first
    opened = command(*again, "--format", "tsv", "--recording-end", "open")
    assert opened[0] == 0


def test_every_format_holds_the_same_figures(tmp_path):
    files = recordings(tmp_path)
    names = [tmp_path / f"made/r.{suffix}" for suffix in ("json", "tsv", "html", "txt")]
    outputs = [part for name in names for part in ("-o", name)]
    code, table, errors = longform(files, *outputs, "--stream-laal", "--per-segment", tmp_path / "s.tsv")
    assert code == 0
    data = json.loads(names[0].read_text())
    assert {"BLEU", "LongYAAL (CU)"} <= {entry["name"] for entry in data["scores"]}
    assert any(entry["name"] == "StreamLAAL (CU)" for entry in data["extra"])
    for entry in data["scores"]:
        value = f"{entry['value']:.4f}"
        assert value in table
        assert f"{entry['name']}\t{value}\n" in names[1].read_text()
        assert value in names[2].read_text()
        assert value in names[3].read_text()
    assert len((tmp_path / "s.tsv").read_text().splitlines()) == data["segments"] + 1
    assert f"Wrote {names[2]}." in errors


def test_intervals_come_from_the_seed(tmp_path):
    files = recordings(tmp_path)
    runs = [
        json.loads(
            longform(files, "--format", "json", "--bootstrap", "100", "--seed", seed, "--bootstrap-by", by)[1]
        )
        for seed, by in (("1", "segment"), ("1", "segment"), ("2", "segment"), ("1", "document"))
    ]
    first, second, third, by_document = (run["scores"][0]["interval"] for run in runs)
    assert first == second
    assert len({tuple(first), tuple(third), tuple(by_document)}) == 3
    assert first[0] <= runs[0]["scores"][0]["value"] <= first[1]
    assert runs[3]["bootstrap"] == {"samples": 100, "seed": 1, "by": "document", "confidence": 0.95}


def test_flags_may_be_spelled_with_hyphens_or_underscores(tmp_path):
    log = utterances(tmp_path / "instances.log")
    plain = command(
        "score", "shortform", "--word_level", "--hypothesis_file", log, "--bootstrap-by", "segment"
    )
    other = command(
        "score", "shortform", "--word-level", f"--hypothesis-file={log}", "--bootstrap_by", "segment"
    )
    assert plain[0] == other[0] == 0
    assert plain[1] == other[1]


def test_odd_input_is_scored_and_named_everywhere(tmp_path):
    files = recordings(tmp_path)
    entries = json.loads((tmp_path / "segments.json").read_text())
    entries[3]["duration"] = 0.0
    (tmp_path / "segments.json").write_text(json.dumps(entries))
    lines = read_log(files["log"])
    lines[1]["source"] = "elsewhere.wav"
    lines[2]["delays"] = lines[2]["delays"][:-1]
    write_log(tmp_path / "system.log", lines)
    code, shown, errors = longform(files, "--format", "json", "-o", tmp_path / "r.html")
    assert code == ExitCode.PARTIAL
    data = json.loads(shown)
    value = next(entry["value"] for entry in data["scores"] if entry["name"] == "LongYAAL (CU)")
    assert value is not None
    wanted = (
        "source length is 0",
        "the segmentation does not know it",
        "there is no hypothesis for it",
        "units but",
    )
    page = (tmp_path / "r.html").read_text()
    for words in wanted:
        assert words in errors
        assert any(words in notice["reason"] for notice in data["notices"])
        assert words in page


def test_many_notices_are_cut_short_and_v_shows_all(tmp_path):
    log = tmp_path / "instances.log"
    odd = [{"index": i, "prediction": "a" * i, "reference": "b", "delays": [1.0] * 0} for i in range(3)]
    write_log(
        log, [*odd, {"index": 9, "prediction": "x", "reference": "x", "delays": [3.0], "source_length": 0}]
    )
    flags = ("score", "shortform", "--word_level", "--hypothesis_file", log)
    _, _, errors = command(*flags)
    found = re.search(
        r"3 × skipped, the hypothesis is empty \[(.*)\]: instance 0, instance 1, instance 2", errors
    )
    assert found
    assert re.fullmatch(r"YAAL \(CU\), AL \(CU\), LAAL \(CU\) and \d+ more", found[1])
    assert "source length is 0" in command(*flags, "-v")[2]
    assert "source length is 0" in command(*flags, "-q")[2]


def test_text_without_times_scores_quality_only(tmp_path):
    files = recordings(tmp_path)
    texts = [line["prediction"] for line in read_log(files["log"])]
    (tmp_path / "plain.txt").write_text("".join(text + "\n" for text in texts))
    files["log"] = str(tmp_path / "plain.txt")
    code, shown, _ = longform(files, "--hypothesis_format", "text", "--format", "tsv")
    assert code == 0
    assert [line.split("\t")[0] for line in shown.splitlines()] == ["metric", "BLEU", "chrF"]


def test_comet_is_left_out_with_one_line(tmp_path, monkeypatch):
    files = recordings(tmp_path)
    monkeypatch.setitem(sys.modules, "comet", None)
    code, shown, errors = longform(
        files, "--comet", "--source_sentences_file", files["references"], "--format", "tsv"
    )
    assert code == 0
    assert "COMET" not in shown
    assert [line for line in errors.splitlines() if "COMET" in line] == [
        "simul: corpus: no COMET: it needs the package unbabel-comet; pip install unbabel-comet."
    ]


def test_comet_stands_after_chrf(tmp_path, monkeypatch):
    files = recordings(tmp_path)
    package = ModuleType("comet")
    asked = {}

    def predict(rows, **options):
        asked["rows"] = rows
        return SimpleNamespace(scores=[0.5] * len(rows), system_score=0.5)

    def download(name, local_files_only):
        asked["local"] = local_files_only
        return "checkpoint"

    package.download_model = download  # type: ignore[attr-defined]
    package.load_from_checkpoint = lambda path: SimpleNamespace(predict=predict)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "comet", package)
    flags = ("--comet", "--source_sentences_file", files["references"], "--format", "tsv")
    _, shown, _ = longform(files, *flags)
    assert shown.splitlines()[3] == "COMET\t0.5000"
    assert asked["local"] is True
    assert set(asked["rows"][0]) == {"src", "mt", "ref"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["longform", "--word_level"], "exactly one of --speech_segmentation"),
        (["longform", "--word_level", "--char_level"], "exactly one of --word_level and --char_level"),
        (["shortform"], "exactly one of --word_level and --char_level"),
        (["shortform", "--word_level"], "add --hypothesis_file"),
        (["longform", "--word_level", "--speech_segmentation", "s.yaml"], "add --hypothesis_file"),
        (["shortform", "--word_level", "--hypothesis_file", "x", "-o", "r.pdf"], "no known suffix"),
        (["shortform", "--word_level", "--hypothesis_file", "x", "--comet"], "add --source_sentences_file"),
        (["shortform", "--word_level", "--hypothesis_file", "x", "--bootstrap", "-1"], "--bootstrap: it is -1; give 0"),
        (["longform", "--word_level", "--jobs", "0"], "--jobs: it is 0; give 1 to 256"),
        (["longfrom"], "did you mean 'longform'"),
        ([], "shortform, longform, speech, stats, compare"),
        (["compare", "--word_level", "a.log"], "two or more systems"),
        (["compare", "--word_level", "a=x.log", "a=y.log"], "called 'a'"),
        (["stats"], "Name a log"),
        (["speech"], "nothing to score"),
    ],
)  # fmt: skip
def test_wrong_usage_is_one_line(arguments, message):
    code, shown, errors = command("score", *arguments)
    assert (code, shown) == (2, "")
    assert message in errors
    assert errors.count("\n") == 1


def test_broken_files_name_file_and_line(tmp_path):
    log = utterances(tmp_path / "instances.log")
    log.write_text(log.read_text() + "{oops\n")
    code, _, errors = command("score", "shortform", "--word_level", "--hypothesis_file", log)
    assert code == 1
    assert f"{log}, line 13: it is not JSON" in errors
    code, _, errors = command(
        "score", "shortform", "--word_level", "--hypothesis_file", tmp_path / "none.log"
    )
    assert code == 1
    assert "cannot be read" in errors
    good = utterances(tmp_path / "good.log")
    code, _, errors = command(
        "score",
        "shortform",
        "--word_level",
        "--hypothesis_file",
        good,
        "-o",
        tmp_path / "good.log" / "r.json",
    )
    assert code == 1
    assert "cannot be written" in errors


def test_help_loads_nothing_heavy():
    for arguments in (["score", "--help"], ["score", "longform", "--help"], ["score", "compare", "--help"]):
        program = (
            "import sys; from simul.cli.main import main; "
            f"code = main({arguments!r}); "
            "print([m for m in ('numpy', 'numba', 'sacrebleu', 'rich', 'yaml') if m in sys.modules], file=sys.stderr)"
        )
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0
        assert done.stderr.strip() == "[]"
        assert "score" in done.stdout


def test_a_bar_is_drawn_on_a_terminal_only(tmp_path):
    files = recordings(tmp_path)
    assert "aligning" in longform(files, terminal=True)[2]
    assert "aligning" not in longform(files)[2]
    assert "aligning" not in longform(files, "-q", terminal=True)[2]
    assert "aligning: 3 of 3" in longform(files, "-v")[2]
