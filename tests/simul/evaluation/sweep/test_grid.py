"""Grids: products of values, curves that settings belong to, and one that covers every policy."""

from __future__ import annotations

import pytest

from policies.base import Need
from policies.errors import PolicyError
from policies.registry import policy_names
from simul.errors import UsageError
from simul.evaluation.sweep.grid import Setting, default_grid, parse_grid


def test_grids_are_products_of_their_values():
    grid = parse_grid(
        "local-agreement:n=2,3,unit=word;timeout(hold-n(n=2)):after_ms=100,200,chunk=250; offline"
    )
    assert [str(setting) for setting in grid] == [
        "local-agreement n=2 unit=word",
        "local-agreement n=3 unit=word",
        "timeout(hold-n(n=2)) after_ms=100 chunk=250",
        "timeout(hold-n(n=2)) after_ms=200 chunk=250",
        "offline",
    ]
    assert [setting.chunk_ms for setting in grid] == [None, None, 250, 250, None]
    assert grid[0].make().n == 2
    assert grid[0].curve == "local-agreement unit=word"
    assert grid[2].curve == "timeout(hold-n) chunk=250"
    assert grid[4].curve == "offline"
    assert parse_grid("hold-n:n=2,chunk=250")[0].curve == "hold-n"


@pytest.mark.parametrize(
    ("grid", "error", "told"),
    [
        ("", UsageError, "empty"),
        ("hold-n:2,3", UsageError, "POLICY:NAME=VALUE"),
        ("hold-n:n=2,n=3", UsageError, "twice"),
        ("hold-n:n=2,chunk=soon", UsageError, "milliseconds"),
        ("hold-m:n=2", PolicyError, "hold-n"),
        ("hold-n:n=-1", PolicyError, "at least 0"),
    ],
)
def test_wrong_grids_are_named(grid, error, told):
    with pytest.raises(error, match=told):
        parse_grid(grid)


def test_the_default_grid_has_every_policy_at_three_settings():
    whole = default_grid(frozenset(Need))
    for name in policy_names():
        settings = {
            s for s in whole if name in str(s).replace("(", " ").replace(")", " ").replace(",", " ").split()
        }
        assert len(settings) >= (1 if name == "offline" else 3), name
    few = default_grid(frozenset({Need.TOKENS}))
    assert few
    assert all(setting.make().needs <= {Need.TOKENS} for setting in few)


def test_settings_can_be_told_apart():
    assert Setting("hold-n", (("n", "2"),)) != Setting("hold-n", (("n", "2"),), 250)
