"""A policy is asked here: what a policy of one's own answers that is no answer, or raises, is told in one sentence."""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import replace
from inspect import iscoroutine
from typing import Any

from policies.base import Decision, Evidence, Plan, Policy, SourceView
from simul.errors import SimulError, exit_code_of


def begun(policy: Policy) -> Any:
    """The state of a policy at the beginning of a stream.

    Raises:
        SimulError: the policy fails.
    """
    return _asked(policy, "start", policy.start)


def next_state(policy: Policy, state: Any) -> Any:
    """The state of a policy at the beginning of a further segment.

    Raises:
        SimulError: the policy fails.
    """
    return _asked(policy, "next_segment", policy.next_segment, state)


def planned(policy: Policy, state: Any, source: SourceView) -> Plan:
    """Whether to decode now.

    Raises:
        SimulError: the policy fails or answers with no plan.
    """
    plan = _asked(policy, "plan", policy.plan, state, source)
    if not isinstance(plan, Plan):
        raise _no_answer(policy, "plan", plan, "a Plan such as policies.base.READ or DECODE")
    return plan


def judged(policy: Policy, state: Any, evidence: Evidence) -> tuple[Any, Decision]:
    """The policy's next state and what it decides, its numbers as integers.

    Raises:
        SimulError: the policy fails, or answers with no decision, or with one that cannot be carried out.
    """
    answer = _asked(policy, "judge", policy.judge, state, evidence)
    if not isinstance(answer, tuple) or len(answer) != 2 or not isinstance(answer[1], Decision):
        raise _no_answer(policy, "judge", answer, "its next state and a Decision")
    state, decision = answer
    return state, _checked(policy, decision)


def _checked(policy: Policy, decision: Decision) -> Decision:
    """The decision with its numbers as integers, none of them negative."""
    numbers: dict[str, int] = {}
    for name in ("commit", "retract", "forget", "start", "cut"):
        value = getattr(decision, name)
        if value is None and name in ("start", "cut"):
            continue
        try:
            numbers[name] = operator.index(value)
        except TypeError:
            raise SimulError(
                f"The policy {_name(policy)} decided {name}={value!r:.60}; it is a whole number."
            ) from None
        if numbers[name] < 0:
            raise SimulError(f"The policy {_name(policy)} decided {name}={value!r:.60}; it is 0 or more.")
    return replace(decision, **numbers)  # type: ignore[arg-type]


def _asked(policy: Policy, method: str, called: Callable[..., Any], *args: Any) -> Any:
    try:
        answer = called(*args)
    except (Exception, SystemExit) as error:  # whatever a policy of one's own raises
        if exit_code_of(error) is not None:
            raise
        said = str(error).strip().partition("\n")[0][:200]
        what = type(error).__name__ + (f": {said}" if said else "")
        raise SimulError(f"The policy {_name(policy)} failed in {method} ({what}).") from error
    if iscoroutine(answer):
        answer.close()
        raise SimulError(
            f"The policy {_name(policy)} has an asynchronous {method}; write it as a plain function, since policies "
            "only compute."
        )
    return answer


def _no_answer(policy: Policy, method: str, answer: Any, wanted: str) -> SimulError:
    return SimulError(
        f"The policy {_name(policy)} answered {answer!r:.60} from {method}; it answers with {wanted}."
    )


def _name(policy: Policy) -> str:
    return str(getattr(policy, "name", None) or type(policy).__name__)
