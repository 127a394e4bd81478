"""One rate of everything inside, and the packages below simul agree."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import policies.base
import simul
from latency_metrics import timeline
from simul.units import SAMPLE_RATE


def test_the_packages_agree() -> None:
    assert policies.base.SAMPLES_PER_MS * 1000 == SAMPLE_RATE == timeline.SAMPLE_RATE


STATED = {"simul/units.py", "latency_metrics/timeline.py"}
ROOT = Path(simul.__file__).parent.parent


@pytest.mark.parametrize("package", ["simul", "policies", "latency_metrics", "segmenter"])
def test_the_rate_is_written_in_one_place(package: str) -> None:
    for path in (ROOT / package).rglob("*.py"):
        name = path.relative_to(ROOT).as_posix()
        numbers = [
            n.value for n in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(n, ast.Constant)
        ]
        assert name in STATED or 16_000 not in numbers, name
