"""The clocks: virtual time moves only when told, wall time really waits."""

import time

import pytest

import simul.clock
from simul.clock import Clock, MeteredClock, VirtualClock, WallClock, cpu_seconds


class Time:
    """Stands for the module: time goes by only in sleep, by a little less than asked, as a system may do."""

    def __init__(self):
        self.seconds, self.slept = 1000.0, []

    def monotonic(self):
        return self.seconds

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.seconds += seconds * 0.75 if seconds > 0.001 else seconds


def test_virtual_clock_sleeps_without_real_time_and_lands_on_the_moment(monkeypatch):
    monkeypatch.setattr(simul.clock, "time", None)
    clock = VirtualClock()
    clock.sleep_until(3600.1)
    assert clock.now() == 3600.1


def test_virtual_clock_never_runs_backwards():
    clock = VirtualClock(start=5)
    clock.sleep_until(2)
    assert clock.now() == 5
    clock.advance(0.5)
    assert clock.now() == 5.5
    for seconds in (-0.1, float("nan")):
        with pytest.raises(ValueError, match="cannot advance"):
            clock.advance(seconds)


def test_wall_clock_waits_until_the_moment_and_not_for_a_past_one(monkeypatch):
    system = Time()
    monkeypatch.setattr(simul.clock, "time", system)
    clock = WallClock()
    assert clock.now() == 0
    clock.sleep_until(8)
    assert clock.now() >= 8
    assert system.slept[:2] == [8, 2]
    count = len(system.slept)
    clock.sleep_until(3)
    assert len(system.slept) == count


def test_wall_clock_goes_by_the_system():
    clock = WallClock()
    goal = clock.now() + 0.02
    clock.sleep_until(goal)
    assert clock.now() >= goal


def test_metered_clock_counts_computation_and_nothing_else(monkeypatch):
    monkeypatch.setattr(simul.clock, "time", None)
    spent = [10.0]
    clock = MeteredClock(lambda: spent[0])
    clock.sleep_until(3600)
    assert clock.now() == 3600
    spent[0] += 0.5
    assert clock.now() == 3600.5
    clock.sleep_until(3600.25)
    assert clock.now() == 3600.5
    spent[0] += 0.25
    clock.sleep_until(3602)
    assert clock.now() == 3602


def test_metered_clock_goes_by_cpu_time_or_the_meter_it_is_given():
    assert cpu_seconds is time.process_time
    assert MeteredClock()._meter is cpu_seconds
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
