"""`simul text`: a line out for each line in, several languages, and reading under a policy."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from simul.errors import ExitCode
from tests.simul.scripted_cli import command

LINES = "The children are playing in the garden.\n\nHow are you today? I am fine.\n"


@pytest.fixture(autouse=True)
def only_embedded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever else is on this machine."""
    from simul.backends import families

    monkeypatch.setattr(families, "installed_translators", lambda source, target: [])


def lines(target: str) -> list[str]:
    code, out, err = command("text", "--target", target, stdin=LINES.encode())
    assert code == 0
    assert err == f"en to {target}: embedded translator.\n"
    return out.splitlines()


def test_a_line_comes_out_for_each_line_that_goes_in(tmp_path: Path) -> None:
    german = lines("de")
    assert len(german) == 3
    assert german[0].startswith("Die Kinder spielen")
    assert german[1] == ""
    path = tmp_path / "lines.txt"
    path.write_bytes(b"\xef\xbb\xbf" + LINES.replace("\n", "\r\n").encode())
    code, out, err = command("text", "-q", "--target", "de", path)
    assert (code, out.splitlines(), err) == (0, german, "")


def test_several_languages_are_columns_and_loaded_once() -> None:
    code, out, err = command("text", "--target", "es,de", stdin=LINES.encode())
    assert code == 0
    columns = [line.split("\t") for line in out.splitlines()]
    assert columns == [list(pair) for pair in zip(lines("es"), lines("de"), strict=True)]
    assert err == "en to es, de: embedded translator.\n"


def test_json_names_the_source_and_every_target() -> None:
    code, out, _ = command("text", "--target", "de,es", "--format", "json", stdin=LINES.encode())
    assert code == 0
    told = [json.loads(line) for line in out.splitlines()]
    assert [row["source"] for row in told] == LINES.splitlines()
    assert [row["targets"]["es"] for row in told] == lines("es")
    assert [list(row["targets"]) for row in told] == [["de", "es"]] * 3


def test_a_policy_shows_what_is_written_after_how_many_words() -> None:
    given = ("text", "--target", "es", "--policy", "wait-k", "--policy-arg", "k=3")
    code, out, _ = command(*given, "--format", "json", stdin=LINES.encode())
    assert code == 0
    first = json.loads(out.splitlines()[0])
    reading = first["targets"]["es"]
    assert first["policy"] == "wait-k"
    assert reading["delays"][0] == 3
    assert reading["delays"] == sorted(reading["delays"])
    assert len(reading["delays"]) == len(reading["text"].split())
    assert "".join(step["text"] for step in reading["steps"]).strip() == reading["text"]
    assert reading["laal"] > 2
    code, shown, _ = command(*given, stdin=LINES.encode())
    rows = shown.splitlines()
    assert rows[0] == "en  The children are playing in the garden."
    assert rows[1].startswith("es  " + reading["text"] + "  (LAAL ")
    assert rows[2].split()[:4] == ["3", "The", "children", "are"]


@pytest.mark.parametrize(
    ("arguments", "stdin", "said"),
    [
        (("--target", "en"), b"", "a language other than 'en'"),
        (("--target", "it"), b"", "embedded translator turns English into"),
        (("--policy-arg", "k=3"), b"", "name one with --policy"),
        (("--policy", "wait-q"), b"", "wait-k"),
        ((), b"fine\ncaf\xe9\n", "Standard input is not text in UTF-8 (line 2)"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(arguments: tuple[str, ...], stdin: bytes, said: str) -> None:
    code, _, err = command("text", *arguments, stdin=stdin)
    assert code == ExitCode.USAGE
    assert said in err
    assert len(err.strip().splitlines()) <= 2


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    code, _, err = command("text", "-q", tmp_path / "nowhere.txt")
    assert code == ExitCode.FAILED
    assert "nowhere.txt" in err
