"""Reference vectors beside the repository, or in the folder named by SIMUL_SHARED."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest


def metric_vectors(pattern: str) -> list[tuple[str, Any]]:
    """(name, content) of every vector file whose name matches; skips the test when there are none."""
    beside = Path(__file__).resolve().parents[3] / "shared"
    folder = Path(os.environ.get("SIMUL_SHARED", beside)) / "vectors" / "metrics"
    found = sorted(folder.glob(pattern))
    if not found:
        pytest.skip(f"no vectors {pattern} in {folder}; set SIMUL_SHARED to the folder that has them")
    return [(path.stem, json.loads(path.read_text(encoding="utf-8"))) for path in found]
