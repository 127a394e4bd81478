"""The resumable run: what is done stays done, whatever ended the run, and nothing is taken over that does not fit."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simul.errors import SimulError, UsageError
from simul.evaluation.items import Item
from simul.evaluation.runner import Progress, ResultFormat, ResumableRun
from tests.simul.evaluation.work import Company, length_of

Result = dict[str, float]
FORMAT: ResultFormat[Result] = ResultFormat(
    kind="trial",
    file="lengths.jsonl",
    write=lambda result: result,
    read=lambda record: {"length": record["length"]},
)
NAMES = ("a", "bb", "bad", "dddd")


def items(*names: str) -> list[Item]:
    return [Item(name, f"{name}.wav") for name in names or NAMES]


class Counted:
    """Work that knows what it was asked for; `stop` after so many pieces, in the middle of the last one."""

    def __init__(self, stop: int = 99) -> None:
        self.asked: list[str] = []
        self.stop = stop

    def stopped(self) -> bool:
        return len(self.asked) >= self.stop

    def __call__(self, item: Item) -> Result | None:
        self.asked.append(item.name)
        return None if self.stopped() else length_of(item)


def lines_of(folder: Path) -> list[Any]:
    return [json.loads(line) for line in (folder / FORMAT.file).read_text(encoding="utf-8").splitlines()]


def run(
    folder: Path | None, work: Callable[[Item], Result | None] = length_of, **options: Any
) -> ResumableRun[Result]:
    """A run over `NAMES`, its settings {"n": 1} if none are given."""
    settings = options.pop("settings", {"n": 1})
    found = ResumableRun(
        items(), FORMAT, folder, options.pop("resume", False), settings, options.pop("overwrite", False)
    )
    found.run(work, **options)
    return found


def test_results_and_failures_are_kept_by_place_and_name(tmp_path: Path):
    found = run(tmp_path)
    assert found.results == [{"length": 1}, {"length": 2}, None, {"length": 4}]
    assert found.failures == {"bad": "it is bad"}
    assert [(item.name, result["length"]) for item, result in found.done] == [
        ("a", 1),
        ("bb", 2),
        ("dddd", 4),
    ]
    assert lines_of(tmp_path) == [
        {"name": name, "audio": f"{name}.wav", "length": len(name)} for name in ("a", "bb", "dddd")
    ]
    assert json.loads((tmp_path / "settings.json").read_text(encoding="utf-8")) == {"n": 1}


def test_without_a_folder_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    assert run(None).results[3] == {"length": 4}
    assert list(tmp_path.iterdir()) == []


@given(st.integers(1, 5), st.integers(0, 60))
def test_a_run_goes_on_where_it_stopped(tmp_path_factory: pytest.TempPathFactory, stop: int, cut: int):
    """However far it came, and wherever its last line was cut off: no piece is done twice, none is missing."""
    folder = tmp_path_factory.mktemp("run")
    first, second = Counted(stop), Counted()
    before = run(folder, first, stopped=first.stopped)
    assert [item.name for item, _ in before.done] == [n for n in first.asked[: stop - 1] if n != "bad"]
    path = folder / FORMAT.file
    path.write_bytes(path.read_bytes()[: max(0, path.stat().st_size - cut)])
    left = [json.loads(line)["name"] for line in path.read_text().split("\n") if line.endswith("}")]
    after = run(folder, second, resume=True)
    assert after.results == [{"length": 1}, {"length": 2}, None, {"length": 4}]
    assert second.asked == [name for name in NAMES if name not in left]
    assert sorted(record["name"] for record in lines_of(folder)) == ["a", "bb", "dddd"]


def test_a_failure_that_the_stop_brought_about_is_none():
    work = Counted(3)
    found = ResumableRun(items("a", "bb", "bad"), FORMAT)

    def fails_when_stopped(item: Item) -> Result | None:
        if work(item) is None:
            raise RuntimeError("interrupted")
        return length_of(item)

    found.run(fails_when_stopped, stopped=work.stopped)
    assert found.failures == {}
    assert [item.name for item, _ in found.done] == ["a", "bb"]


def test_lines_that_are_no_results_are_left_aside(tmp_path: Path):
    run(tmp_path)
    good = '{"name": "bb", "audio": "bb.wav", "length": 7.0}'
    other = '{"name": "bb", "audio": "other.wav", "length": 8.0}'
    rest = [
        "",
        "null",
        "[1]",
        '"x"',
        '{"name": "a"}',
        '{"name": "a", "audio": "a.wav"}',
        other,
        good,
        good[:20],
    ]
    (tmp_path / FORMAT.file).write_text("\n".join(rest), encoding="utf-8")
    assert ResumableRun(items(), FORMAT, tmp_path, True, {"n": 1}).results == [
        None,
        {"length": 7},
        None,
        None,
    ]


def test_separators_of_unicode_end_no_line(tmp_path: Path):
    name = "a\u2028b\x85c"
    ResumableRun(items(name), FORMAT, tmp_path).run(length_of)
    assert ResumableRun(items(name), FORMAT, tmp_path, True).results == [{"length": 5}]


def test_only_a_run_with_the_same_settings_is_taken_over(tmp_path: Path):
    run(tmp_path)
    with pytest.raises(UsageError, match="holds a trial with other settings"):
        run(tmp_path, resume=True, settings={"n": 2})
    assert len(lines_of(tmp_path)) == 3
    again = Counted()
    with pytest.raises(UsageError, match="another run \\(n 1 there, 2 here\\)"):
        run(tmp_path, again, settings={"n": 2})
    assert (again.asked, len(lines_of(tmp_path))) == ([], 3)
    run(tmp_path, again, settings={"n": 2}, overwrite=True)
    assert again.asked == list(NAMES)


def test_results_of_other_recordings_are_not_replaced_unasked(tmp_path: Path):
    ResumableRun(items("a", "b"), FORMAT, tmp_path).run(length_of)
    with pytest.raises(UsageError, match="other recordings \\(b\\)"):
        ResumableRun(items("a"), FORMAT, tmp_path)
    ResumableRun(items("a", "b", "c"), FORMAT, tmp_path)
    ResumableRun(items("a"), FORMAT, tmp_path, overwrite=True)


def test_an_empty_folder_and_a_damaged_one(tmp_path: Path):
    assert ResumableRun(items(), FORMAT, tmp_path / "new", True).results == [None] * 4
    (tmp_path / "settings.json").write_text("{", encoding="utf-8")
    with pytest.raises(SimulError, match=r"The earlier trial in .* cannot be read"):
        ResumableRun(items(), FORMAT, tmp_path, True)


def test_wrong_use_is_named(tmp_path: Path):
    with pytest.raises(UsageError, match="holds no recordings"):
        ResumableRun([], FORMAT)
    with pytest.raises(UsageError, match="Two recordings are called 'a_b'"):
        ResumableRun(items("a/b", "a b"), FORMAT)
    with pytest.raises(UsageError, match="needs the folder of the earlier trial"):
        ResumableRun(items(), FORMAT, None, True)


def test_processes_give_the_same(tmp_path: Path):
    alone, shared = run(tmp_path / "1"), run(tmp_path / "2", jobs=2)
    assert shared.results == alone.results
    assert shared.failures == alone.failures
    names = [sorted(record["name"] for record in lines_of(tmp_path / folder)) for folder in "12"]
    assert names[0] == names[1] == ["a", "bb", "dddd"]


def test_jobs_work_at_the_same_time(tmp_path: Path):
    found = ResumableRun(items("a", "b"), FORMAT)
    found.run(Company(tmp_path), jobs=2)
    assert found.failures == {}
    assert found.results == [{"length": 1}, {"length": 1}]


def test_progress_counts_recordings_and_failures(tmp_path: Path):
    seen: list[Progress] = []
    found = run(tmp_path, progress=seen.append)
    assert seen == [Progress(number, 4, name) for number, name in enumerate(NAMES, 1)]
    assert found.progress("x", 0.5) == Progress(4.5, 4, "x")
    seen.clear()
    run(tmp_path, resume=True, progress=seen.append)
    assert seen == [Progress(4, 4, "bad")]
