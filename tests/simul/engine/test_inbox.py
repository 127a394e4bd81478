"""What waits in front of an engine: portions, their times, and the end."""

from __future__ import annotations

import numpy as np
import pytest

from simul.engine.inbox import Inbox
from simul.units import SAMPLE_RATE, Samples

CHUNK = SAMPLE_RATE // 2


def samples(count: int, start: int = 0) -> Samples:
    return np.arange(start, start + count, dtype=np.float32)


def test_a_new_one_is_empty_and_open() -> None:
    inbox = Inbox(CHUNK)
    assert (inbox.received, inbox.taken, inbox.waiting) == (0, 0, 0)
    assert inbox.closed is False
    assert inbox.ended is None
    assert inbox.ready() is None
    assert inbox.newest is None


def test_an_end_without_audio_is_one_empty_portion() -> None:
    inbox = Inbox(CHUNK)
    inbox.end(3.0)
    inbox.end(4.0)
    assert inbox.ended == 3.0, "it ends once"
    assert inbox.ready() == 3.0
    portion = inbox.take()
    assert portion.samples.shape == (0,)
    assert portion.samples.dtype == np.float32
    assert (portion.final, portion.ready, portion.shift) == (True, 3.0, 0.0)
    assert inbox.closed is True
    assert inbox.ready() is None


def test_a_portion_is_ready_when_its_last_sample_was_there() -> None:
    inbox = Inbox(CHUNK)
    inbox.push(samples(CHUNK - 1), 1.0)
    assert inbox.ready() is None
    inbox.push(samples(2 * CHUNK + 1, CHUNK - 1), 2.5)
    assert inbox.ready() == 2.5
    assert inbox.ready(stride=3) == 2.5
    assert inbox.ready(stride=4) is None
    inbox.push(samples(CHUNK, 3 * CHUNK), 7.0)
    assert (inbox.ready(), inbox.ready(stride=4), inbox.newest) == (2.5, 7.0, 7.0)
    portion = inbox.take()
    np.testing.assert_array_equal(portion.samples, samples(CHUNK))
    # Three chunks had come at 2.5 s, a second after they would have come in real time.
    assert portion.shift == pytest.approx(1.0)
    assert inbox.ready() == 2.5
    assert inbox.ready(stride=3) == 7.0


def test_the_end_keeps_the_shift_of_the_last_arrival() -> None:
    inbox = Inbox(CHUNK)
    inbox.push(samples(CHUNK // 2), 2.25)
    inbox.end(9.0)
    assert inbox.take().shift == pytest.approx(2.0)


def test_one_whole_chunk_before_the_end_is_a_portion_of_its_own() -> None:
    inbox = Inbox(CHUNK)
    inbox.push(samples(CHUNK), 1.0)
    inbox.end(1.0)
    first = inbox.take()
    assert (len(first.samples), first.final) == (CHUNK, False)
    last = inbox.take()
    assert (len(last.samples), last.final) == (0, True)


@pytest.mark.parametrize(("stale", "late"), [(1.0, False), (1.5, True)])
def test_what_was_there_just_in_time_is_not_late(stale: float, late: bool) -> None:
    inbox = Inbox(CHUNK)
    inbox.push(samples(CHUNK), 1.0)
    inbox.push(samples(CHUNK, CHUNK), 2.0)
    portion = inbox.take(stale)
    assert (portion.late, portion.passed_over) == (late, int(late))


def test_a_single_chunk_can_be_late_too() -> None:
    inbox = Inbox(CHUNK)
    inbox.push(samples(CHUNK), 1.0)
    portion = inbox.take(stale=5.0)
    assert (portion.late, portion.passed_over, len(portion.samples)) == (True, 0, CHUNK)


def test_the_second_chunk_is_judged_by_its_own_time() -> None:
    inbox = Inbox(CHUNK)
    inbox.push(samples(CHUNK), 1.0)
    inbox.push(samples(CHUNK, CHUNK), 3.0)
    inbox.take()
    assert inbox.take(stale=2.0).late is False


def test_a_chunk_that_came_in_pieces_was_there_with_the_last_of_them() -> None:
    inbox = Inbox(CHUNK)
    inbox.push(samples(CHUNK // 2), 1.0)
    inbox.push(samples(CHUNK, CHUNK // 2), 3.0)
    portion = inbox.take(stale=2.0)
    assert (portion.late, portion.ready) == (False, 3.0)


def test_a_dump_holds_samples_of_32_bits_and_is_read_from_a_list_too() -> None:
    inbox = Inbox(CHUNK)
    inbox.push(samples(CHUNK), 1.0)
    dumped = inbox.dump()
    assert dumped["samples"].dtype == np.float32
    inbox.load({**dumped, "samples": dumped["samples"].tolist()})
    assert inbox.take().samples.dtype == np.float32


def test_pieces_are_copied_and_a_dump_goes_on() -> None:
    inbox = Inbox(CHUNK)
    piece = samples(CHUNK + 100)
    inbox.push(piece, 1.0)
    piece[:] = -1
    inbox.take()
    other = Inbox(CHUNK)
    other.load(inbox.dump())
    for each in (inbox, other):
        each.push(samples(CHUNK - 100, CHUNK + 100), 2.0)
        portion = each.take()
        np.testing.assert_array_equal(portion.samples, samples(CHUNK, CHUNK))
        assert portion.ready == 2.0
        assert each.received == each.taken == 2 * CHUNK
