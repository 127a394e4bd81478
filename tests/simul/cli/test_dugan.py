"""`simul dugan`: tables and JSON, the bar, kept windows, wrong use."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
import soundfile

from simul.errors import ExitCode
from simul.evaluation.dugan.experiment import ROWS
from simul.evaluation.dugan.windows import DecodedWindows, read_passes
from tests.simul.evaluation.dugan.cascade import RATE, TEXT, audio, cascade
from tests.simul.scripted_cli import command


@pytest.fixture
def table(tmp_path: Path) -> Path:
    soundfile.write(tmp_path / "a.wav", audio(), RATE)
    rows = ["id\tfile\tde", f"a\ta.wav\t{TEXT}"]
    (tmp_path / "list.tsv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return tmp_path / "list.tsv"


def load(config, source, target, needs):
    return SimpleNamespace(backend=cascade(), description="A cascade.")


def test_the_command(table: Path, tmp_path: Path) -> None:
    arguments = ("dugan", table, "--increment", "0.2", "--increment", "0.4", "--passes", tmp_path / "kept")
    code, out, err = command(*arguments, loader=load)
    assert code == 0, err
    assert "faithful: BLEU" in out
    assert "| Offline | 100.0 (" in out
    assert "same |" in out
    assert "Tokens are words" in err
    assert (tmp_path / "kept" / "en-de.passes.jsonl").is_file()
    code, out, _ = command(*arguments, "--json", loader=load)
    found = json.loads(out)
    assert len(found) == 24
    assert {r["profile"] for r in found} == {"faithful", "fixed"}
    code, out, _ = command("dugan", f"en-de={table}", "--pseudo-references", "--json", loader=load)
    assert all(r["bleu"] == pytest.approx(100) for r in json.loads(out) if r["row"] == "Offline")


def test_a_bar_is_drawn_on_a_terminal(table: Path) -> None:
    code, _, err = command("dugan", table, terminal=True, loader=load)
    assert code == 0
    assert "utterances" in err
    assert "24/24" in err


def test_a_stopped_run_keeps_its_windows(table: Path, tmp_path: Path, monkeypatch) -> None:
    def stop(self) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(DecodedWindows, "whole", stop)
    command("dugan", table, "--passes", tmp_path, loader=load)
    monkeypatch.undo()
    (kept,) = read_passes(tmp_path / "en-de.passes.jsonl").values()
    assert kept.passes
    assert kept.offline is None
    code, _, err = command("dugan", table, "--passes", tmp_path, loader=load)
    assert code == 0, err


def test_wrong_use_is_named(table: Path) -> None:
    assert command("dugan", loader=load)[0] == ExitCode.USAGE
    assert command("dugan", table, "--limit", "0", loader=load)[0] == ExitCode.USAGE
    for seconds in ("0", "nan", "0.00001"):
        code, _, err = command("dugan", table, "--increment", seconds, loader=load)
        assert (code, "give a number from 0.1 on" in err) == (ExitCode.USAGE, True)
    assert "The name of a list is empty" in command("dugan", "en-de=", loader=load)[2]
    code, _, err = command("dugan", table, "--target", "es", loader=load)
    assert code == ExitCode.USAGE
    assert "--reference-column" in err
    assert "twice" in command("dugan", table, table, loader=load)[2]


def test_recordings_that_cannot_be_heard_are_left_out_and_told(table: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.wav").write_bytes(b"RIFF\x00\x00\x00\x00WAVE")
    lines = table.read_text("utf-8").splitlines()
    table.write_text("\n".join([lines[0], f"b\tbad.wav\t{TEXT}", lines[1]]) + "\n", encoding="utf-8")
    code, out, err = command("dugan", table, "--increment", "0.2", "--json", loader=load)
    assert code == ExitCode.PARTIAL, err
    assert "bad.wav" in err
    assert "It is left out." in err
    assert {row["utterances"] for row in json.loads(out)} == {1}
    table.write_text("\n".join([lines[0], f"b\tbad.wav\t{TEXT}"]) + "\n", encoding="utf-8")
    code, out, err = command("dugan", table, loader=load)
    assert (code, out) == (ExitCode.FAILED, "")
    assert "No recording of" in err


def test_a_whisper_model_counts_its_own_tokens(tiny_whisper: Path, tmp_path: Path) -> None:
    from simul.backends.families import load_backend
    from tests.tiny_models import ENGLISH, tones

    samples, _ = tones([0, 3, 5], [3000, 3000, 3000])
    expected = " ".join(ENGLISH[w] for w in (0, 3, 5))
    soundfile.write(tmp_path / "a.wav", samples, RATE)
    (tmp_path / "list.tsv").write_text(f"id\tfile\ttranslation\na\ta.wav\t{expected}\n", encoding="utf-8")
    code, out, err = command(
        "dugan",
        f"en-en={tmp_path / 'list.tsv'}",
        "--model",
        tiny_whisper,
        "--json",
        "--increment",
        "0.5",
        loader=load_backend,
    )
    assert code == 0, err
    found = json.loads(out)
    assert [r["row"] for r in found[:6]] == [row[0] for row in ROWS]
    assert len(found) == 12
    assert "Tokens are words" not in err
