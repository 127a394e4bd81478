"""Costs read off their neighbours, and the load that a device sees."""

from __future__ import annotations

import math

import pytest

from simul.engine.cost import CostTable, LoadMeter
from simul.units import SAMPLE_RATE

SECOND = SAMPLE_RATE


def of(*measured: tuple[int, float], length: int = SECOND) -> CostTable:
    costs = CostTable()
    for batch, seconds in measured:
        costs.note(batch, length, seconds)
    return costs


def test_below_the_smallest_size_the_line_starts_at_half_a_share() -> None:
    # A quarter of a second for eight: half of one's share, 1/64 s, is where the line begins.
    costs = of((8, 0.25))
    assert costs.predict(4, SECOND) == pytest.approx(1 / 64 + 4 / 8 * (0.25 - 1 / 64))


def test_between_sizes_the_nearest_on_both_sides_count() -> None:
    costs = of((1, 0.1), (4, 0.4), (8, 1.6), (16, 9.9))
    assert costs.predict(6, SECOND) == pytest.approx(1.0)
    assert costs.predict(8, SECOND) == 1.6


def test_beyond_two_sizes_the_line_goes_on() -> None:
    assert of((1, 0.1), (2, 0.3)).predict(4, SECOND) == pytest.approx(0.7)


def test_what_two_neighbours_differ_by_chance_is_not_carried_on() -> None:
    # By the last two, 64 would take 0.7 + 60 * 0.4 s; the line through all rises by 0.18 s a stream.
    assert of((1, 0.1), (2, 0.3), (3, 0.3), (4, 0.7)).predict(64, SECOND) == pytest.approx(0.7 + 60 * 0.18)
    often = of(*[(1, 0.1)] * 3, (2, 0.3), (4, 0.7))
    assert often.predict(5, SECOND) == pytest.approx(0.9)
    assert of((1, 0.5), (2, 0.3)).predict(8, SECOND) == 0.3, "a larger batch is never cheaper"


def test_a_bucket_without_measurements_takes_the_nearest_and_of_two_the_longer() -> None:
    costs = CostTable()
    for seconds, length in ((0.1, 4), (0.3, 14), (0.5, 25)):
        costs.note(1, length * SECOND, seconds)
    assert costs.predict(1, 8 * SECOND) == 0.3
    assert costs.predict(1, 18 * SECOND) == 0.5
    assert costs.predict(1, 0) == 0.1


def test_an_older_measurement_counts_less_the_more_there_are() -> None:
    costs = of(*[(1, 0.1)] * 9)
    costs.note(1, SECOND, 1.1)
    assert costs.predict(1, SECOND) == pytest.approx(0.2)


def test_load_is_smoothed_over_its_window() -> None:
    meter = LoadMeter()
    assert (meter.busy, meter.offered, meter.late, meter.per_second) == (0, 0, 0, 0)
    assert not meter.look(10.0)
    meter.note(computed=0.25, asked=1.0, decisions=4, late=1)
    assert not meter.look(10.125)
    assert meter.look(10.5)
    part = 1 - math.exp(-0.5 / 2)
    assert meter.busy == pytest.approx(part * 0.5)
    assert meter.offered == pytest.approx(part * 2.0)
    assert meter.late == pytest.approx((1 - math.exp(-1)) * 0.25)
    before = meter.busy
    assert meter.look(10.75), "a quarter of a second is enough"
    assert meter.busy == pytest.approx(before * math.exp(-0.25 / 2)), "what was seen is not counted again"


def test_a_device_is_not_busier_than_all_the_time() -> None:
    meter = LoadMeter(window=1.0)
    meter.look(0.0)
    meter.note(computed=5.0, asked=5.0, decisions=1, late=0)
    meter.look(1.0)
    assert meter.busy == pytest.approx(1 - math.exp(-1))


def test_what_a_second_of_audio_costs_is_a_mean_over_the_audio() -> None:
    meter = LoadMeter(per_second=9.0)
    meter.note(computed=1.0, asked=0, decisions=0, late=0)
    assert meter.per_second == 9.0, "without audio nothing is learnt"
    meter.note(computed=0.1, asked=0, decisions=0, late=0, audio=0.5)
    assert meter.per_second == pytest.approx(0.2)
    meter.note(computed=0.9, asked=0, decisions=0, late=0, audio=1.5)
    assert meter.per_second == pytest.approx(0.5)
