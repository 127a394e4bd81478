"""The page of Whisper's figures says which policies its command knows and has not measured."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.whisper_page import policies
from benchmarks.whisper_policies import GRIDS


def report(names: list[str]) -> dict[str, Any]:
    figures = {"wer": 5.0, "lag_mean": 1.0, "lag_median": 1.0, "lag_p95": 2.0, "cpu_seconds_per_second": 0.1}
    case = {"peak_mib": 500, "settings": [{"setting": "offline", **figures}]}
    return {"recordings": ["a", "b", "c"], "seconds": 20.0, "cases": dict.fromkeys(names, case)}


@pytest.mark.parametrize("missing", [[], ["pause"], ["sp-n", "greedy"]])
def test_what_was_not_measured_is_named(missing: list[str]) -> None:
    text = policies(report([name for name in GRIDS if name not in missing]))
    said = f"not measured yet: {', '.join(f'`{name}`' for name in missing)}."
    assert (said in text) is bool(missing)
    assert ("not measured" in text) is bool(missing)
