"""`simul train student` from text to parts at toy size; mistakes are named."""

import errno
import gzip
import json
import shutil
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from simul.cli.train.place import full_disk_named
from simul.errors import ExitCode, OutputError
from simul.evaluation.claim import locked
from tests.simul.scripted_cli import command
from tests.simul.training.student.toy import write_student, write_text

pytestmark = pytest.mark.skipif(
    not all(find_spec(name) for name in ("torch", "num2words")), reason="the recipe needs the extra [train]"
)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path]:
    """(student, text, prepared)."""
    root = tmp_path_factory.mktemp("student")
    student, text, run = write_student(root / "student"), write_text(root / "text"), root / "run"
    code, out, _ = command(
        *("train", "student", "prepare", "--start", student, "--data", text),
        *("--languages", "de", "--output", run, "--vocabulary", 60),
    )
    assert code == ExitCode.OK
    assert out.startswith("de: ")
    return student, text, run


def test_a_run_is_trained_continued_and_exported(folders: tuple[Path, Path, Path], tmp_path: Path) -> None:
    student, _, run = folders
    train = ("train", "student", "train", "--start", student, "--languages", "de", "--output", run)
    code, out, said = command(*train, "--steps", 3, "--precision", "float32", "--tokens", 300)
    assert code == ExitCode.OK
    assert "nats a piece" in out
    assert "3 steps" in said
    code, _, said = command(*train, "--steps", 5, "--precision", "float32", "--tokens", 300)
    assert code == ExitCode.OK
    assert "Going on from step 3" in said
    parts = tmp_path / "parts"
    code, out, _ = command(
        *("train", "student", "export", "--start", student, "--run", run),
        *("--languages", "de", "--output", parts, "--own", "pt"),
    )
    assert code == ExitCode.OK
    assert {p.name for p in parts.iterdir()} == {
        "encoder.npz",
        "source.spm",
        "de.npz",
        "de.model",
        "pt.npz",
        "student.json",
    }
    with np.load(student / "encoder.npz") as before, np.load(parts / "encoder.npz") as after:
        assert sorted(before) == sorted(after)
        assert all(np.array_equal(before[name], after[name]) for name in before)


def test_a_student_teaches_its_own_language(folders: tuple[Path, Path, Path], tmp_path: Path) -> None:
    student, text, _ = folders
    table = tmp_path / "own" / "train.en-pt.tsv.gz"
    code, out, _ = command(
        *("train", "student", "teach", "--start", student, "--data", text, "--of", "de"),
        *("--language", "pt", "--output", table, "--limit", 5),
    )
    assert code == ExitCode.OK
    assert out == f"{table}: 10 pairs\n"


def test_a_tagger_is_trained_on_the_english_side(folders: tuple[Path, Path, Path], tmp_path: Path) -> None:
    student, text, _ = folders
    code, out, _ = command(
        *("train", "student", "restorer", "--start", student, "--data", text),
        *("--languages", "de", "--output", tmp_path / "restorer.npz", "--texts", 40),
    )
    assert code == ExitCode.OK
    assert set(json.loads(out)) >= {"cases", "ends recall"}
    with np.load(tmp_path / "restorer.npz") as made:
        assert made["tagger_W2"].dtype == np.int8


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "Name a step: teach, prepare, train, export, score, restorer"),
        (("tune",), "no command `simul train student tune`"),
        (("train", "--start", "x", "--languages", ",", "--output", "y"), "--languages is empty"),
        (
            ("train", "--start", "x", "--languages", "de", "--output", "y", "--threads", "0"),
            "--threads: it is 0; give 1 to 128",
        ),
    ],
)
def test_mistakes_on_the_command_line_are_named(arguments: tuple[str, ...], message: str) -> None:
    code, _, said = command("train", "student", *arguments)
    assert code == ExitCode.USAGE
    assert message in said


def test_help_lists_the_steps() -> None:
    for words in (("--help",), ("student", "--help")):
        code, out, _ = command("train", *words)
        assert code == ExitCode.OK
        for step in ("teach", "prepare", "train", "export", "score", "restorer"):
            assert f"  {step} " in out


def test_a_folder_without_a_student_is_named(tmp_path: Path) -> None:
    code, _, said = command(
        *("train", "student", "export", "--start", tmp_path, "--run", tmp_path),
        *("--languages", "de", "--output", tmp_path / "out"),
    )
    assert code == ExitCode.MODEL_MISSING
    assert "holds no student" in said


