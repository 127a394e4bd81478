"""Policies by name: what exists, which parameters it takes, and how to make one from a name or an expression."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass

from policies.base import Policy
from policies.errors import PolicyError
from policies.local_agreement import LocalAgreement
from policies.offline import Offline
from policies.parameters import Parameter, Value, did_you_mean, parameters_of

POLICIES: tuple[type[Policy], ...] = (LocalAgreement, Offline)

_BY_NAME: Mapping[str, type[Policy]] = {policy.name: policy for policy in POLICIES}


@dataclass(frozen=True)
class PolicyInfo:
    """What a user is told of a policy.

    summary: one line. parameters: in the order of the constructor.
    """

    name: str
    summary: str
    parameters: tuple[Parameter, ...]


def policy_names() -> tuple[str, ...]:
    """The names of all policies, sorted."""
    return tuple(sorted(_BY_NAME))


def describe() -> list[PolicyInfo]:
    """All policies, sorted by name."""
    return [_info(_BY_NAME[name]) for name in policy_names()]


def _info(policy: type[Policy]) -> PolicyInfo:
    summary = (inspect.getdoc(policy) or "").partition("\n")[0]
    return PolicyInfo(policy.name, summary, parameters_of(policy))


def find_policy(name: str) -> type[Policy]:
    """The policy class of that name.

    Raises:
        PolicyError: there is none.
    """
    if name not in _BY_NAME:
        known = ", ".join(policy_names())
        raise PolicyError(f"There is no policy {name!r}{did_you_mean(name, _BY_NAME)}; known are {known}.")
    return _BY_NAME[name]


def make_policy(name: str, args: Mapping[str, Value] | None = None) -> Policy:
    """The policy called `name` with the parameters `args`; strings are read by each parameter's type.

    Raises:
        PolicyError: an unknown name or parameter, or a value that does not fit.
    """
    policy = find_policy(name)
    check_names(policy, args or {})
    return policy(**(args or {}))


def check_names(policy: type[Policy], args: Mapping[str, Value]) -> None:
    """Raise `PolicyError` when `args` names a parameter that the policy does not have."""
    known = [p.name for p in parameters_of(policy)]
    for arg in args:
        if arg not in known:
            has = f"it has {', '.join(known)}" if known else "it has none"
            raise PolicyError(f"{policy.name} has no parameter {arg!r}{did_you_mean(arg, known)}; {has}.")
