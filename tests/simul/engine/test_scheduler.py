"""The rules of scheduling, load and ladder: pure functions, checked without any model."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simul.engine.cost import CostTable, LoadMeter, bucket
from simul.engine.inbox import Inbox
from simul.engine.ladder import RUNGS, Ladder, LadderConfig
from simul.engine.scheduler import Due, Ledger, Served, choose
from simul.units import SAMPLE_RATE, Samples

SECOND = SAMPLE_RATE


def table(start: float, each: float, length: int = SECOND) -> CostTable:
    """Costs on a straight line."""
    costs = CostTable()
    for size in (1, 2, 64):
        costs.note(size, length, start + each * size)
    return costs


def due(number: int, deadline: float, length: int = SECOND, **more: object) -> Due:
    return Due(number, deadline, deadline - 0.5, length, **more)  # type: ignore[arg-type]


def numbers(batch: list[Due]) -> list[int]:
    return [each.number for each in batch]


def test_windows_of_like_length_share_a_bucket() -> None:
    assert [bucket(round(s * SECOND)) for s in (0, 0.1, 5, 5.1, 10, 15, 19.9, 20.1, 30)] == [
        0,
        1,
        1,
        2,
        2,
        3,
        4,
        5,
        5,
    ]


def test_costs_between_measured_sizes_lie_on_a_line_and_unknown_ones_are_tried() -> None:
    costs = CostTable()
    assert costs.predict(3, SECOND) == 0
    costs.note(1, SECOND, 0.1)
    assert costs.predict(2, SECOND) == pytest.approx(0.15)
    costs.note(4, SECOND, 0.16)
    assert costs.predict(2, SECOND) == pytest.approx(0.12)
    assert costs.predict(8, SECOND) == pytest.approx(0.24)
    assert costs.predict(4, 12 * SECOND) == pytest.approx(0.16)
    for _ in range(400):
        costs.note(4, SECOND, 0.32)
    assert costs.predict(4, SECOND) == pytest.approx(0.32, rel=0.01)


def test_the_most_urgent_comes_first_and_those_who_are_like_it_join() -> None:
    cheap = table(0.02, 0.001)
    waiting = [due(1, 0.9), due(2, 0.4), due(3, 0.5), due(4, 0.6, 12 * SECOND)]
    assert numbers(choose(waiting, 0.0, cheap)) == [2, 3, 1]


def test_a_batch_is_no_longer_than_the_slack_of_its_most_urgent_stream() -> None:
    costs = table(0.05, 0.05)
    waiting = [due(n, 0.3 + n / 1000) for n in range(9)]
    batch = choose(waiting, 0.0, costs)
    assert 0.05 + 0.05 * len(batch) < 0.3
    assert len(batch) == 3


def test_nobody_joins_where_batches_gain_nothing() -> None:
    assert numbers(choose([due(n, 5.0 + n) for n in range(4)], 0.0, table(0.0, 0.05))) == [0]


def test_a_batch_does_not_hold_up_for_long_who_comes_meanwhile() -> None:
    costs = table(0.05, 0.05)
    waiting = [due(n, 60.0) for n in range(20)]
    assert len(choose(waiting, 0.0, costs)) == 20
    assert len(choose(waiting, 0.0, costs, Served({}, patience=0.5))) == 3


def test_what_is_lost_comes_last_but_not_for_ever() -> None:
    costs = table(0.0, 0.2)
    lost = Due(1, 0.1, 0.0, SECOND)
    assert numbers(choose([lost, due(2, 0.9)], 0.0, costs)) == [2]
    assert numbers(choose([lost, due(2, 4.9)], 4.0, costs)) == [1]


def test_a_stream_at_its_end_comes_before_those_that_go_on() -> None:
    costs = table(0.0, 0.2)
    ended = Due(1, 0.1, 0.0, SECOND, last=True)
    assert numbers(choose([due(2, 0.9), due(3, 0.5), ended], 0.0, costs)) == [1]
    assert numbers(choose([Due(2, -4.0, -5.0, SECOND), ended], 0.0, costs)) == [2]


def test_where_not_all_can_be_in_time_the_owner_comes_first_who_had_least() -> None:
    costs = table(0.0, 0.2)
    waiting = [due(n, 0.5 + n / 100, owner="many") for n in range(5)] + [due(9, 0.9, owner="few")]
    served = Served({"many": 10.0, "few": 1.0})
    assert numbers(choose(waiting, 0.0, costs, served)) == [9]
    assert numbers(choose(waiting[-2:], 0.0, costs, served)) == [4]


def test_files_get_what_live_streams_leave_and_a_little_at_least() -> None:
    costs = table(0.0, 0.1)
    waiting = [due(1, 0.5), due(2, math.inf, live=False)]
    assert numbers(choose(waiting, 0.0, costs, Served({}, files=0.5))) == [1]
    assert numbers(choose(waiting, 0.0, costs, Served({}, files=0.01))) == [2]
    assert numbers(choose(waiting[1:], 0.0, costs, Served({}, files=0.5))) == [2]


@given(st.lists(st.tuples(st.floats(0, 5), st.integers(0, 25 * SECOND), st.booleans()), max_size=12))
def test_whatever_waits_something_of_it_is_chosen_once(rows: list[tuple[float, int, bool]]) -> None:
    waiting = [Due(n, d, d - 1, length, live) for n, (d, length, live) in enumerate(rows)]
    batch = choose(waiting, 2.0, table(0.02, 0.03))
    assert bool(batch) == bool(waiting)
    assert len(set(numbers(batch))) == len(batch)
    assert len({bucket(each.length) for each in batch}) <= 1


def test_what_owners_had_is_forgotten() -> None:
    ledger = Ledger(memory=10.0)
    ledger.note(0.0, 4.0, [(due(1, 1.0, owner="a"), 1.0), (due(2, 1.0, owner="b", live=False), 2.0)])
    assert ledger.served(1.0).by_owner == {"a": 2.0, "b": 1.0}
    assert ledger.served(1.0).files == 0.5
    ledger.note(10.0, 1.0, [(due(1, 1.0, owner="c"), 1.0)])
    assert ledger.served(1.0).by_owner["a"] == pytest.approx(2 / math.e)


def test_the_load_follows_what_is_computed_and_what_is_asked_for() -> None:
    meter = LoadMeter(window=1.0)
    meter.look(0.0)
    for second in range(1, 20):
        meter.note(computed=0.8, asked=1.2, decisions=10, late=2, audio=4.0)
        assert meter.look(float(second))
    assert meter.busy == pytest.approx(0.8, abs=0.01)
    assert meter.offered == pytest.approx(1.2, abs=0.01)
    assert meter.late == pytest.approx(0.2, abs=0.01)
    assert meter.per_second == pytest.approx(0.2)
    assert not meter.look(19.1)
    for second in range(20, 30):
        meter.look(float(second))
    assert max(meter.busy, meter.offered, meter.late) < 0.01


def test_a_level_is_left_after_patience_and_tried_again_after_rest() -> None:
    ladder = Ladder(config=LadderConfig(patience=2.0, rest=10.0))
    assert ladder.update(0.0, 1.2, 0.0) == RUNGS[0]
    assert ladder.update(1.9, 1.2, 0.0) == RUNGS[0]
    assert ladder.update(2.0, 1.2, 0.0) == RUNGS[1]
    # Two thirds of 1.2 are asked for at this level: the one above would be too much, so it stays.
    assert {ladder.update(t, 0.8, 0.0) for t in range(3, 60)} == {RUNGS[1]}
    assert ladder.update(60.0, 0.3, 0.0) == RUNGS[1]
    assert ladder.update(70.0, 0.3, 0.0) == RUNGS[0]


def test_lateness_leads_down_too_and_a_return_in_vain_makes_the_next_one_wait_longer() -> None:
    # What a level brought when it was left says nothing here.
    config = LadderConfig(patience=1.0, rest=10.0, less=math.inf)
    ladder, changes = Ladder(config=config), []
    for tenth in range(3000):
        # Too much at the first level, though the load as it is measured does not tell.
        before = ladder.level
        ladder.update(tenth / 10, 0.5 * ladder.rung.cost, 0.5 if ladder.level == 0 else 0.0)
        changes += [tenth / 10] if ladder.level != before else []
    rests = [b - a for a, b in zip(changes[::2], changes[1::2], strict=False)]
    assert [round(rest) for rest in rests] == [10, 20, 40, 80, 160][: len(rests)]
    assert len(rests) >= 4


def zeros(count: int) -> Samples:
    return np.zeros(count, np.float32)


def test_an_inbox_gives_chunks_in_time_and_passes_over_those_that_are_late() -> None:
    box = Inbox(100)
    box.push(zeros(250), 1.0)
    assert (box.ready(), box.ready(2), box.ready(3)) == (1.0, 1.0, None)
    portion = box.take()
    assert (len(portion.samples), portion.passed_over, portion.ready, portion.final) == (100, 0, 1.0, False)
    box.push(zeros(250), 2.0)
    late = box.take(stale=1.5)
    assert (len(late.samples), late.passed_over, late.ready, late.late) == (400, 3, 2.0, True)
    assert box.ready() is None
    box.push(zeros(30), 3.0)
    box.end(3.0)
    last = box.take()
    assert (len(last.samples), last.final) == (30, True)
    assert box.ready() is None


def test_a_longer_stride_passes_decisions_over_without_being_late() -> None:
    box = Inbox(100)
    box.push(zeros(350), 1.0)
    portion = box.take(stride=3)
    assert (len(portion.samples), portion.passed_over, portion.late) == (300, 2, False)
    assert box.ready(3) is None
    box.push(zeros(80), 2.0)
    box.end(2.5)
    last = box.take(stride=3)
    assert (len(last.samples), last.passed_over, last.final) == (130, 1, True)
