"""Dataclasses as plain values and arrays: back comes what went in, and what is of another type is refused."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, make_dataclass
from typing import Any, Literal, Optional

import numpy as np
import pytest
from numpy.typing import NDArray

from simul.plain import NOT_STORED, fill_fields, read_fields, write_fields


@dataclass(frozen=True)
class Leaf:
    name: str
    ids: tuple[int, ...] = ()


@dataclass
class Tree:
    leaf: Leaf
    counts: dict[int, int] = field(default_factory=dict)
    pieces: list[NDArray[np.float32]] = field(default_factory=list)
    weights: NDArray[np.float64] | None = None
    pair: tuple[int, float] = (0, 0.0)
    open: bool = False
    other: Leaf | None = None
    network: Any = field(default=None, metadata=NOT_STORED)


def read(hint: Any, value: Any) -> Any:
    """The value of a field of that type, of a class that was never read before."""
    return read_fields(make_dataclass("Fresh", [("x", hint)]), {"x": value}).x


def tree() -> Tree:
    pieces = [np.arange(3, dtype=np.float32), np.zeros(0, np.float32)]
    return Tree(
        Leaf("a", (3, 1)), {5: 7, 1: 2}, pieces, np.zeros((0, 2)), (4, 0.25), True, Leaf("b"), object()
    )


def test_back_comes_what_went_in() -> None:
    whole = tree()
    written = write_fields(whole)
    back = read_fields(Tree, written)
    assert (back.leaf, back.counts, back.pair, back.open, back.other) == (
        whole.leaf,
        {5: 7, 1: 2},
        (4, 0.25),
        True,
        Leaf("b"),
    )
    np.testing.assert_array_equal(back.pieces[0], [0, 1, 2])
    assert back.weights.shape == (0, 2)
    assert back.network is None
    arrays = {"pieces": None, "weights": None}
    plain = json.loads(json.dumps({**written, **arrays}))
    assert plain == {
        "leaf": {"name": "a", "ids": [3, 1]},
        "counts": [[5, 7], [1, 2]],
        "pair": [4, 0.25],
        "open": True,
        "other": {"name": "b", "ids": []},
        **arrays,
    }


def test_arrays_are_copied_both_ways() -> None:
    whole = tree()
    written = write_fields(whole)
    back = read_fields(Tree, written)
    whole.pieces[0][:] = 9
    np.testing.assert_array_equal(written["pieces"][0], [0, 1, 2])
    written["pieces"][0][:] = 8
    np.testing.assert_array_equal(back.pieces[0], [0, 1, 2])


def test_numbers_of_numpy_become_plain_ones() -> None:
    leaf = Leaf("a", (np.int64(4),))  # type: ignore[arg-type]
    assert json.dumps(write_fields(leaf)) == '{"name": "a", "ids": [4]}'


def test_filling_leaves_what_is_not_stored() -> None:
    whole, other = tree(), Tree(Leaf("c"), network=3)
    fill_fields(other, write_fields(whole))
    assert (other.leaf, other.network) == (whole.leaf, 3)


OPTIONAL = Optional[int]  # noqa: UP045
"""Not of the type that `int | None` is, on some versions of Python."""
VALUES: list[tuple[Any, Any]] = [
    (str, "a"),
    (int, -(2**63)),
    (int, 2**63 - 1),
    (float, 0.5),
    (float, 3),
    (bool, False),
    (OPTIONAL, None),
    (OPTIONAL, 3),
    (None | str, "a"),
    (int | None, 3),
    (int | None, None),
    (tuple[int, str], (3, "a")),
    (tuple[int, ...], ()),
    (tuple[tuple[int, int], ...], ((1, 2), (3, 4))),
    (list[str], ["a", "b"]),
    (Literal["a", "b"], "b"),
    (dict[int, str], {3: "a"}),
    (Leaf, Leaf("a", (1, 2))),
    (tuple[Leaf, ...], (Leaf("a"), Leaf("b"))),
]


@pytest.mark.parametrize(("hint", "value"), VALUES)
def test_every_type_of_field_is_read_as_it_was_written(hint: Any, value: Any) -> None:
    written = write_fields(make_dataclass("Written", [("x", hint)])(value))["x"]
    found = read(hint, json.loads(json.dumps(written)))
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("hint", "value", "wanted"),
    [
        (str, 3, "3, not a text"),
        (int, "3", "'3', not a whole number"),
        (int, 3.0, "3.0, not a whole number"),
        (int, True, "True, not a whole number"),
        (int, 2**63, "a huge number, not a whole number"),
        (int, -(2**63) - 1, "a huge number, not a whole number"),
        (int, "a" * 50, "'" + "a" * 36 + "..., not a whole number"),
        (int, "a" * 39, "'" + "a" * 36 + "..., not a whole number"),
        (int, "a" * 38, "'" + "a" * 38 + "', not a whole number"),
        (float, "3", "'3', not a whole number"),
        (float, float("nan"), "nan, not a whole number"),
        (float, float("inf"), "inf, not a whole number"),
        (bool, 1, "1, not true or false"),
        (Literal["a", "b"], "c", "'c', not one of 'a', 'b'"),
        (OPTIONAL, "x", "'x', not a whole number"),
        (tuple[int, str], [3], "a list, not a list of 2"),
        (tuple[int, str], "ab", "'ab', not a list"),
        (tuple[int, ...], ["a"], "a list, not a whole number"),
        (list[int], {}, "an object, not a list"),
        (dict[int, int], [[1]], "a list, not a list of 2"),
        (NDArray[np.float32], [1.0], "a list, not an array of float32"),
        (NDArray[np.float32], np.zeros(2), "an array of float64, not an array of float32"),
        (Leaf, None, "None, not an object"),
        (Leaf, [], "a list, not an object"),
        (Leaf, {"name": 3}, "an object, not name is 3, not a text"),
        (Leaf, {}, "an object, not it has no name"),
    ],
)
def test_what_is_of_another_type_is_refused_with_what_was_wanted(hint: Any, value: Any, wanted: str) -> None:
    with pytest.raises(ValueError) as refused:
        read(hint, value)
    assert str(refused.value) == f"x is {wanted}"


def test_an_array_is_read_as_it_was_written() -> None:
    found = read(NDArray[np.float32], np.arange(3, dtype=np.float32))
    assert (found.dtype, found.tolist()) == (np.float32, [0, 1, 2])


def test_what_is_not_there_has_its_default_and_what_is_not_known_is_passed_over() -> None:
    assert read_fields(Leaf, {"name": "a", "more": 3}) == Leaf("a", ())
    assert read_fields(Tree, {"leaf": {"name": "a"}}).counts == {}


def test_what_is_missing_is_named() -> None:
    with pytest.raises(ValueError, match="it has no leaf"):
        fill_fields(tree(), {})
