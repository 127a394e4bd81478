"""Levels of quality: their borders, and what a meter is told of a new level."""

from __future__ import annotations

import pytest

from simul.engine.cost import LoadMeter
from simul.engine.ladder import RUNGS as OWN
from simul.engine.ladder import Ladder, LadderConfig, Rung

RUNGS = (Rung("all", 1.0), Rung("half", 0.5, (2,)), Rung("quarter", 0.25, (4,)))
CONFIG = LadderConfig(over=1.0, late=0.25, patience=2.0, under=0.75, rest=8.0, longest=20.0)


def ladder() -> Ladder:
    return Ladder(RUNGS, CONFIG)


@pytest.mark.parametrize(("offered", "late"), [(1.0, 0.0), (0.0, 0.25)])
def test_the_border_itself_is_not_too_much(offered: float, late: float) -> None:
    found = ladder()
    for at in range(10):
        found.update(float(at), offered, late)
    assert found.level == 0


def test_patience_counts_from_when_it_was_first_too_much() -> None:
    found = ladder()
    assert [found.update(100.0 + at, 2.0, 0.0).name for at in range(6)] == [
        "all", "all", "half", "half", "half", "quarter",
    ]  # fmt: skip
    assert found.update(200.0, 9.0, 1.0).name == "quarter", "below the last there is none"
    found.update(300.0, 9.0, 1.0)
    assert found.level == 2


@pytest.mark.parametrize(
    ("offered", "late", "name"),
    [(2.0, 0.0, "half"), (2.1, 0.0, "quarter"), (9.0, 0.0, "quarter"), (0.5, 1.0, "half")],
)
def test_it_goes_straight_to_the_level_that_the_load_asks_for(offered: float, late: float, name: str) -> None:
    found = ladder()
    found.update(0.0, offered, late)
    assert found.update(2.0, offered, late).name == name


@pytest.mark.parametrize(
    ("offered", "name"), [(0.18, "all"), (0.1875, "half"), (0.37, "half"), (0.375, "quarter")]
)
def test_it_returns_to_the_highest_level_that_would_bring_little(offered: float, name: str) -> None:
    found = ladder()
    for at in (0.0, 2.0):
        found.update(at, 9.0, 0.0)
    found.update(3.0, offered, 0.0)
    assert found.update(11.0, offered, 0.0).name == name


def test_a_level_that_was_too_much_is_tried_again_only_where_it_brings_less_than_then() -> None:
    def after(wait: float, offered: float) -> str:
        found = ladder()
        for at in (0.0, 2.0):
            found.update(at, 0.5, 1.0)
        assert found.level == 1, "late, though it seemed to bring half"
        found.update(wait, offered, 0.0)
        return found.update(wait + 8.0, offered, 0.0).name

    assert after(3.0, 0.22) == "half", "0.44 of 0.5 is more than 85 %"
    assert after(3.0, 0.21) == "all"
    assert after(23.0, 0.3) == "all", "after a while it is forgotten"


def test_a_level_is_tried_again_only_where_it_would_bring_little() -> None:
    found = ladder()
    for at in (0.0, 2.0):
        found.update(at, 2.0, 0.0)
    for at in (3.0, 60.0):
        assert found.update(at, 0.375, 0.0).name == "half", "twice 0.375 is the border itself"
    for at in (61.0, 68.9):
        assert found.update(at, 0.25, 0.0).name == "half"
    assert found.update(69.0, 0.25, 0.0).name == "all"
    found.update(70.0, 0.7, 0.0)
    assert found.level == 0


def test_a_return_in_vain_doubles_the_rest_up_to_its_limit_and_another_one_does_not() -> None:
    found = ladder()
    at, rests = 0.0, []
    for stay in (1.0, 1.0, 1.0, 500.0):
        for _ in range(2):
            found.update(at, 2.0, 0.0)
            at += 2.0
        began = at
        while found.level:
            found.update(at, 0.1, 0.0)
            at += 0.5
        rests.append(at - 0.5 - began)
        at += stay
    assert rests == [8.0, 16.0, 20.0, 20.0]
    found.update(at, 2.0, 0.0)
    found.update(at + 2.0, 2.0, 0.0)
    found.update(at + 3.0, 0.1, 0.0)
    assert found.update(at + 11.0, 0.1, 0.0).name == "all", "the rest is as at first"


def test_a_meter_is_told_what_the_new_level_brings() -> None:
    found, meter = ladder(), LoadMeter()
    meter.offered, meter.late = 1.6, 0.5
    assert found.follow(meter, 0.0) is False
    assert (meter.offered, meter.late) == (1.6, 0.5)
    assert found.follow(meter, 2.0) is True
    assert (meter.offered, meter.late) == (0.8, 0.0)
    meter.offered = 0.2
    assert found.follow(meter, 3.0) is False
    assert found.follow(meter, 11.0) is True
    assert meter.offered == 0.4


def test_decisions_of_uneven_strides_fall_on_the_same_chunks_of_every_round() -> None:
    rung, places, decided = Rung("two of three", 2 / 3, (1, 2)), [], 0
    for _ in range(6):
        decided += rung.stride(decided)
        places.append(decided)
    assert places == [1, 3, 4, 6, 7, 9]
    assert rung.stride(2) == 1, "from whatever chunk another level has left"
    assert rung.mean == 1.5
    assert {Rung("half", 0.5, (2,)).stride(decided) for decided in range(5)} == {2}


def test_each_level_costs_as_much_as_its_decisions_are_rarer() -> None:
    assert [rung.cost for rung in OWN] == [pytest.approx(1 / rung.mean) for rung in OWN]
    assert [rung.mean for rung in OWN] == [1, 1.5, 2, 3]
