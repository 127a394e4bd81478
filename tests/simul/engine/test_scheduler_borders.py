"""Borders of scheduling, on a clock that does not begin at 0; all numbers are binary fractions."""

from __future__ import annotations

import math

import pytest

from simul.engine.scheduler import LONGEST_WAIT, SAFETY, Due, Ledger, Served, choose
from simul.units import SAMPLE_RATE

NOW = 64.0


class Line:
    """Costs on a straight line; `safe` ones, so that what the scheduler adds for safety is taken off."""

    def __init__(self, start: float, each: float) -> None:
        self.start, self.each = start, each

    def predict(self, batch: int, length: int) -> float:
        return (self.start + self.each * batch) / SAFETY


def due(number: int, left: float, since: float = 0.5, owner: str = "", live: bool = True) -> Due:
    return Due(number, NOW + left, NOW - since, SAMPLE_RATE, live, owner)


def numbers(batch: list[Due]) -> list[int]:
    return [each.number for each in batch]


def test_a_ledger_forgets_with_its_memory_and_keeps_apart_what_files_got() -> None:
    ledger = Ledger()
    assert ledger.served(3.0) == Served({}, 1.0, 3.0)
    ledger.note(NOW, 1.0, [(due(1, 1, owner="a"), 1.0), (due(2, 1, owner="b", live=False), 2.0)])
    served = ledger.served(2.0)
    assert served == Served({"a": 0.5, "b": 0.25}, 0.5, 2.0)
    ledger.note(NOW + 60, 2.0, [(due(1, 1, owner="a"), 1.0)])
    served = ledger.served(2.0)
    assert served.by_owner["a"] == pytest.approx(0.5 / math.e + 2.0)
    assert served.by_owner["b"] == pytest.approx(0.25 / math.e)
    assert served.files == pytest.approx(0.5 / math.e / (1 / math.e + 2))
    ledger.note(NOW + 59, 0.0, [(due(1, 1, owner="a"), 1.0)])
    assert ledger.served(2.0).by_owner["a"] == served.by_owner["a"], "a clock that goes back forgets nothing"


def test_files_add_up() -> None:
    ledger = Ledger()
    for _ in range(2):
        ledger.note(NOW, 1.0, [(due(1, 1, live=False), 1.0)])
    ledger.note(NOW, 2.0, [(due(2, 1), 1.0)])
    assert ledger.served(1.0).files == 0.5


@pytest.mark.parametrize(("waited", "first"), [(LONGEST_WAIT, 2), (LONGEST_WAIT + 1, 1)])
def test_who_has_waited_too_long_goes_before_all_others(waited: float, first: int) -> None:
    lost, soon = due(1, -1.0, since=waited), due(2, 0.75)
    assert numbers(choose([lost, soon], NOW, Line(0.25, 0.25), most=1)) == [first]


def test_who_has_waited_too_long_goes_before_an_earlier_deadline() -> None:
    assert numbers(choose([due(1, 0.75), due(2, 2.0, since=4.0)], NOW, Line(0.25, 0.25), most=1)) == [2]


def test_a_deadline_that_can_just_be_met_is_not_lost() -> None:
    costs = Line(0.25, 0.25)
    alone = costs.predict(1, SAMPLE_RATE)
    just, later = due(1, alone), due(2, 8.0)
    assert numbers(choose([later, just], NOW, costs, most=1)) == [1]
    lost = due(1, alone - 0.125)
    assert numbers(choose([later, lost], NOW, costs, most=1)) == [2]


def test_of_files_the_owner_with_least_comes_first_and_of_one_owner_the_earliest() -> None:
    served = Served({"a": 2.0, "b": 1.0}, 0.5)
    waiting = [
        due(1, 1, owner="a", live=False),
        due(2, 9, owner="b", live=False),
        due(3, 8, owner="c", live=False),
    ]
    assert numbers(choose(waiting, NOW, Line(1.0, 0.0), served, most=1)) == [3]
    waiting = [due(4, 9, owner="a", live=False), due(5, 8, owner="a", live=False)]
    assert numbers(choose(waiting, NOW, Line(1.0, 0.0), served, most=1)) == [5]


def test_an_owner_of_whom_nothing_is_known_had_nothing() -> None:
    served = Served({"known": 0.5}, 1.0)
    # Two seconds each cannot both be done in three.
    waiting = [due(1, 2.5, owner="known"), due(2, 3.0, owner="new")]
    assert numbers(choose(waiting, NOW, Line(0.0, 2.0), served, most=1)) == [2]


def test_one_owner_keeps_the_order_of_deadlines() -> None:
    waiting = [due(2, 3.0, owner="a"), due(1, 2.5, owner="a")]
    assert numbers(choose(waiting, NOW, Line(0.0, 2.0), Served({"a": 1.0}), most=1)) == [1]


def test_all_that_end_just_in_time_are_in_time() -> None:
    costs, served = Line(0.0, 1.0), Served({"a": 5.0, "b": 0.0})
    in_time = [due(1, 1.0 + 1 / 64, owner="a"), due(2, 2.0, owner="b")]
    assert numbers(choose(in_time, NOW, costs, served, most=1)) == [1]
    too_late = [due(1, 1.0 + 1 / 64, owner="a"), due(2, 1.5, owner="b")]
    assert numbers(choose(too_late, NOW, costs, served, most=1)) == [2]


def test_a_batch_has_as_many_as_it_may() -> None:
    waiting = [due(n, 8.0 + n) for n in range(70)]
    assert len(choose(waiting, NOW, Line(0.5, 0.0))) == 64
    assert len(choose(waiting, NOW, Line(0.5, 0.0), most=3)) == 3


def test_who_would_make_the_batch_late_stays_out() -> None:
    costs = Line(0.25, 0.25)
    # Alone half a second, two 0.75, three 1.0: the first must be out within 0.75.
    waiting = [due(1, 0.75), due(2, 4.0), due(3, 5.0)]
    assert numbers(choose(waiting, NOW, costs)) == [1, 2]
    # One that joins brings its own deadline.
    waiting = [due(1, 4.0), due(2, 0.8125)]
    assert numbers(choose(waiting, NOW, costs)) == [2, 1]
    lost = [due(1, 0.25), due(2, 0.25), due(3, 0.25)]
    assert len(choose(lost, NOW, costs)) == 3, "where the deadline is lost it does not count"
