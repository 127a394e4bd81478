"""Folders of results: one run at a time, and no other run's results replaced unasked."""

import json
from pathlib import Path

import pytest

from simul.errors import ExitCode, SimulError, UsageError
from simul.evaluation.claim import claimed, locked
from tests.simul.scripted_cli import command, talk


def test_a_folder_is_held_by_one_run_at_a_time(tmp_path: Path):
    with locked(tmp_path), pytest.raises(UsageError, match="is in use by another run"), locked(tmp_path):
        pass
    with locked(tmp_path):
        pass
    assert list(tmp_path.iterdir()) == []


def test_the_same_settings_may_replace_their_results(tmp_path: Path):
    for _ in range(2):
        with claimed(tmp_path / "d", {"n": 1, "model": {"beam": 2}}) as folder:
            (folder / "instances.log").write_text("{}\n")
    told = pytest.raises(UsageError, match=r"another run \(beam 2 there, 3 here\)")
    with told, claimed(tmp_path / "d", {"n": 1, "model": {"beam": 3}}):
        pass
    with claimed(tmp_path / "d", {"n": 2}, overwrite=True):
        pass
    assert json.loads((tmp_path / "d" / "settings.json").read_text()) == {"n": 2}


@pytest.mark.parametrize("kept", [None, "{", "[1]", '{"n": 1}'])
def test_results_of_unknown_settings_are_kept(tmp_path: Path, kept: str | None):
    (tmp_path / "scores.json").write_text("{}")
    if kept:
        (tmp_path / "settings.json").write_text(kept)
    with pytest.raises(UsageError, match="--overwrite"), claimed(tmp_path, None):
        pass


def test_a_file_is_no_folder(tmp_path: Path):
    (tmp_path / "f").write_text("")
    with pytest.raises(SimulError, match="is a file"), claimed(tmp_path / "f", {}):
        pass


def test_translations_do_not_replace_each_other(tmp_path: Path):
    one, two = talk(tmp_path / "one.wav"), talk(tmp_path / "two.wav")
    log = tmp_path / "log"
    assert command("translate", one, "--log", log)[0] == 0
    assert command("translate", one, "--log", log)[0] == 0
    before = (log / "instances.log").read_text()
    for arguments in (["translate", two], ["translate", one, "--chunk-ms", "250"], ["mic"]):
        code, out, err = command(*arguments, "--log", log, sound=_NoSound())
        assert (code, out) == (ExitCode.USAGE, ""), err
        assert "holds the results of another run" in err
    assert (log / "instances.log").read_text() == before
    assert command("translate", two, "--log", log, "--overwrite")[0] == 0
    assert "two.wav" in (log / "instances.log").read_text()


def test_evaluations_do_not_replace_each_other(tmp_path: Path):
    table = tmp_path / "list.tsv"
    table.write_text(f"audio\treference\n{talk(tmp_path / 'a.wav')}\tMorgen.\n", encoding="utf-8")
    log = tmp_path / "log"
    assert command("eval", table, "--log", log)[0] == 0
    assert command("eval", table, "--log", log)[0] == 0
    before = (log / "results.jsonl").read_text()
    code, out, err = command("eval", table, "--log", log, "--policy", "hold-n")
    assert (code, out) == (ExitCode.USAGE, "")
    assert 'policy "local-agreement" there, "hold-n" here' in err
    assert (log / "results.jsonl").read_text() == before
    assert command("eval", table, "--log", log, "--policy", "hold-n", "--overwrite")[0] == 0
    assert command("eval", table, "--log", log, "--resume", "--overwrite")[0] == ExitCode.USAGE


def test_a_folder_in_use_is_told_of(tmp_path: Path):
    wav = talk(tmp_path / "a.wav")
    (tmp_path / "log").mkdir()
    with locked(tmp_path / "log"):
        code, out, err = command("translate", wav, "--log", tmp_path / "log")
    assert (code, out) == (ExitCode.USAGE, "")
    assert "log is in use by another run" in err


class _NoSound:
    """A sound system with one microphone, which is never opened."""

    PortAudioError = RuntimeError

    def __init__(self) -> None:
        self.default = type("Default", (), {"device": [0, 0]})

    def query_hostapis(self):
        return [{"name": "ALSA"}]

    def query_devices(self):
        return [{"name": "Mic", "hostapi": 0, "max_input_channels": 1, "default_samplerate": 16000.0}]
