"""Dataclasses as plain values and arrays: back comes what went in, and what is of another type is refused."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

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


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("leaf", None, "leaf is None, not an object"),
        ("leaf", {"name": 3}, "leaf is an object, not a text|name is 3, not a text"),
        ("counts", [[1]], "counts is a list, not a list of 2"),
        ("counts", 3, "counts is 3, not a list"),
        ("pieces", [3], "pieces is a list, not an array of float32"),
        ("weights", np.zeros(2, np.float32), "weights is an array of float32, not an array of float64"),
        ("pair", (1, "x"), "pair is "),
        ("open", 1, "open is 1, not true or false"),
    ],
)
def test_what_is_of_another_type_is_refused(name: str, value: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_fields(Tree, {**write_fields(tree()), name: value})


def test_what_is_missing_is_named() -> None:
    with pytest.raises(ValueError, match="it has no leaf"):
        fill_fields(tree(), {})
