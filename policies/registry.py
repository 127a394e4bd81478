"""Policies by name: what exists, which parameters it takes, and how to make one from a name or an expression."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from policies.align_att import AlignAtt
from policies.align_bridge import AlignBridge
from policies.base import Need, Policy
from policies.combinators import AllOf, AnyOf, Combinator, Then
from policies.confidence_aware import ConfidenceAware
from policies.consensus import Consensus
from policies.edatt import EDAtt
from policies.errors import PolicyError
from policies.expression import Expression, parse
from policies.gate import Gate
from policies.greedy import Greedy
from policies.hold_n import HoldN
from policies.local_agreement import LocalAgreement
from policies.loop_guard import LoopGuard
from policies.offline import Offline
from policies.parameters import Parameter, Value, did_you_mean, parameters_of
from policies.pause import Pause
from policies.phrase_hold import PhraseHold
from policies.plugins import PluginError, announced, find, is_own
from policies.punctuation_hold import PunctuationHold
from policies.segment_confidence import SegmentConfidence
from policies.shared_prefix import SharedPrefix
from policies.sliding_window import SlidingWindow
from policies.stream_att import StreamAtt
from policies.switch import Switch
from policies.timeout import Timeout
from policies.token_confidence import TokenConfidence
from policies.wait_k import WaitK
from policies.word_hold import WordHold

POLICIES: tuple[type[Policy], ...] = (
    AlignAtt,
    AlignBridge,
    AllOf,
    AnyOf,
    ConfidenceAware,
    Consensus,
    EDAtt,
    Gate,
    Greedy,
    HoldN,
    LocalAgreement,
    LoopGuard,
    Offline,
    Pause,
    PhraseHold,
    PunctuationHold,
    SegmentConfidence,
    SharedPrefix,
    SlidingWindow,
    StreamAtt,
    Switch,
    Then,
    Timeout,
    TokenConfidence,
    WaitK,
    WordHold,
)

_BY_NAME: Mapping[str, type[Policy]] = {policy.name: policy for policy in POLICIES}


@dataclass(frozen=True)
class PolicyInfo:
    """What a user is told of a policy.

    summary: one line. parameters: in the order of the constructor. operands: least and largest number of policies
    that it is made of (None: any number; (0, 0) for a plain policy). example: an expression that makes one.
    text: the whole description, with its source.
    """

    name: str
    summary: str
    parameters: tuple[Parameter, ...]
    operands: tuple[int, int | None]
    example: str
    text: str


GROUP = "simul.policies"
"""Entry points of packages that bring policies."""


def policy_names() -> tuple[str, ...]:
    """The names of all policies, those of installed packages among them, sorted."""
    return tuple(sorted({*_BY_NAME, *announced(GROUP)}))


def describe() -> list[PolicyInfo]:
    """All policies, sorted by name; one of a package that fails says so."""
    return [_described(name) for name in policy_names()]


def describe_policy(name: str) -> PolicyInfo:
    """One policy: by name, or of one's own as `module:Name`.

    Raises:
        PolicyError: there is no such policy.
        PluginError: its module fails.
    """
    return _info(_find(name))


def _described(name: str) -> PolicyInfo:
    try:
        return _info(_find(name))
    except (PolicyError, PluginError) as error:
        return PolicyInfo(name, str(error), (), (0, 0), name, str(error))


def _info(policy: type[Policy]) -> PolicyInfo:
    text = inspect.getdoc(policy) or ""
    operands: tuple[int, int | None] = (0, 0)
    example = policy.name
    if issubclass(policy, Combinator):
        operands, example = policy.arity, policy.example
    return PolicyInfo(policy.name, text.partition("\n")[0], parameters_of(policy), operands, example, text)


def make_policy(name: str, args: Mapping[str, Value] | None = None) -> Policy:
    """The policy that `name`, a name or an expression, and the parameters `args` describe.

    Strings are read by each parameter's type. With an expression, `args` belong to the outermost policy:
    make_policy("timeout(local-agreement(n=3))", {"after_ms": "4000"}).

    Raises:
        PolicyError: an unknown name or parameter, a value that does not fit, or no readable expression.
    """
    expression = parse(name)
    twice = sorted(set(expression.args) & set(args or {}))
    if twice:
        raise PolicyError(
            f"{expression.name} is given {twice[0]} twice, in the expression and beside it; give it once."
        )
    return _build(expression, {**expression.args, **(args or {})})


def _build(expression: Expression, args: Mapping[str, Any]) -> Policy:
    policy = _find(expression.name)
    known = [p.name for p in parameters_of(policy)]
    for arg in args:
        if arg not in known:
            has = f"it has {', '.join(known)}" if known else "it has none"
            raise PolicyError(f"{policy.name} has no parameter {arg!r}{did_you_mean(arg, known)}; {has}.")
    if issubclass(policy, Combinator):
        return _made(policy, tuple(_build(operand, operand.args) for operand in expression.operands), **args)
    if expression.operands:
        inner = expression.operands[0].name
        takes = (
            f"write its parameters as name=value ({', '.join(known)})" if known else "it takes no parameters"
        )
        raise PolicyError(f"{policy.name} is not made of other policies such as {inner!r}; {takes}.")
    return _made(policy, **args)


def _made(policy: type[Policy], *operands: Any, **args: Any) -> Policy:
    """An instance, with what a constructor or a declaration of one's own raises in one sentence.

    Raises:
        PolicyError: the constructor fails, or `needs` is no set of policies.Need.
    """
    try:
        made = policy(*operands, **args)
        needs = made.needs
    except Exception as error:
        if getattr(error, "exit_code", None) is not None:
            raise
        said = str(error).strip().partition("\n")[0].rstrip(".")
        hint = "; parameters are fields of a frozen dataclass" if isinstance(error, TypeError) else ""
        raise PolicyError(
            f"The policy {policy.name} cannot be made ({type(error).__name__}: {said}){hint}."
        ) from error
    if not isinstance(needs, (set, frozenset)) or not all(isinstance(need, Need) for need in needs):
        raise PolicyError(
            f"The policy {policy.name} has needs={needs!r:.60}; it is a frozenset of policies.Need."
        )
    return made


def _find(name: str) -> type[Policy]:
    if name in _BY_NAME:
        return _BY_NAME[name]
    if not is_own(name, GROUP):
        known = ", ".join(policy_names())
        raise PolicyError(
            f"There is no policy {name!r}{did_you_mean(name, policy_names())}; known are {known}, and one of your own "
            "is MODULE:CLASS."
        )
    found = find(name, GROUP)
    if not (isinstance(found, type) and issubclass(found, Policy)):
        raise PolicyError(f"{name} is no policy; a policy is a class derived from policies.Policy.")
    if getattr(found, "__abstractmethods__", None):
        missing = " and ".join(sorted(found.__abstractmethods__))
        raise PolicyError(f"The policy {name} lacks {missing}; write it.")
    if not isinstance(getattr(found, "name", None), str):
        found.name = name
    return found
