"""Files that a run writes: errors are sentences, names are safe and differ, text survives."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simul.errors import SimulError
from simul.files import create, json_line, make_folder, safe_name, unique_name


def test_folders_are_made_with_those_above_them(tmp_path: Path):
    assert make_folder(tmp_path / "a" / "b") == tmp_path / "a" / "b"
    assert make_folder(str(tmp_path / "a" / "b")).is_dir()


def test_what_cannot_be_written_is_named(tmp_path: Path):
    (tmp_path / "file").touch()
    with pytest.raises(SimulError, match=r"file is a file; give the name of a folder"):
        make_folder(tmp_path / "file")
    with pytest.raises(SimulError, match=r"cannot be made: Not a directory; choose another place"):
        make_folder(tmp_path / "file" / "below")
    with pytest.raises(SimulError, match=r"file is a file; give the name of a folder"):
        create(tmp_path / "file" / "x.txt")
    create(tmp_path / "missing" / "x.txt").close()
    assert (tmp_path / "missing" / "x.txt").is_file()


def test_text_is_there_after_every_line(tmp_path: Path):
    with create(tmp_path / "x.txt") as file:
        file.write("Grüße\n")
        assert (tmp_path / "x.txt").read_bytes() == "Grüße\n".encode()
        file.write("\udcff\n")
    assert (tmp_path / "x.txt").read_text(encoding="utf-8") == "Grüße\n\\udcff\n"


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("talk", "talk"),
        ("a/b c.wav", "a_b_c.wav"),
        ("../x", "x"),
        ("", "stream"),
        ("日本", "日本"),
        ("..", "stream"),
    ],
)
def test_names_are_safe(name: str, safe: str):
    assert safe_name(name) == safe


@given(st.lists(st.sampled_from(["a", "b", "a-2", "a-3"]), max_size=12))
def test_unique_names_differ_and_the_first_stays(names: list[str]):
    taken: set[str] = set()
    given = [unique_name(name, taken) for name in names]
    assert len(set(given)) == len(names)
    assert taken == set(given)
    for place, (name, unique) in enumerate(zip(names, given, strict=True)):
        assert unique == name or name in given[:place]
        assert unique.startswith(name)


def test_numbers_are_counted_on():
    taken: set[str] = set()
    assert [unique_name("a", taken) for _ in range(3)] == ["a", "a-2", "a-3"]


@given(st.dictionaries(st.text(), st.text() | st.integers() | st.none()))
def test_a_record_is_one_line(record: dict[str, object]):
    line = json_line(record)
    assert line.endswith("\n")
    assert line.count("\n") == 1
    assert json.loads(line) == record
