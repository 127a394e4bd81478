"""`simul translate` into several languages at once, with the models in the package."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import soundfile

from simul.cli.main import main

pytest.importorskip("pocketsphinx")
TALK = Path(__file__).resolve().parents[3] / "examples" / "travel.ogg"


@pytest.fixture(scope="module")
def beginning(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The first seconds of a talk: a greeting, and a train to Berlin."""
    samples, rate = soundfile.read(TALK, frames=7 * soundfile.info(TALK).samplerate)
    path = tmp_path_factory.mktemp("talk") / "talk.wav"
    soundfile.write(path, samples, rate)
    return str(path)


def test_a_folder_gets_a_file_for_each_language(beginning: str, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    given = ["translate", beginning, "--model", "embedded", "--target", "de,es,en", "-q"]
    assert main([*given, "-o", f"{folder}/"]) == 0
    assert sorted(path.name for path in folder.iterdir()) == ["talk.de.txt", "talk.en.txt", "talk.es.txt"]
    texts = {path.name.split(".")[1]: path.read_text("utf-8") for path in folder.iterdir()}
    assert "Berlin" in texts["de"]
    assert "Berlín" in texts["es"]
    assert "berlin" in texts["en"]


def test_one_text_names_the_language_of_each_line(beginning: str, capsys: pytest.CaptureFixture[str]) -> None:
    given = ["translate", beginning, "--model", "embedded", "--target", "de,es", "-q"]
    assert main(given) == 0
    lines = capsys.readouterr().out.splitlines()
    assert {line.split("\t")[0] for line in lines} == {"de", "es"}
    assert main([*given, "--format", "json"]) == 0
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    for code in ("de", "es"):
        settled = [e["text"] for e in events if e["type"] == "settled" and e["stream"] == code]
        segments = [line.split("\t")[1] for line in lines if line.startswith(code)]
        assert "".join(settled).split() == " ".join(segments).split()


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--captions"], "--captions serves one language; give --target one, not de, es."),
        (["--format", "srt"], "give -o a folder"),
        (["--speak", "x.wav"], "--speak serves one language"),
    ],
)
def test_what_serves_one_language_is_refused(
    beginning: str, more: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["translate", beginning, "--target", "de,es", *more]) == 2
    assert message in capsys.readouterr().err
