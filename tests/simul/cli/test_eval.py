"""`simul eval`: lists of recordings, what is printed, resumption, and the exit code when something is missing."""

import json

import pytest

from simul.errors import ExitCode
from tests.simul.scripted_cli import SOURCE, TEXT, command, talk

REFERENCE = "Morgen fahren wir früh los und kommen spät zurück."


@pytest.fixture
def table(tmp_path):
    """Three recordings in a subfolder, two of them marked English."""
    (tmp_path / "clips").mkdir()
    rows = ["id\tfile\tlang\ttext\tde"]
    for name, language in (("a", "en"), ("b", "en"), ("c", "fr")):
        talk(tmp_path / "clips" / f"{name}.wav")
        rows.append(f"{name}\tclips/{name}.wav\t{language}\t{SOURCE}\t{REFERENCE}")
    path = tmp_path / "list.tsv"
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


def scores(*arguments):
    code, out, err = command("eval", *arguments, "--json")
    return code, json.loads(out), err


def test_a_table_is_scored(table):
    code, found, err = scores(table)
    assert code == 0
    assert found["figures"]["recordings"] == 3
    assert found["figures"]["source_wer"] == 0
    assert set(found["scores"]) >= {"BLEU", "chrF", "AL (CU)", "LAAL (CA)", "YAAL (CU)"}
    assert "signature" in found["scores"]["BLEU"]
    assert "References: de." in err
    assert "Transcripts: text." in err


def test_the_table_printed_has_the_same_figures(table):
    value = scores(table)[1]["scores"]["BLEU"]["value"]
    out = command("eval", table)[1]
    row = next(line for line in out.splitlines() if line.startswith("BLEU"))
    assert row.split() == ["BLEU", f"{value:.2f}", "%"]
    assert command("eval", table, terminal=True)[1].count("LAAL (CU)") == 1


def test_a_bar_counts_the_recordings_on_a_terminal(table):
    err = command("eval", table, terminal=True)[2]
    assert "recordings" in err
    assert "0/3" in err
    assert "3/3" in err
    assert "━" not in command("eval", table)[2]
    assert "━" not in command("eval", table, "-q", terminal=True)[2]


def test_rows_are_chosen(table):
    assert scores(table, "--where", "lang=en")[1]["figures"]["recordings"] == 2
    assert scores(table, "--limit", "1")[1]["figures"]["recordings"] == 1


def test_transcription_takes_the_transcript_as_reference(table):
    code, found, err = scores(table, "--target", "en")
    assert "References: text." in err
    assert found["figures"]["wer"] is not None
    assert code == 0


def test_columns_are_named(table):
    found = scores(table, "--reference-column", "text", "--transcript-column", "de")[1]
    assert found["figures"]["source_wer"] > 50
    assert found["scores"]["BLEU"]["value"] < 5


def test_two_files_in_the_manner_of_simuleval(table, tmp_path):
    folder = table.parent / "clips"
    (tmp_path / "sources.txt").write_text(
        "".join(f"{folder}/{name}.wav\n" for name in "ab"), encoding="utf-8"
    )
    (tmp_path / "references.txt").write_text(f"{TEXT}\n{TEXT}\n", encoding="utf-8")
    options = ("--source-list", tmp_path / "sources.txt", "--references", tmp_path / "references.txt")
    assert scores(*options)[1]["scores"]["BLEU"]["value"] == pytest.approx(100)
    (tmp_path / "references.txt").write_text(f"{TEXT}\n", encoding="utf-8")
    code, _, err = command("eval", *options)
    assert code == ExitCode.USAGE
    assert "2 recordings" in err
    code, _, err = command("eval", *options[:2])
    assert code == 0
    assert "No references" in err


def test_long_form(table, tmp_path):
    segments = tmp_path / "segments.tsv"
    first, second = TEXT.split(". ")
    segments.write_text(f"id\tstart\tend\ttext\n1\t0\t3\t{first}.\n2\t3\t6\t{second}\n", encoding="utf-8")
    code, found, err = scores(table, "--limit", "1", "--segmentation", segments)
    assert code == 0
    assert "2 reference segments" in err
    assert found["scores"]["BLEU"]["value"] == pytest.approx(100)
    assert found["scores"]["LongYAAL (CU)"]["counted"] == 2
    code, _, err = command("eval", table, "--segmentation", segments)
    assert code == ExitCode.USAGE
    assert "wav" in err


def test_missing_recordings_are_not_averaged_away(table):
    (table.parent / "clips" / "b.wav").unlink()
    code, found, err = scores(table)
    assert code == ExitCode.PARTIAL
    assert list(found["failures"]) == ["b"]
    assert "1 of 3 recordings are missing" in err
    for name in "ac":
        (table.parent / "clips" / f"{name}.wav").unlink()
    assert command("eval", table)[0] == ExitCode.FAILED


def test_logs_and_resumption(table, tmp_path):
    log = tmp_path / "log"
    (table.parent / "clips" / "b.wav").rename(table.parent / "away.wav")
    assert command("eval", table, "--log", log)[0] == ExitCode.PARTIAL
    (table.parent / "away.wav").rename(table.parent / "clips" / "b.wav")
    before = (log / "events" / "a.jsonl").stat().st_mtime_ns
    assert command("eval", table, "--log", log, "--resume")[0] == 0
    assert (log / "events" / "a.jsonl").stat().st_mtime_ns == before
    lines = (log / "instances.log").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["index"] for line in lines] == [0, 1, 2]
    code, _, err = command("eval", table, "--log", log, "--resume", "--chunk-ms", "250")
    assert code == ExitCode.USAGE
    assert "other settings" in err


def test_processes(table):
    assert scores(table, "--jobs", "2")[1]["scores"]["BLEU"] == scores(table)[1]["scores"]["BLEU"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("id\ttext\nx\thello\n", "no column called audio"),
        ("id\tfile\n", "at least one row"),
        ("id\tfile\nx\n", "1 cells"),
        ("", "at least one row"),
        ("file\tde\n\thello\n", "its cell in the column file is empty"),
    ],
)
def test_lists_that_are_none(tmp_path, text, told):
    path = tmp_path / "list.tsv"
    path.write_text(text, encoding="utf-8")
    code, _, err = command("eval", path)
    assert code == ExitCode.USAGE
    assert told in err


def test_wrong_use_is_named(table, tmp_path):
    assert command("eval")[0] == ExitCode.USAGE
    assert command("eval", table, "--where", "language=en")[0] == ExitCode.USAGE
    assert command("eval", table, "--where", "lang=xx")[0] == ExitCode.USAGE
    assert command("eval", table, "--reference-column", "es")[0] == ExitCode.USAGE
    assert command("eval", table, "--jobs", "0")[0] == ExitCode.USAGE
    assert command("eval", table, "--resume")[0] == ExitCode.USAGE
    assert command("eval", tmp_path / "none.tsv")[0] == ExitCode.FAILED
