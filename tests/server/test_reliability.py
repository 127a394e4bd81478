"""The page of figures is what was measured, promises name tests that are there, and a few faults are tried."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from benchmarks.reliability import table
from benchmarks.reliability.faults import run
from benchmarks.reliability.kinds import CLIENT_FAULTS, SERVER_FAULTS

ROOT = Path(__file__).parents[2]


def test_the_page_is_what_was_measured() -> None:
    assert table.PAGE.read_text("utf-8") == table.page()


def test_every_promise_names_tests_that_are_there() -> None:
    text = (ROOT / "docs" / "promises.md").read_text("utf-8")
    rows = [line for line in text.splitlines() if line.startswith("| **P")]
    assert [row[4:6] for row in rows] == [f"P{number}" for number in range(1, 9)]
    for row in rows:
        names = re.findall(r"`(tests/[\w/.]*|benchmarks/[\w/.]*)?(?:::(\w+))?`", row.rpartition(" | ")[2])
        place = ""
        assert any(path for path, _ in names), row
        for path, function in names:
            place = path or place
            assert (ROOT / place).exists(), place
            assert not function or f"def {function}(" in (ROOT / place).read_text("utf-8"), (place, function)


def test_there_are_twenty_three_kinds_of_fault() -> None:
    assert len(CLIENT_FAULTS) + len(SERVER_FAULTS) + 1 == 23


@pytest.mark.long
@pytest.mark.parametrize(
    "kind", ["reset in the middle of a frame", "two connections resume at once", "the gateway is killed"]
)
def test_a_fault_on_real_sockets_costs_no_word(kind: str) -> None:
    [name] = [name for name in (*CLIENT_FAULTS, *SERVER_FAULTS) if name.startswith(kind)]
    found = run(name, 3)
    assert found["wrong"] == {}
    assert found["equal"] == 3
    assert found["tracebacks"] == []
