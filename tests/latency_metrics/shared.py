"""Where vectors and real logs lie: beside the repository, or in the folder named by SIMUL_SHARED."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


def shared(*parts: str) -> Path:
    """A file or folder of the shared data; skips the test with the reason when it is not there."""
    beside = Path(__file__).resolve().parents[3] / "shared"
    path = Path(os.environ.get("SIMUL_SHARED", beside)).joinpath(*parts)
    if not path.exists():
        pytest.skip(f"{path} is not there; set SIMUL_SHARED to the folder that has {parts[0]}")
    return path
