"""`simul sweep`: curves, JSON, pseudo-references, long form, wrong use."""

from __future__ import annotations

import json
import sys

import pytest

from simul.errors import ExitCode
from simul.evaluation.claim import locked
from simul.evaluation.sweep.grid import parse_grid
from tests.simul.scripted_cli import SOURCE, TEXT, command, talk

REFERENCE = "Morgen fahren wir früh los und kommen spät zurück."
GRID = "offline;local-agreement:n=1,2,3;hold-n:n=1,2,4;wait-k:k=2,4;sliding-window"


@pytest.fixture
def table(tmp_path):
    rows = ["id\tfile\ttext\tde"]
    for name in "ab":
        talk(tmp_path / f"{name}.wav")
        rows.append(f"{name}\t{name}.wav\t{SOURCE}\t{REFERENCE}")
    path = tmp_path / "list.tsv"
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


def test_the_command_writes_curves_that_need_nothing_else(table, tmp_path):
    pytest.importorskip("matplotlib")
    folder = tmp_path / "out"
    code, out, err = command("sweep", table, "--grid", GRID, "-o", folder)
    assert code == 0, err
    assert "hold-n" in out
    assert "3 s LAAL" in out
    page = (folder / "curves.html").read_text(encoding="utf-8")
    assert page.count("<svg") >= 3
    assert page.count("<title>hold-n n=1: ") == page.count("<svg")
    assert "http" not in page
    assert "<script" not in page
    png = (folder / "curves.png").read_bytes()
    assert png.startswith(b"\x89PNG")
    assert len(png) > 20_000
    assert len((folder / "results.jsonl").read_text(encoding="utf-8").splitlines()) == len(parse_grid(GRID))


def test_results_as_json_name_the_best(table):
    code, out, _ = command("sweep", table, "--grid", GRID, "--json")
    found = json.loads(out)
    assert code == 0
    assert set(found["best"]) == {"1", "2", "3"}
    assert len(found["points"]) == len(parse_grid(GRID))
    assert not found["pseudo_references"]


def test_pseudo_references_are_announced_and_offline_is_added(table):
    code, out, err = command("sweep", table, "--grid", "hold-n:n=1", "--json", "--pseudo-references")
    found = json.loads(out)
    assert code == 0
    assert "pseudo-references" in err
    assert [p["policy"] for p in found["points"]] == ["offline", "hold-n"]
    assert found["points"][0]["scores"]["chrF"] == pytest.approx(100)


def test_long_form(table, tmp_path):
    segments = tmp_path / "segments.tsv"
    first, second = TEXT.split(". ")
    segments.write_text(f"id\tstart\tend\ttext\n1\t0\t3\t{first}.\n2\t3\t6\t{second}\n", encoding="utf-8")
    code, out, err = command(
        "sweep", table, "--limit", "1", "--segmentation", segments, "--grid", "offline;hold-n:n=1", "--json"
    )
    assert code == 0, err
    found = json.loads(out)
    assert found["latency"] == "LongLAAL (CU)"
    assert found["points"][0]["scores"]["BLEU"] == pytest.approx(100)
    assert "LongYAAL (CU)" in found["points"][1]["scores"]


def test_wrong_use_is_named(table, tmp_path):
    assert command("sweep", table, "--jobs", "0")[0] == ExitCode.USAGE
    assert command("sweep", table, "--resume")[0] == ExitCode.USAGE
    assert command("sweep", table, "--no-model")[0] == ExitCode.USAGE
    assert command("sweep", table, "--grid", "hold-n:m=3")[0] == ExitCode.USAGE
    assert command("sweep")[0] == ExitCode.USAGE
    assert "The name of a list is empty" in command("sweep", "")[2]
    code, _, err = command("sweep", table, "--grid", "offline", "--trace", table)
    assert (code, err) == (ExitCode.FAILED, f"simul: {table} is a file; give the name of a folder.\n")
    (table.parent / "b.wav").unlink()
    code, _, err = command("sweep", table, "--grid", "offline")
    assert code == ExitCode.PARTIAL
    assert "1 of 2 recordings are missing" in err


def test_curves_that_cannot_be_written_leave_the_table(table, tmp_path):
    (tmp_path / "out" / "curves.html").mkdir(parents=True)
    code, out, err = command("sweep", table, "--grid", "offline", "-o", tmp_path / "out", "-q")
    assert code == ExitCode.FAILED
    assert "offline" in out
    assert "curves.html" in err
    assert err.count("\n") == 1


def test_without_matplotlib_there_is_a_page_and_one_sentence(table, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    code, _, err = command("sweep", table, "--grid", "offline;hold-n:n=1", "-o", tmp_path / "out")
    assert code == 0
    assert err.count("Pictures need matplotlib") == 1
    assert "plot" in err
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "curves.html", "items.jsonl", "results.jsonl", "settings.json"
    ]  # fmt: skip


def test_two_sweeps_do_not_write_one_trace(table, tmp_path):
    traces = tmp_path / "traces"
    traces.mkdir()
    arguments = ("sweep", table, "--grid", "offline", "--trace", traces)
    with locked(traces):
        code, _, err = command(*arguments)
    assert code == ExitCode.USAGE
    assert "in use by another run" in err
    assert command(*arguments)[0] == 0
    assert command(*arguments, "-o", traces)[0] == 0
