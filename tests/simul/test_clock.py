"""The clocks: virtual time moves only when told, wall time really waits."""

import time

import pytest

from simul.clock import Clock, MeteredClock, VirtualClock, WallClock


def test_virtual_clock_sleeps_without_real_time_and_lands_on_the_moment():
    clock = VirtualClock()
    began = time.monotonic()
    clock.sleep_until(3600.1)
    assert clock.now() == 3600.1
    assert time.monotonic() - began < 1


def test_virtual_clock_never_runs_backwards():
    clock = VirtualClock(start=5)
    clock.sleep_until(2)
    assert clock.now() == 5
    clock.advance(0.5)
    assert clock.now() == 5.5
    for seconds in (-0.1, float("nan")):
        with pytest.raises(ValueError, match="cannot advance"):
            clock.advance(seconds)


def test_wall_clock_waits_until_the_moment_and_not_for_a_past_one():
    clock = WallClock()
    goal = clock.now() + 0.05
    clock.sleep_until(goal)
    assert clock.now() >= goal
    before = clock.now()
    clock.sleep_until(before - 100)
    assert clock.now() - before < 1


def test_metered_clock_counts_computation_and_nothing_else():
    clock = MeteredClock()
    clock.sleep_until(3600)
    assert 3600 <= clock.now() < 3601
    before, spent = clock.now(), time.process_time()
    while time.process_time() - spent < 0.05:
        pass
    assert 0.05 <= clock.now() - before < 1
    slept = clock.now()
    time.sleep(0.05)
    assert clock.now() - slept < 0.04
    clock.sleep_until(0)
    assert clock.now() >= slept


def test_metered_clock_goes_by_the_meter_it_is_given():
    readings = iter([100.0, 100.5])
    clock = MeteredClock(lambda: next(readings))
    assert clock.now() == 0.5
    other = iter([7.0, 9.0, 9.0, 9.25])
    clock.measure_by(lambda: next(other))
    assert clock.now() == 2.5
    clock.sleep_until(4)
    assert clock.now() == 4.25


def test_all_are_clocks():
    for clock in (WallClock(), VirtualClock(), MeteredClock()):
        assert isinstance(clock, Clock)
