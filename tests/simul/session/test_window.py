"""What is committed in a segment, and where its window of audio is cut: soft and hard limits, context."""

from __future__ import annotations

import json

import numpy as np
import pytest

from policies.base import Candidate
from simul.backends.base import Limits
from simul.backends.scripted import LANGUAGES
from simul.session.window import CONTEXT_CHARACTERS, CONTEXT_IDS, Window


def window(soft: int | None = 1000, hard: int | None = 2000) -> Window:
    return Window(Limits(LANGUAGES, LANGUAGES, soft, hard, trims=True))


def candidate(count: int, ids: bool = True, spans: bool = True) -> Candidate:
    """Tokens " a0" to " a9" with numbers from 10 on, of 100 samples each."""
    found = [(100 * i, 100 * (i + 1)) for i in range(count)]
    return Candidate(
        tuple(f" a{i}" for i in range(count)),
        tuple(range(10, 10 + count)) if ids else (),
        spans=np.array(found, np.int64) if spans else None,
    )


def test_the_chosen_tokens_are_committed_with_numbers_and_ends() -> None:
    made = window()
    made.commit(candidate(4), [1, 3])
    assert (made.tokens, made.ids) == ([" a1", " a3"], [11, 13])
    assert made.dump()["ends"] == [200, 400]
    made.commit(candidate(2, ids=False, spans=False), [0])
    assert (made.tokens, made.ids) == ([" a1", " a3", " a0"], [11, 13])
    assert made.dump()["ends"] == [200, 400, None]


@pytest.mark.parametrize(("count", "left"), [(0, 4), (1, 3), (3, 1), (4, 0)])
def test_the_last_tokens_are_taken_back(count: int, left: int) -> None:
    made = window()
    made.commit(candidate(4), range(4))  # type: ignore[arg-type]
    made.retract(count)
    assert (made.tokens, made.ids) == ([f" a{i}" for i in range(left)], list(range(10, 10 + left)))
    assert made.dump()["ends"] == [100 * (i + 1) for i in range(left)]
    assert made.context == ""


def test_the_first_tokens_become_context() -> None:
    made = window()
    made.commit(candidate(4), range(4))  # type: ignore[arg-type]
    assert made.forget(1) == [" a0"]
    assert made.forget(2) == [" a1", " a2"]
    assert (made.context, made.context_ids) == (" a0 a1 a2", [10, 11, 12])
    assert (made.tokens, made.ids, made.dump()["ends"]) == ([" a3"], [13], [400])
    assert made.forget() == [" a3"]
    assert (made.context, made.tokens, made.ids) == (" a0 a1 a2 a3", [], [])
    made.drop_context()
    assert (made.context, made.context_ids) == ("", [])


def test_the_context_is_the_end_of_the_text() -> None:
    made = window()
    for _ in range(40):
        made.commit(candidate(10), range(10))  # type: ignore[arg-type]
    made.forget()
    text = "".join(f" a{i}" for i in range(10)) * 40
    assert made.context == text[-CONTEXT_CHARACTERS:]
    assert made.context_ids == [*range(10, 20)][-CONTEXT_IDS % 10 :] + [*range(10, 20)] * (CONTEXT_IDS // 10)


def test_nothing_is_cut_within_the_soft_limit_or_without_limits() -> None:
    made, free = window(), window(None, None)
    for each in (made, free):
        each.commit(candidate(10), range(10))  # type: ignore[arg-type]
    assert made.cut(0, 1000) is None
    assert made.cut(0, 1001) == (1000, 10)
    assert free.cut(0, 1_000_000) is None
    assert not free.over_hard_limit(0, 1_000_000)


def test_above_the_soft_limit_the_cut_is_the_newest_known_end_inside_what_was_heard() -> None:
    made = window()
    assert made.cut(0, 1500) is None
    made.commit(candidate(10), range(10))  # type: ignore[arg-type]
    made.commit(candidate(1, spans=False), [0])
    assert made.cut(0, 1500) == (1000, 10)
    made.retract(1)
    made.commit(Candidate((" b",), spans=np.array([[1400, 1501]], np.int64)), [0])
    assert made.cut(0, 1500) == (1000, 10)
    assert made.cut(0, 1501) == (1501, 11)
    assert made.cut(1000, 2500) == (1501, 11)
    first = window()
    first.commit(candidate(1), [0])
    first.commit(candidate(1, spans=False), [0])
    assert first.cut(0, 1500) == (100, 1)
    # An end at the window's beginning would free nothing.
    assert made.cut(1501, 2800) is None


def test_above_the_hard_limit_all_that_was_heard_is_cut() -> None:
    made = window()
    made.commit(candidate(3), range(3))  # type: ignore[arg-type]
    assert not made.over_hard_limit(0, 2000)
    assert made.over_hard_limit(0, 2001)
    assert made.cut(0, 2001) == (2001, 3)
    # Its tokens lie before the window, so that there is no place to cut at between the limits.
    assert made.cut(500, 2500) is None


def test_what_has_been_cut_away_counts_in_no_limit_and_a_cut_never_moves_back() -> None:
    made = window()
    made.commit(candidate(5), range(5))  # type: ignore[arg-type]
    made.trimmed(300)
    made.trimmed(200)
    assert not made.over_hard_limit(0, 2300)
    assert made.over_hard_limit(0, 2301)
    assert made.cut(0, 1300) is None
    assert made.cut(0, 1301) == (500, 5)
    assert made.over_hard_limit(100, 2301)
    assert not made.over_hard_limit(400, 2301)


def test_a_window_goes_on_from_its_dump() -> None:
    made, other = window(), window()
    made.commit(candidate(5), range(5))  # type: ignore[arg-type]
    made.forget(2)
    made.trimmed(200)
    dumped = made.dump()
    other.load(json.loads(json.dumps(dumped)))
    assert other.dump() == dumped
    made.commit(candidate(1), [0])
    made.forget(1)
    assert other.dump() == dumped != made.dump()
