"""`simul translate` into several languages at once, with the models in the package."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import pytest
import soundfile

from simul.cli import translate
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
        (["--format", "srt"], "give -o a folder"),
        (["--play", "--simulate"], "add --play-language with one of de, es."),
        (["--play", "--simulate", "--play-language", "fr"], "fr is none of the targets; name one of de, es."),
        (["--play-language", "de"], "give --play too."),
        (["--speak", "x.wav"], "needs a file each; give --speak a folder, such as speech/."),
        (["--speak", "-", "-o", "x.txt"], "give --speak a folder"),
    ],
)
def test_what_serves_one_language_is_refused(
    beginning: str, more: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["translate", beginning, "--target", "de,es", *more]) == 2
    assert message in capsys.readouterr().err


def test_captions_without_a_terminal_are_text(beginning: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["translate", beginning, "--model", "embedded", "--target", "de,es", "--captions"]) == 0
    said = capsys.readouterr()
    assert {line.split("\t")[0] for line in said.out.splitlines()} == {"de", "es"}
    assert "--captions needs a terminal" in said.err


def test_one_of_several_languages_is_played(beginning: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def voice(engine: object, given: argparse.Namespace, *rest: object) -> None:
        asked.append((engine, given.play))

    monkeypatch.setattr(translate, "engine_of", lambda given, context, code: code)
    monkeypatch.setattr(translate, "make_voice", voice)
    given = ["translate", beginning, "--model", "embedded", "--target", "de,es", "-q", "--simulate"]
    assert main([*given, "--play", "--play-language", "es"]) == 0
    assert asked == [("es", True)]


def test_subtitles_and_speech_have_a_file_for_each_language(beginning: str, tmp_path: Path) -> None:
    pytest.importorskip("espeakng_loader")
    given = ["translate", beginning, "--model", "embedded", "--target", "de,es", "-q", "--format", "vtt"]
    assert main([*given, "-o", f"{tmp_path}/out/", "--speak", f"{tmp_path}/speech/"]) == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["talk.de.vtt", "talk.es.vtt"]
    assert "Berlín" in (tmp_path / "out" / "talk.es.vtt").read_text("utf-8")
    lengths = {}
    for code in ("de", "es"):
        samples, rate = soundfile.read(tmp_path / "speech" / f"talk.{code}.wav")
        assert abs(samples).max() > 0.1
        lengths[code] = len(samples) / rate
    assert lengths["de"] != lengths["es"]


def test_speech_events_name_their_language(
    beginning: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("espeakng_loader")
    given = ["translate", beginning, "--model", "embedded", "--target", "de,es", "-q", "--format", "json"]
    assert main([*given, "--speak", f"{tmp_path}/speech/"]) == 0
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    for code in ("de", "es"):
        settled, spoken = (
            "".join(e["text"] + " " for e in events if e["type"] == kind and e["stream"] == code)
            for kind in ("settled", "speech")
        )
        assert spoken.split() == settled.split()


def test_each_language_has_a_folder_of_logs_that_another_run_may_not_replace(
    beginning: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["translate", beginning, "--model", "embedded", "--target", "de,es", "-q", "--log", str(tmp_path)]
    assert main(given) == 0
    lines = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    for code in ("de", "es"):
        (instance,) = (tmp_path / code / "instances.log").read_text("utf-8").splitlines()
        text = " ".join(line for language, line in lines if language == code)
        assert json.loads(instance)["prediction"].split() == text.split()
        events = [json.loads(x) for x in (tmp_path / code / "events" / "talk.jsonl").read_text().splitlines()]
        assert {e["stream"] for e in events} == {code}
        assert json.loads((tmp_path / code / "settings.json").read_text())["target"] == code
    assert main([*given, "--chunk-ms", "700"]) == 2
    assert "--overwrite" in capsys.readouterr().err


def test_files_of_each_language_are_kept_apart_from_inputs(
    beginning: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, other = tmp_path / "talk.wav", tmp_path / "talk.de.wav"
    for place in (source, other):
        place.write_bytes(Path(beginning).read_bytes())
    given = ["translate", str(source), str(other), "--model", "embedded", "--target", "de,es"]
    assert main([*given, "--speak", f"{tmp_path}/"]) == 2
    assert f"{other} is an input and would be overwritten by --speak" in capsys.readouterr().err
    assert other.read_bytes() == source.read_bytes()


def test_replacing_what_an_earlier_run_wrote_is_said(
    beginning: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for given, first in ((["--target", "de,es"], "talk.de.txt"), (["--target", "en"], "talk.txt")):
        command = ["translate", beginning, "--model", "embedded", *given, "-o", f"{tmp_path}/"]
        assert main(command) == 0
        assert "Replacing" not in capsys.readouterr().err
        assert main(command) == 0
        more = " and 1 more" if "," in given[1] else ""
        assert f"Replacing {tmp_path}/{first}{more}, which an earlier run wrote." in capsys.readouterr().err
