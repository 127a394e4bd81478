"""Names, parameters, expressions and the messages for wrong ones."""

from __future__ import annotations

import inspect

import pytest

from policies import Decision, Policy, PolicyError, describe, make_policy, policy_names
from policies.plugins import PluginError
from policies.registry import POLICIES

NAMES = """align-att align-bridge all-of any-of confidence-aware consensus edatt gate greedy hold-n local-agreement
loop-guard offline pause phrase-hold punctuation-hold segment-confidence sliding-window sp-n stream-att switch then
timeout token-confidence wait-k word-hold"""


def test_names_are_the_published_ones() -> None:
    assert policy_names() == tuple(sorted(NAMES.split()))
    assert len({policy.name for policy in POLICIES}) == len(POLICIES)


def test_every_policy_is_described_and_can_be_made_from_its_description() -> None:
    for info in describe():
        assert info.summary.endswith(".")
        assert make_policy(info.example).name == info.name
        for p in info.parameters:
            assert p.help
            assert p.convert(p.default, info.name) == p.default
            assert p.convert(str(p.default), info.name) == p.default
            for choice in p.choices:
                assert p.convert(choice, info.name) == choice


def test_parameters_are_those_of_the_constructor() -> None:
    for policy, info in ((p, next(i for i in describe() if i.name == p.name)) for p in POLICIES):
        given = [n for n in inspect.signature(policy).parameters if n != "operands"]
        assert given == [p.name for p in info.parameters]


def test_every_bound_is_checked_by_constructor_and_registry_alike() -> None:
    for info in describe():
        kind = next(p for p in POLICIES if p.name == info.name)
        operands = make_policy(info.example)
        inner = {"operands": operands.operands} if hasattr(operands, "operands") else {}
        for p in info.parameters:
            wrong: list[object] = ["nonsense"]
            wrong += [p.low - 1] if p.low is not None else []
            wrong += [p.high + 1] if p.high is not None else []
            wrong += [float("nan")] if p.type in ("int", "float") else []
            for value in wrong:
                with pytest.raises(PolicyError, match=f"{p.name} of {info.name} is"):
                    kind(**inner, **{p.name: value})


@pytest.mark.parametrize(
    ("name", "args", "message"),
    [
        (
            "local-agrement",
            {},
            "no policy 'local-agrement' (did you mean 'local-agreement'?); known are align-att",
        ),
        ("local-agreement", {"N": 2}, "local-agreement has no parameter 'N'"),
        ("align-att", {"distance": 2}, "did you mean 'distance_ms'?"),
        ("offline", {"n": "1"}, "offline has no parameter 'n'; it has none."),
        ("hold-n", {"n": "x"}, "n of hold-n is 'x'; it must be a whole number of at least 0."),
        ("hold-n", {"n": "1.5"}, "n of hold-n is '1.5'; it must be a whole number of at least 0."),
        ("hold-n", {"n": True}, "n of hold-n is True; it must be a whole number"),
        ("hold-n", {"words": "maybe"}, "words of hold-n is 'maybe'; it must be true or false."),
        ("token-confidence", {"threshold": 1.5}, "it must be a number of at least 0 and at most 1."),
        ("segment-confidence", {"threshold": 1}, "it must be a number of at most 0."),
        ("wait-k", {"unit": "sentence"}, "it must be one of chunk, ctc-word, word, token."),
        ("all-of(offline", {}, "expected ',' or ')' at character 15, found nothing more"),
        ("all-of(offline, %)", {}, "expected a policy or a parameter at character 17, found '%'"),
        ("", {}, "expected the name of a policy at character 1, found nothing more"),
        ("offline)", {}, "expected the end at character 8, found ')'"),
        ("hold-n(n=)", {}, "expected a value for n at character 10, found ')'"),
        ("hold-n(n=1, n=2)", {}, "hold-n is given n twice"),
        ("hold-n(n=1)", {"n": 2}, "hold-n is given n twice"),
        (
            "hold-n(3)",
            {},
            "hold-n is not made of other policies such as '3'; write its parameters as name=value",
        ),
        ("all-of(offline)", {}, "all-of takes at least 2 policies, not 1"),
        ("all-of(offline, hold-m)", {}, "did you mean 'hold-n'?"),
    ],
)
def test_wrong_input_is_one_clear_sentence(
    name: str, args: dict[str, str | int | float | bool], message: str
) -> None:
    with pytest.raises(PolicyError) as caught:
        make_policy(name, args)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert str(caught.value).endswith(".")


def test_strings_are_read_by_declared_type() -> None:
    assert make_policy("local-agreement", {"n": "3", "words": "false"}) == make_policy(
        "local-agreement", {"n": 3, "words": False}
    )
    assert make_policy("edatt", {"alpha": "1e-2"}) == make_policy("edatt", {"alpha": 0.01})
    assert make_policy("hold-n", {"n": 3.0}) == make_policy("hold-n(n=3)")


def test_expressions_nest_and_forgive_spaces() -> None:
    text = " timeout ( any-of( local-agreement( n = 3 ) ,gate(hold-n,silence_ms='300') ) , after_ms=4000)"
    policy = make_policy(text, {"guard_ms": "500"})
    assert policy == make_policy(
        "timeout(any-of(local-agreement(n=3),gate(hold-n,silence_ms=300)),after_ms=4000,guard_ms=500)"
    )


class NeedsWeights(Policy):
    """Cannot be made."""

    name = "needs-weights"

    def __init__(self, n: int = 1) -> None:
        raise RuntimeError("weights not found.")

    def judge(self, state, evidence):
        return state, Decision(0)


class NeedsArgument(NeedsWeights):
    """Wants what nobody gives."""

    def __init__(self, path) -> None:
        self.path = path


class NeedsAWord(NeedsWeights):
    """Says what it needs in a word."""

    needs = "attention"

    def __init__(self) -> None:
        pass


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("NeedsWeights", r"cannot be made \(RuntimeError: weights not found\)"),
        (
            "NeedsArgument",
            r"missing 1 required positional argument: 'path'\); parameters are fields of a frozen",
        ),
        ("NeedsAWord", "has needs='attention'; it is a frozenset of policies.Need"),
    ],
)
def test_policies_of_ones_own_that_cannot_be_made(name, said):
    with pytest.raises(PolicyError, match=said):
        make_policy(f"tests.policies.test_registry:{name}")


def test_a_module_that_ends_the_program_is_told(tmp_path, monkeypatch):
    (tmp_path / "ends_the_program.py").write_text("import sys; sys.exit(3)")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(PluginError, match=r"importing ends_the_program failed \(SystemExit: 3\)"):
        make_policy("ends_the_program:P")
