"""`simul models`: lists, fetches, checks, finds and removes models, and says what to do about each that is missing."""

from __future__ import annotations

import json
import sys
from importlib import invalidate_caches
from pathlib import Path
from typing import Any

import pytest

from simul.errors import ExitCode
from simul.models.catalogue import ENTRIES, mozilla
from tests.simul.models.catalogue.packages import CONTENTS, entry, install_halves, split_entry, write
from tests.simul.models.catalogue.server import serving
from tests.simul.models.catalogue.test_downloads import mozilla as offer
from tests.simul.scripted_cli import command

NAME = "toy:a-b"


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs the command with a user's folders inside the test's."""
    environ = {"XDG_CACHE_HOME": str(tmp_path / "cache"), "HF_HUB_CACHE": str(tmp_path / "hub")}

    def run(*arguments: object, **given: Any) -> tuple[int, str, str]:
        return command("models", *arguments, environ=environ, **given)

    return run


@pytest.fixture
def halves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A model of the catalogue whose weights lie in two installed packages."""
    monkeypatch.setitem(ENTRIES, NAME, split_entry())  # type: ignore[arg-type]
    monkeypatch.syspath_prepend(tmp_path / "site")
    install_halves(tmp_path / "site")
    invalidate_caches()
    return tmp_path / "site"


def test_the_list_names_every_model_with_licence_place_and_what_brings_it(models: Any) -> None:
    code, out, _ = models()
    assert code == ExitCode.OK
    lines = out.splitlines()
    for name, found in ENTRIES.items():
        (line,) = (line for line in lines if line.startswith(name + " "))
        assert found.licence in line
        ways = ("simul models pull", "pip install", "comes with the toolkit")
        assert ("  no  " in line) == any(way in line for way in ways)


def test_a_model_in_pieces_is_listed_without_being_joined_and_joined_by_where(
    models: Any, halves: Path, tmp_path: Path
) -> None:
    (listed,) = json.loads(models("list", NAME, "--format", "json")[1])
    assert (listed["installed"], listed["source"], listed["path"]) == (True, "package", None)
    assert [file["sha256"] for file in listed["files"]] == [f.sha256 for f in split_entry().files]
    folder = tmp_path / "cache" / "simul" / "models" / "toy-a-b"
    assert "joined on first use" in models("list", NAME)[1]
    assert not folder.exists()
    assert models("where", NAME)[:2] == (ExitCode.OK, f"{folder}\n")
    assert (folder / "model.bin").read_bytes() == CONTENTS["model.bin"]
    assert "the toolkit's cache" in models("list", NAME)[1]
    assert "toy_one" not in sys.modules


def test_verify_reads_everything_anew_and_names_the_wrong_file(
    models: Any, halves: Path, tmp_path: Path
) -> None:
    models("where", NAME)
    code, out, _ = models("verify", NAME)
    assert (code, out.count("✓ toy:a-b")) == (ExitCode.OK, 2)
    folder = tmp_path / "cache" / "simul" / "models" / "toy-a-b"
    (folder / "config.json").write_text("[]")
    code, out, err = models("verify", NAME)
    assert (code, out.count("✓"), out.count("✗")) == (ExitCode.FAILED, 1, 1)
    assert str(folder / "config.json") in err
    assert split_entry().files[1].sha256 in err
    results = json.loads(models("verify", NAME, "--format", "json")[1])
    assert [bool(result["wrong"]) for result in results] == [True, False]


def test_rm_deletes_what_the_toolkit_keeps_and_says_how_the_rest_goes(
    models: Any, halves: Path, tmp_path: Path
) -> None:
    models("where", NAME)
    code, out, err = models("rm", NAME)
    assert (code, out) == (ExitCode.OK, "")
    assert "removed" in err
    assert not (tmp_path / "cache" / "simul" / "models" / "toy-a-b").exists()
    code, _, err = models("rm", NAME)
    assert code == ExitCode.FAILED
    assert "pip uninstall toy-one toy-two" in err
    assert halves.joinpath("toy_one", "data", "config.json").exists()


def test_pull_fetches_into_the_cache(models: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with serving({f"/{name}": content for name, content in CONTENTS.items()}) as server:
        toy = entry(addresses={name: f"{server.address}/{name}" for name in CONTENTS})
        monkeypatch.setitem(ENTRIES, NAME, toy)  # type: ignore[arg-type]
        assert models("where", NAME)[0] == ExitCode.MODEL_MISSING
        assert server.asked == []
        code, out, err = models("pull", NAME)
    folder = tmp_path / "cache" / "simul" / "models" / "toy-a-b"
    assert (code, out) == (ExitCode.OK, f"{folder}\n")
    assert "Licence MIT" in err
    assert {path.name for path in folder.iterdir()} == set(CONTENTS)


def test_a_server_that_fails_is_exit_code_5(models: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving({}) as server:
        toy = entry(addresses={name: f"{server.address}/{name}" for name in CONTENTS})
    monkeypatch.setitem(ENTRIES, NAME, toy)  # type: ignore[arg-type]
    code, _, err = models("pull", NAME)
    assert (code, err.count("\n")) == (ExitCode.CONNECTION, 1)


def test_a_pair_that_the_catalogue_lacks_is_shown_and_taken_only_at_the_user_s_word(
    models: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(offer()) as server:
        monkeypatch.setattr(
            mozilla.offered, "__defaults__", (server.address + "/records", server.address + "/")
        )
        code, out, err = models("pull", "firefox:en-it")
        word = err.split("--accept ")[1].strip()
        assert (code, out) == (ExitCode.USAGE, "")
        assert "nobody has checked" in err
        assert f"model.enit.bin, 900 bytes, SHA-256 {word}" in err
        assert all(not path.endswith(".bin") for _, path in server.asked)
        assert models("pull", "firefox:en-it", "--accept", "0" * 64)[0] == ExitCode.USAGE
        code, out, _ = models("pull", "firefox:en-it", "--accept", word)
    assert code == ExitCode.OK
    assert models("where", "firefox:en-it")[1] == out
    assert "en→it" in models()[1]
    assert models("rm", "firefox:en-it")[0] == ExitCode.OK
    assert models("where", "firefox:en-it")[0] == ExitCode.USAGE


def test_folders_of_the_user_come_first(models: Any, halves: Path, tmp_path: Path) -> None:
    mine = write(tmp_path / "mine")
    assert models("where", NAME, "--models", mine)[1] == f"{mine}\n"
    assert str(mine) in models("list", NAME, "--models", mine)[1]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["fetch"], "invalid choice"),
        (["pull"], "Name a model"),
        (["where", "nothing"], "no model 'nothing'"),
        (["verify", "--accept", "a"], "--accept"),
    ],
)
def test_wrong_usage_is_one_line(models: Any, arguments: list[str], told: str) -> None:
    code, out, err = models(*arguments)
    assert (code, out, err.count("\n")) == (ExitCode.USAGE, "", 1)
    assert told in err
