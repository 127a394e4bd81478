"""Every kept input, those that failed once among them, and a few mutations of each, are read or refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from tests.fuzz.run import call, mutated
from tests.fuzz.targets import TARGETS, seeds_of, words_of


@pytest.mark.parametrize("name", TARGETS)
def test_kept_inputs_are_read_or_refused(name: str, tmp_path: Path) -> None:
    target, _ = TARGETS[name]
    for data in seeds_of(name):
        call(target, data, tmp_path)


@pytest.mark.parametrize("name", [name for name in TARGETS if name not in ("log-commands", "configurations")])
def test_mutations_of_them_are_read_or_refused(name: str, tmp_path: Path) -> None:
    target, words = TARGETS[name][0], words_of(name)

    @settings(
        max_examples=25,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(mutated(seeds_of(name), words))
    def check(data: bytes) -> None:
        call(target, data, tmp_path)

    check()
