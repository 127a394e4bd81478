"""Reference vectors of other programs; see README.md. What may not be in the repository is beside it."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path
from typing import Any

import pytest

VECTORS = Path(__file__).parent


def metric_vectors(pattern: str) -> list[tuple[str, Any]]:
    """(name, content) of every file of `metrics` whose name matches."""
    found = sorted((VECTORS / "metrics").glob(f"{pattern}.json.gz"))
    assert found, f"no vectors are called {pattern}"
    return [
        (path.name.removesuffix(".json.gz"), json.loads(gzip.decompress(path.read_bytes()))) for path in found
    ]


def beside(*parts: str) -> Path:
    """A folder of the data beside the repository or in SIMUL_SHARED; skips the test when it is not there."""
    around = os.environ.get("SIMUL_SHARED", VECTORS.parents[2] / "shared")
    path = Path(around, *parts)
    if not path.exists():
        pytest.skip(f"{path} is not there; set SIMUL_SHARED to the folder that has {parts[0]}")
    return path
