"""Policies of one's own that answer nonsense, raise or are asynchronous: a sentence, and an orderly end."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from policies import Decision, Policy
from policies.base import DECODE
from simul.errors import SimulError
from tests.simul.session.test_session import audio, kinds, session


class Own(Policy):
    """A policy whose methods are replaced."""

    name = "own"

    def __init__(self, **methods: Callable[..., Any]) -> None:
        for name, method in methods.items():
            object.__setattr__(self, name, method)

    def judge(self, state: Any, evidence: Any) -> tuple[Any, Decision]:
        return state, Decision(0)


def raising(error: BaseException) -> Callable[..., Any]:
    def called(*_: Any) -> Any:
        raise error

    return called


def deciding(**decided: Any) -> Callable[..., Any]:
    return lambda state, evidence: (state, Decision(**{"commit": 0, **decided}))


async def asynchronous(state: Any, evidence: Any) -> Any:
    return state, Decision(0)


WRONG = {
    "raises": ({"judge": raising(KeyError("alpha"))}, r"own failed in judge \(KeyError: 'alpha'\)"),
    "exits": ({"judge": raising(SystemExit(7))}, r"own failed in judge \(SystemExit: 7\)"),
    "many lines": ({"judge": raising(ValueError("a\nb" * 900))}, r"\(ValueError: a\)"),
    "signature": ({"judge": lambda evidence: None}, "failed in judge .TypeError"),
    "asynchronous": ({"judge": asynchronous}, "asynchronous judge; write it as a plain function"),
    "nothing": ({"judge": lambda *_: None}, "answered None from judge; .* its next state and a Decision"),
    "a number": ({"judge": lambda *_: 3}, "answered 3 from judge"),
    "three": ({"judge": lambda state, _: (state, Decision(0), 1)}, "from judge"),
    "no decision": ({"judge": lambda state, _: (state, 4)}, "from judge"),
    "negative": ({"judge": deciding(commit=-3)}, "decided commit=-3; it is 0 or more"),
    "half": ({"judge": deciding(commit=1.5)}, "decided commit=1.5; it is a whole number"),
    "a word": ({"judge": deciding(commit="all")}, "decided commit='all'"),
    "NaN": ({"judge": deciding(commit=float("nan"))}, "decided commit=nan"),
    "before": ({"judge": deciding(cut=-5)}, "decided cut=-5"),
    "retracts": ({"judge": deciding(retract=2)}, "took text back without declaring that it revises"),
    "no plan": ({"plan": lambda *_: None}, "answered None from plan; .* a Plan"),
    "plan raises": (
        {"plan": raising(ZeroDivisionError("division by zero"))},
        "failed in plan .ZeroDivisionError",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_nonsense_is_told_and_the_stream_ends_in_order(name: str) -> None:
    methods, said = WRONG[name]
    one = session(policy=Own(**methods))
    events = one.feed(audio(1))
    events += one.finish()
    assert kinds(events)[-2:] == ["error", "end"]
    (error,) = [event for event in events if event.type == "error"]
    assert error.message == str(one.failure)  # type: ignore[attr-defined]
    assert re.search(said, error.message)  # type: ignore[attr-defined]
    assert one.finished


def test_a_stream_does_not_begin_with_a_policy_that_fails_at_once() -> None:
    with pytest.raises(SimulError, match=r"own failed in start \(OSError: disk\)"):
        session(policy=Own(start=raising(OSError("disk"))))


def test_integers_of_numpy_and_too_many_tokens_are_taken() -> None:
    for commit in (np.int64(2), True, 10**6):
        one = session(policy=Own(judge=deciding(commit=commit), plan=lambda *_: DECODE))
        assert kinds([*one.feed(audio(1)), *one.finish()])[-1] == "end"
        assert one.failure is None
