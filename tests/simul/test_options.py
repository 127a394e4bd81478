"""Dataclasses as options: of a command line, and of tables."""

from __future__ import annotations

import argparse
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simul.config import ModelConfig, StreamOptions
from simul.errors import UsageError
from simul.options import add_options, from_namespace, from_table


@dataclass(frozen=True)
class Options:
    count: int = field(default=3, metadata={"help": "how many", "metavar": "N"})
    name: str | None = field(default=None, metadata={"help": "what", "option": "title"})
    loud: bool = field(default=False, metadata={"help": "louder"})
    tags: tuple[str, ...] = field(default=(), metadata={"help": "which"})
    share: float = field(default=0.5, metadata={"help": "how much"})


@dataclass(frozen=True)
class Place:
    place: str = "here"


def parser(names: dict[str, str] | None = None) -> argparse.ArgumentParser:
    made = argparse.ArgumentParser()
    add_options(made, Options, "options", names, leave_out=["share"])
    return made


def test_fields_become_options() -> None:
    given_ = parser().parse_args(["--count", "5", "--tags", "a", "--loud", "--tags", "b", "--title", "x"])
    assert from_namespace(Options, given_) == Options(5, "x", True, ("a", "b"))
    assert from_namespace(Options, parser().parse_args([])) == Options()
    assert "--share" not in parser().format_help()


def test_options_may_be_called_otherwise() -> None:
    names = {"name": "call", "count": "number_of"}
    given_ = parser(names).parse_args(["--call", "x", "--number-of", "1"])
    assert from_namespace(Options, given_, names) == Options(1, "x")


def test_a_table_gives_the_fields_of_several_dataclasses() -> None:
    table = {"count": "7", "title": 3, "loud": "yes", "tags": {"a": 1, "b": False}, "share": 1, "place": "x"}
    assert from_table((Options, Place), table, "The table") == [
        Options(7, "3", True, ("a=1", "b=False"), 1.0),
        Place("x"),
    ]
    assert from_table((Options, Place), {}, "The table") == [Options(), Place()]
    assert from_table((Options,), {"tags": ["a", 2], "title": None}, "The table") == [
        Options(tags=("a", "2"))
    ]


@pytest.mark.parametrize(
    ("table", "said"),
    [
        (
            {"coumt": 3},
            "T has no option 'coumt' (did you mean 'count'?); it takes count, title, loud, tags, share.",
        ),
        ({"name": "x"}, "T has no option 'name'; it takes"),
        ({"count": 1.5}, "T: count is 1.5; give a whole number."),
        ({"count": True}, "T: count is True; give a whole number."),
        ({"count": None}, "T: count is None; give a whole number."),
        ({"share": "much"}, "T: share is 'much'; give a number."),
        ({"loud": "often"}, "T: loud is 'often'; give true or false."),
        ({"title": ["x"]}, "T: title is ['x']; give a text."),
    ],
)
def test_what_a_table_has_wrong_is_one_sentence(table: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError) as caught:
        from_table((Options,), table, "T")
    assert str(caught.value).startswith(said)


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "source": st.sampled_from(["en", "de"]),
            "chunk_ms": st.integers(10, 60_000),
            "policy_arg": st.dictionaries(st.sampled_from("nk"), st.integers(1, 9)),
            "threads": st.integers(0, 8),
            "window": st.sampled_from(("auto", "padded", "bucket", "thinned", "live", "causal")),
            "block_ms": st.integers(20, 5000),
            "beam": st.none() | st.integers(1, 9),
            "model_device": st.sampled_from(["auto", "cpu"]),
        },
    )
)
def test_a_table_says_what_the_command_line_says(table: dict[str, Any]) -> None:
    line = argparse.ArgumentParser()
    words = []
    for cls in (StreamOptions, ModelConfig):
        add_options(line, cls, "")
    for name, value in table.items():
        flag = "--" + name.replace("_", "-")
        if isinstance(value, bool):
            words += [flag] * value
        elif isinstance(value, dict):
            words += [f"{flag}={k}={v}" for k, v in value.items()]
        elif value is not None:
            words.append(f"{flag}={value}")
    given_ = line.parse_args(words)
    assert from_table((StreamOptions, ModelConfig), table, "T") == [
        from_namespace(StreamOptions, given_),
        from_namespace(ModelConfig, given_),
    ]