@pytest.mark.parametrize(
    ("step", "option", "value"),
    [
        *(("prepare", "--vocabulary", value) for value in ("0", "-5")),
        *(("train", "--rate", value) for value in ("nan", "-1", "0")),
        *(("train", option, "-1") for option in ("--minutes", "--tokens", "--feeders")),
        ("restorer", "--texts", "0"),
        ("teach", "--limit", "0"),
        ("score", "--beam", "0"),
    ],
)
def test_numbers_have_bounds(step: str, option: str, value: str) -> None:
    code, _, err = command("train", "student", step, f"{option}={value}")
    assert code == ExitCode.USAGE
    assert f"simul: Argument {option}: it is {value}; give " in err


@pytest.mark.parametrize("name", ["de.model", "de.npz", "checkpoint.de.pt"])
def test_a_damaged_file_of_a_run_is_named(
    folders: tuple[Path, Path, Path], tmp_path: Path, name: str
) -> None:
    student, _, run = folders
    bad = tmp_path / "bad"
    shutil.copytree(run, bad)
    (bad / name).write_bytes(b"PK\x03\x04 and no more")
    code, _, err = command(
        *("train", "student", "train", "--start", student, "--languages", "de", "--output", bad),
        *("--steps", 1, "--precision", "float32"),
    )
    assert (code, err) == (
        ExitCode.FAILED, f"simul: {bad / name} is damaged or was cut short; make or copy it again.\n"
    )  # fmt: skip


@pytest.mark.parametrize(
    "data",
    [b"hello", b"\x1f\x8b\x08\x00", gzip.compress(b"en\tde\n\xff\xfe\t\xff\n" * 99)],
    ids=["not compressed", "cut short", "not UTF-8"],
)
@pytest.mark.parametrize("step", ["prepare", "teach", "restorer"])
def test_a_damaged_table_is_named(
    folders: tuple[Path, Path, Path], tmp_path: Path, step: str, data: bytes
) -> None:
    table = tmp_path / "text" / "own" / "train.en-de.tsv.gz"
    table.parent.mkdir(parents=True)
    table.write_bytes(data)
    more = {"teach": ("--of", "de", "--language", "de"), "prepare": ("--languages", "de")}
    code, _, err = command(
        *("train", "student", step, "--start", folders[0], "--data", tmp_path / "text"),
        *("--output", tmp_path / "made", *more.get(step, ("--languages", "de"))),
    )
    assert (code, err) == (
        ExitCode.FAILED, f"simul: {table} is damaged or was cut short; make or copy it again.\n"
    )  # fmt: skip


def test_what_was_not_prepared_and_where_nothing_can_be_made(
    folders: tuple[Path, Path, Path], tmp_path: Path
) -> None:
    student, text, _ = folders
    both = ("train", "student")
    code, _, err = command(*both, "train", "--start", student, "--languages", "de", "--output", tmp_path)
    assert code == ExitCode.FAILED
    assert err.endswith("de.model; run `simul train student prepare` for de first.\n")
    file = tmp_path / "file"
    file.touch()
    code, _, err = command(
        *both, "prepare", "--start", student, "--data", text, "--languages", "de", "--output", file
    )
    assert (code, err) == (ExitCode.FAILED, f"simul: {file} is a file; give the name of a folder.\n")


def test_one_run_at_a_time_writes_into_a_folder(folders: tuple[Path, Path, Path], tmp_path: Path) -> None:
    student, text, _ = folders
    with locked(tmp_path):
        code, _, err = command(
            *("train", "student", "prepare", "--start", student, "--data", text),
            *("--languages", "de", "--output", tmp_path),
        )
    assert (code, err.count("\n")) == (ExitCode.USAGE, 1)
    assert "is in use by another run" in err


@pytest.mark.parametrize(
    "failure", [OSError(errno.ENOSPC, "No space left on device"), RuntimeError("unexpected pos")]
)
def test_a_full_disk_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failure: Exception) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda place: SimpleNamespace(free=0))
    with (
        pytest.raises(OutputError, match=f"{tmp_path} cannot be written: No space left on device"),
        full_disk_named(tmp_path),
    ):
        raise failure


@pytest.mark.parametrize("failure", [PermissionError(errno.EACCES, "no"), RuntimeError("out of memory")])
def test_other_failures_stay_what_they_are(tmp_path: Path, failure: Exception) -> None:
    with pytest.raises(type(failure)) as caught, full_disk_named(tmp_path):
        raise failure
    assert caught.value is failure
